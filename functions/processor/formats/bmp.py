"""BMP: a header with the size of the file, and one with the dimensions of the image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.processor.formats.format import Format, Whole, image

if TYPE_CHECKING:
    from functions.processor.formats.incoming import Incoming, Reading

FILE_HEADER_BYTES: Final = 14
CORE_HEADER_BYTES: Final = 12
"""The header of OS/2 1.x, with dimensions of 16 bits. All later ones begin like the one of 40 bytes."""

SHORT_HEADER_BYTES, OS2_HEADER_BYTES = 16, 64
"""The headers of OS/2 2.x. The short one ends before the compression, which is none then."""

IMAGE_HEADER_BYTES: Final = frozenset(
    {CORE_HEADER_BYTES, SHORT_HEADER_BYTES, 40, 52, 56, OS2_HEADER_BYTES, 108, 124}
)
LONGEST_HEAD: Final = 38
UNCOMPRESSED: Final = frozenset({0, 3, 6})
"""Plain pixels, and pixels with masks of 3 or 4 channels. In a header of OS/2, 3 is a compression."""


def _recognise(head: bytes) -> str | None:
    """Two letters begin many a text, so the header of the image has to make sense as well."""
    size = _number(head, 14, 4)
    planes = _number(head, 22 if size == CORE_HEADER_BYTES else 26, 2)
    known = head.startswith(b"BM") and size in IMAGE_HEADER_BYTES and planes == 1
    return "image/bmp" if known else None


def _read(file: Incoming) -> Reading[Whole]:
    head = yield from file.peek(LONGEST_HEAD)
    size = max(_number(head, 2, 4), _pixels_end(head), FILE_HEADER_BYTES + _number(head, 14, 4))
    file.at(f"and should have {size:,}")
    yield from file.skip(size)
    return image("image/bmp", several=False)


def _pixels_end(head: bytes) -> int:
    """Return where the pixels end, or where they begin if their size isn't told."""
    begin, header_bytes = _number(head, 10, 4), _number(head, 14, 4)
    if header_bytes == CORE_HEADER_BYTES:
        width, height, depth = _number(head, 18, 2), _number(head, 20, 2), _number(head, 24, 2)
        compression = 0
    else:
        width, depth = _number(head, 18, 4), _number(head, 28, 2)
        compression = 0 if header_bytes == SHORT_HEADER_BYTES else _number(head, 30, 4)
        height = abs(int.from_bytes(head[22:26], "little", signed=True))
    if compression in ({0} if header_bytes == OS2_HEADER_BYTES else UNCOMPRESSED):
        return begin + (width * depth + 31) // 32 * 4 * height
    return begin + _number(head, 34, 4)


def _number(head: bytes, at: int, count: int) -> int:
    return int.from_bytes(head[at : at + count], "little")


FORMAT: Final = Format(recognise=_recognise, read=_read)
