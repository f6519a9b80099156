"""Files that are made to cost their reader time or memory."""

from __future__ import annotations

import struct
import sys
import tracemalloc
import zlib
from itertools import repeat
from typing import TYPE_CHECKING, Any

import pytest

from functions.processor.formats.inspector import Inspector
from tests.functions.formats import structured
from tests.functions.formats.images import chunk
from tests.functions.formats.samples import inspect

if TYPE_CHECKING:
    from types import FrameType

MEBIBYTE = 1024 * 1024


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content


def iloc(sizes: int) -> bytes:
    """Places of 40,000 items, with as many extents as can be told."""
    item = struct.pack(">HHH", 1, 0, 0xFFFF)
    return box(b"iloc", b"\0\0\0\0" + struct.pack(">HH", sizes, 40_000) + item * 40_000)


def meta(*boxes: bytes) -> bytes:
    return box(b"ftyp", b"heic\0\0\0\0") + box(b"meta", bytes(4) + b"".join(boxes))


DIRECTORY = struct.pack("<H", 4096) + struct.pack("<HHII", 273, 4, 1, 8) * 4096
JPEG = b"\xff\xd8\xff\xc0\0\x0b\x08\0\1\0\1\1\1\x11\0"
OBJECTS = zlib.compress(bytes(16 * MEBIBYTE), 9)
UBL = b'<?xml version="1.0" encoding="utf-8"?>' + f'<Invoice xmlns="{structured.UBL}Invoice-2">'.encode()
CMS = bytes.fromhex("3080 06092a864886f70d010702 a080 3080")
WORDS = zlib.compress(b"/JS " * MEBIBYTE, 9)
HOSTILE = {
    "PNG of empty chunks": (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", bytes(13)), chunk(b"tEXt")),
    "JPEG of empty segments": (JPEG, b"\xff\xfe\0\2"),
    "JPEG of fill bytes": (JPEG + b"\xff\xda\0\2", b"\xff"),
    "JPEG of restarts": (JPEG + b"\xff\xda\0\2", b"\xff\xd0"),
    "GIF of small blocks": (b"GIF89a" + bytes(7) + b"\x21\xfe", b"\1x"),
    "GIF of empty images": (b"GIF89a" + bytes(7), b"\x2c" + bytes(11)),
    "WebP of empty chunks": (b"RIFF\xff\xff\xff\xffWEBP", b"VP8 \0\0\0\0"),
    "HEIF of empty boxes": (box(b"ftyp", b"heic\0\0\0\0"), box(b"free", b"")),
    "HEIF of one meta after another": (b"", meta(box(b"free", bytes(1000)))),
    "HEIF with extents of no size": (meta(iloc(0)), b""),
    "HEIF with too many extents": (meta(iloc(0x4400)), b""),
    "TIFF of directories": (b"II*\0\x08\0\0\0", DIRECTORY + b"\xff\xff\xff\0"),
    "TIFF that turns in a circle": (b"II*\0\x08\0\0\0" + DIRECTORY + b"\x08\0\0\0", b""),
    "PDF of words": (b"%PDF-1.7", b"/JS"),
    "PDF of lengths": (b"%PDF-1.7", b"/Length 1 1 R"),
    "PDF of beginnings": (b"%PDF-1.7", b"/F("),
    "PDF of long beginnings": (b"%PDF-1.7", b"/F(" + b"\\" * 250),
    "PDF of long names": (b"%PDF-1.7", b"/AAAAAAAAAAAAAAAA"),
    "PDF of brackets": (b"%PDF-1.7", b">>  "),
    "PDF of digits": (b"%PDF-1.7", b"startxref 1234567890123456789"),
    "PDF of ends": (b"%PDF-1.7\nstartxref\n9\n", b"%%EOF"),
    "PDF of empty streams": (b"%PDF-1.7", b">>stream\nendstream"),
    "XML of deep elements": (UBL, b"<a>"),
    "XML of small elements": (UBL, b"<a/>"),
    "XML of a long tag": (UBL + b"<a b='", b"x"),
    "XML of a long comment": (UBL + b"<!--", b"x"),
    "XML of attributes": (UBL + b"<a ", b"b=''"),
    "XML in an encoding": (UBL.replace(b"utf-8", b"big5"), b"<a/>"),
    "CMS of empty elements": (CMS, b"\x05\0"),
    "CMS of deep elements": (CMS, b"\x30\x80"),
    "CMS of small pieces": (CMS + b"\2\1\1\x31\0\x30\x80\5\0\xa0\x80\x24\x80", b"\4\1<"),
    "e-mail of fields": (b"From: a\nDate: b\n", b"Content-Type: multipart/;"),
    "e-mail of boundaries": (b"From: a\nDate: b\nContent-Type: multipart/x; boundary=a\n\n", b"\n--a-"),
    "PDF of compressed words": (b"%PDF-1.7", b"<</Type/ObjStm>>stream\n" + WORDS + b"endstream"),
    "PDF of bombs": (b"%PDF-1.7", b"<</Type/ObjStm>>stream\n" + OBJECTS + b"endstream"),
}

each_hostile = pytest.mark.parametrize(("start", "unit"), HOSTILE.values(), ids=HOSTILE)


def test_directories_with_more_fields_than_there_is_work_for_are_refused() -> None:
    size = 2 + 4096 * 12 + 4
    directories = (DIRECTORY + struct.pack("<I", 8 + size * number) for number in range(1, 41))

    assert "has too many parts" in str(inspect(b"II*\0\x08\0\0\0" + b"".join(directories)).damage)


def lines_run(data: bytes) -> int:
    """Count the lines of our code that are executed to inspect a file."""
    lines = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal lines
        if "functions/processor" not in frame.f_code.co_filename:
            return None
        lines += event == "line"
        return trace

    inspector = Inspector()
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        inspector.feed(data)
        inspector.finish()
    finally:
        sys.settrace(before)
    return lines


@each_hostile
@pytest.mark.claim(
    "reading a file that is made to be slow takes a bounded number of steps for each byte",
    section="Hostile input",
)
def test_the_work_is_bounded_by_the_size(start: bytes, unit: bytes) -> None:
    """Up to 100,000 steps, of which none is more than 40 lines, and then one for each 64 bytes."""
    data = (start + unit * (MEBIBYTE // len(unit) if unit else 0))[: 4 * MEBIBYTE]

    assert lines_run(data) < 40 * (100_000 + len(data) // 64)


@each_hostile
@pytest.mark.claim("memory does not grow with the file", section="Hostile input")
def test_the_memory_is_bounded(start: bytes, unit: bytes) -> None:
    piece = unit * (MEBIBYTE // len(unit) if unit else 0)
    inspector = Inspector()
    tracemalloc.start()
    try:
        inspector.feed(start)
        for each in repeat(piece, 12):
            inspector.feed(each)
        inspector.finish()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 8 * MEBIBYTE
