"""Media types, recognised from the leading bytes of a file and never from its name."""

from __future__ import annotations

import filetype

HEAD_BYTES = 4096
"""How many leading bytes `recognise` looks at.

More would add no receipt format, and would let a crafted file through to a limit of Python's: filetype
follows Zstandard's skippable frames, 8 bytes each, by recursion.
"""

HEIC = "image/heic"
HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis"})
"""Brands of HEVC-coded still images (ISO/IEC 23008-12, annex B), of which filetype knows only the first."""

GENERIC_HEIF_BRANDS = frozenset({b"mif1", b"msf1"})
"""Brands that say only "an image", with the coding among the compatible brands."""

RECOGNISED = frozenset(kind.mime for kind in filetype.types)
"""Every media type that `recognise` can return."""


def recognise(head: bytes) -> str | None:
    """Return the media type of a file that starts with ``head``, or ``None`` where it is not a known one."""
    head = head[:HEAD_BYTES]
    media_type: str | None = filetype.guess_mime(head)
    return HEIC if media_type is None and _is_heic(head) else media_type


def _is_heic(head: bytes) -> bool:
    """Read the box that an ISO base media file starts with: size, "ftyp", a brand, compatible brands."""
    if head[4:8] != b"ftyp":
        return False
    end = min(int.from_bytes(head[:4], "big"), len(head))
    major = head[8:12]
    compatible = {head[at : at + 4] for at in range(16, end, 4)}
    return major in HEIC_BRANDS or (major in GENERIC_HEIF_BRANDS and bool(compatible & HEIC_BRANDS))
