"""WebP (RFC 9649): a RIFF container with the size of the file, and chunks that add up to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.processor.formats.format import Format, Whole, image
from functions.processor.formats.incoming import DamagedFileError

if TYPE_CHECKING:
    from functions.processor.formats.incoming import Incoming, Reading

RIFF_BYTES: Final = 12
CHUNK_HEADER_BYTES: Final = 8
IMAGES: Final = frozenset({b"VP8 ", b"VP8L", b"ANMF"})
"""A still image, lossy or lossless, and a frame of an animation."""


def _recognise(head: bytes) -> str | None:
    return "image/webp" if head.startswith(b"RIFF") and head[8:12] == b"WEBP" else None


def _read(file: Incoming) -> Reading[Whole]:
    header = yield from file.read(RIFF_BYTES)
    end = CHUNK_HEADER_BYTES + int.from_bytes(header[4:8], "little")
    file.at(f"and should have {end:,}")
    images = 0
    while file.position < end:
        start = file.position
        chunk = yield from file.read(CHUNK_HEADER_BYTES)
        size = int.from_bytes(chunk[4:], "little")
        if file.position + size > end:
            raise DamagedFileError(
                f"has a chunk of {size:,} bytes at byte {start:,}, but should end at byte {end:,}"
            )
        yield from file.skip(min(size + size % 2, end - file.position))
        images += chunk[:4] in IMAGES
    if not images:
        raise DamagedFileError(f"ends at byte {end:,}, without an image")
    return image("image/webp", several=images > 1)


FORMAT: Final = Format(recognise=_recognise, read=_read)
