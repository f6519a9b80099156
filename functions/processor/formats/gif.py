"""GIF (87a and 89a): blocks of sub-blocks, up to the trailer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.processor.formats.format import Format, Whole, image
from functions.processor.formats.incoming import DamagedFileError

if TYPE_CHECKING:
    from functions.processor.formats.incoming import Incoming, Reading

SCREEN_BYTES: Final = 13
EXTENSION, IMAGE, TRAILER = 0x21, 0x2C, 0x3B


def _recognise(head: bytes) -> str | None:
    return "image/gif" if head.startswith((b"GIF87a", b"GIF89a")) else None


def _read(file: Incoming) -> Reading[Whole]:
    file.at("inside its header")
    screen = yield from file.read(SCREEN_BYTES)
    yield from file.skip(_colour_table_bytes(screen[10]))
    images = 0
    while True:
        file.at("before its trailer")
        start = file.position
        block = yield from file.number(1, "big")
        if block == TRAILER:
            break
        file.at(f"inside the block at byte {start:,}")
        if block == EXTENSION:
            yield from file.skip(1)
        elif block == IMAGE:
            descriptor = yield from file.read(9)
            yield from file.skip(_colour_table_bytes(descriptor[8]) + 1)
            images += 1
        else:
            raise DamagedFileError(f"has something other than a block at byte {start:,}")
        yield from _skip_sub_blocks(file)
    if not images:
        raise DamagedFileError(f"ends after {file.position:,} bytes, without an image")
    return image("image/gif", several=images > 1)


def _colour_table_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _skip_sub_blocks(file: Incoming) -> Reading[None]:
    """Read sub-blocks, each after a byte with its size, up to the empty one."""
    while True:
        if not (yield from file.ahead(1)):
            raise file.cut()
        ahead, at, blocks = file.unread, 0, 0
        end = len(ahead)
        while at < end and (size := ahead[at]):
            at += size + 1
            blocks += 1
        file.work(blocks)
        if at < end:
            yield from file.skip(at + 1)
            return
        yield from file.skip(at)


FORMAT: Final = Format(recognise=_recognise, read=_read)
