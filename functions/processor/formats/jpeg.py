"""JPEG (ITU-T T.81): segments with a length and scans without, from SOI to EOI.

A scan's bytes aren't decoded. They contain no marker but RST0 to RST7, since a zero follows each other FF.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from functions.processor.formats.format import Format, Whole, image
from functions.processor.formats.incoming import DamagedFileError

if TYPE_CHECKING:
    from functions.processor.formats.incoming import Incoming, Reading

START: Final = b"\xff\xd8\xff"
MARKER: Final = re.compile(rb"\xff[\x02-\xcf\xd9-\xfe]")
"""All but those that stand alone and mean nothing outside of a scan: TEM, RST0 to RST7 and SOI."""

APP2, END, SCAN = 0xE2, 0xD9, 0xDA
FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""SOF0 to SOF15: the dimensions of the image, and how it is coded."""

OTHER_IMAGES: Final = b"MPF\0"
"""How an APP2 segment begins that lists the images after this one (CIPA DC-007, Multi-Picture Format)."""


def _recognise(head: bytes) -> str | None:
    return "image/jpeg" if head.startswith(START) else None


def _read(file: Incoming) -> Reading[Whole]:
    lists_others = yield from _image(file)
    images = 1
    while lists_others and (yield from _another_follows(file)):
        yield from _image(file)
        images += 1
    return image("image/jpeg", several=images > 1)


def _another_follows(file: Incoming) -> Reading[bool]:
    yield from file.skip_padding()
    return (yield from file.peek(len(START))) == START


def _image(file: Incoming) -> Reading[bool]:
    """Read one image, and say whether it lists others."""
    lists_others = has_frame = has_scan = False
    file.at("before the first segment")
    yield from file.read(2)
    while True:
        found = yield from file.search(MARKER, 2)
        if not found:
            raise file.cut()
        marker, start = found[0][1], file.position - 2
        if marker == END:
            break
        segment = f"inside the segment FF{marker:02X} at byte {start:,}"
        file.at(segment)
        length = yield from file.number(2, "big")
        if length < 2:
            raise DamagedFileError(f"has a segment FF{marker:02X} of {length} bytes at byte {start:,}")
        file.at(segment, length)
        if marker == APP2:
            lists_others |= (yield from file.peek(4)) == OTHER_IMAGES
        yield from file.skip(length - 2)
        has_frame |= marker in FRAMES
        has_scan |= has_frame and marker == SCAN
        file.at(f"inside the scan that begins at byte {start:,}" if has_scan else "before the first scan")
    if not has_scan:
        raise DamagedFileError(f"ends its image after {file.position:,} bytes, without a scan")
    return lists_others


FORMAT: Final = Format(recognise=_recognise, read=_read)
