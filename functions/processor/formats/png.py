"""PNG and animated PNG (the PNG specification, third edition): chunks, each with a checksum, up to IEND."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Final

from functions.processor.formats.format import Format, Whole, image
from functions.processor.formats.incoming import DamagedFileError

if TYPE_CHECKING:
    from functions.processor.formats.incoming import Incoming, Reading

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
CHUNK_HEADER: Final = struct.Struct(">I4s")
LARGEST_CHUNK: Final = 2**31 - 1
HEADER, END = b"IHDR", b"IEND"
HEADER_BYTES: Final = 13


def _recognise(head: bytes) -> str | None:
    return "image/png" if head.startswith(SIGNATURE) else None


def _read(file: Incoming) -> Reading[Whole]:
    yield from file.skip(len(SIGNATURE))
    name, frames, has_data = b"", 1, False
    while name != END:
        start = file.position
        file.at("before the chunk IEND")
        header = yield from file.read(8)
        is_first, (length, name) = not name, CHUNK_HEADER.unpack(header)
        _check_header(name, length, start, is_first=is_first)
        file.at(f"inside the chunk {name.decode()}", length)
        if name == b"acTL":
            frames = int.from_bytes((yield from file.peek(4)), "big")
        checksum = yield from file.skip(length, zlib.crc32, zlib.crc32(name))
        if (yield from file.read(4)) != checksum.to_bytes(4, "big"):
            raise DamagedFileError(f"has the chunk {name.decode()} at byte {start:,} with a wrong checksum")
        has_data |= name == b"IDAT"
    if not has_data:
        raise DamagedFileError(f"ends after {file.position:,} bytes, without a chunk IDAT")
    return image("image/png", several=frames > 1)


def _check_header(name: bytes, length: int, start: int, *, is_first: bool) -> None:
    if length > LARGEST_CHUNK or not (name.isalpha() and name.isascii()):
        raise DamagedFileError(f"has something other than a chunk at byte {start:,}")
    if (name == HEADER) != is_first or (is_first and length != HEADER_BYTES):
        raise DamagedFileError(f"has the chunk {name.decode()} of {length:,} bytes at byte {start:,}")


FORMAT: Final = Format(recognise=_recognise, read=_read)
