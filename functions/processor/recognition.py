"""Recognises media types by the first bytes of a file, never by its name."""

from __future__ import annotations

import filetype

HEAD_BYTES = 4096
"""How many bytes `recognise` looks at.

With more, it would recognise no more receipts, and a crafted file could exceed Python's recursion limit:
filetype recurses for each of Zstandard's skippable frames, of 8 bytes.
"""

HEIC = "image/heic"
HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis"})
"""Brands of still images coded with HEVC (ISO/IEC 23008-12, annex B). filetype only knows the first."""

GENERIC_HEIF_BRANDS = frozenset({b"mif1", b"msf1"})
"""Brands that only mean "an image". The coding is among the compatible brands."""

RECOGNISED = frozenset(kind.mime for kind in filetype.types)
"""Every media type that `recognise` can return."""


def recognise(head: bytes) -> str | None:
    """Return the media type of a file that begins with ``head``, or ``None`` if it is unknown."""
    head = head[:HEAD_BYTES]
    media_type: str | None = filetype.guess_mime(head)
    return HEIC if media_type is None and _is_heic(head) else media_type


def _is_heic(head: bytes) -> bool:
    """Read the first box of an ISO base media file: its size, "ftyp", a brand, compatible brands."""
    if head[4:8] != b"ftyp":
        return False
    end = min(int.from_bytes(head[:4], "big"), len(head))
    major = head[8:12]
    compatible = {head[at : at + 4] for at in range(16, end, 4)}
    return major in HEIC_BRANDS or (major in GENERIC_HEIF_BRANDS and bool(compatible & HEIC_BRANDS))
