"""Files that don't add up, although they have an end."""

from __future__ import annotations

import struct

import pytest

from functions.contract.entry import MAX_DETAIL_CHARACTERS, ContentFinding
from functions.processor.formats.incoming import DamagedFileError
from tests.functions.formats.documents import pdf, updated
from tests.functions.formats.images import PNG_SIGNATURE, chunk, heif, picture, saved
from tests.functions.formats.samples import inspect

IHDR, IDAT, IEND = chunk(b"IHDR", bytes(13)), chunk(b"IDAT", b"x"), chunk(b"IEND")
FRAME, SCAN, END = b"\xff\xc0\0\x0b\x08\0\1\0\1\1\1\x11\0", b"\xff\xda\0\2\1\2\3", b"\xff\xd9"
GIF = b"GIF89a" + bytes(7)
PLAIN = pdf()


def webp(*chunks: bytes) -> bytes:
    content = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def tiff(directory: bytes, at: int = 8) -> bytes:
    return b"II*\0" + struct.pack("<I", at) + directory


@pytest.mark.parametrize(
    ("data", "damage"),
    [
        (PNG_SIGNATURE + IHDR + IEND, "without a chunk IDAT"),
        (PNG_SIGNATURE + IDAT + IEND, "has the chunk IDAT of 1 bytes at byte 8"),
        (PNG_SIGNATURE + IHDR + IHDR, "has the chunk IHDR of 13 bytes at byte 33"),
        (PNG_SIGNATURE + chunk(b"IHDR", b"x"), "has the chunk IHDR of 1 bytes at byte 8"),
        (PNG_SIGNATURE + IHDR + b"\0\0\0\0I/AT", "something other than a chunk at byte 33"),
        (PNG_SIGNATURE + IHDR + b"\x80\0\0\0IDAT", "something other than a chunk at byte 33"),
        (b"\xff\xd8" + FRAME + END, "without a scan"),
        (b"\xff\xd8" + SCAN + END, "without a scan"),
        (b"\xff\xd8\xff\xe0\0\1" + FRAME + SCAN + END, "has a segment FFE0 of 1 bytes at byte 2"),
        (GIF + b"\x3b", "without an image"),
        (GIF + b"\x21\xfe\0\0\x3b", "something other than a block at byte 16"),
        (webp(b"EXIF\1\0\0\0x\0"), "without an image"),
        (webp(b"VP8 \x0a\0\0\0x\0"), "has a chunk of 10 bytes at byte 12, but should end at byte 22"),
        (tiff(b"", at=4), "says that its first directory is at byte 4, inside its header"),
        (tiff(bytes(100)), "has a directory of 0 fields at byte 8"),
        (tiff(b"\xff\xff" + bytes(100)), "has a directory of 65,535 fields at byte 8"),
        (heif(picture()).replace(b"iloc", b"skip"), None),
        (heif(picture()).replace(b"iinf\0", b"iinf\x01"), "that doesn't add up"),
        (heif(picture())[:28] + b"\xff" * 40, "something other than a box at byte 28"),
        (heif(picture())[:28] + b"\0\0\0\1meta" + bytes(8), "has a box of 0 bytes at byte 28"),
        (b"%PDF-1.4\nstartxref\n0\n%%EOF\n", "before startxref and %%EOF"),
        (PLAIN.replace(b"startxref\n", b"startxref\n9"), "says that its cross-references are at byte 9"),
        (PLAIN.replace(b"startxref", b"startref"), "before startxref and %%EOF"),
        (PLAIN.replace(b"%%EOF", b"%EOF"), "before startxref and %%EOF"),
        (PLAIN + b"x" * 1025, "but its last %%EOF is before byte"),
        (updated(PLAIN)[: len(PLAIN) + 60], "inside the update at byte"),
        (pdf(linearize=True).replace(b"/L ", b"/L 9"), "and should have 9"),
    ],
)
def test_a_file_that_does_not_add_up_is_damaged(data: bytes, damage: str | None) -> None:
    said = inspect(data)

    assert said.media_type
    assert damage is said.damage or (damage and damage in str(said.damage))


def test_a_long_detail_is_cut() -> None:
    detail = str(DamagedFileError("has " + "x" * 300))

    assert (len(detail), detail[-1]) == (MAX_DETAIL_CHARACTERS, "…")


def test_no_byte_of_a_png_can_change() -> None:
    data = saved("PNG", "1")
    for at in range(8, len(data)):
        assert inspect(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]).damage


def test_images_of_heif_are_inside_the_file() -> None:
    """The box with the images can end the file, but be shorter than the places of the images ask for."""
    data = heif(picture())
    start = data.rindex(b"mdat") - 4
    size = int.from_bytes(data[start : start + 4], "big") - 10

    shorter = data[:start] + struct.pack(">I", size) + data[start + 4 : -10]

    assert "but an image ends at byte" in str(inspect(shorter).damage)


def test_a_box_after_all_images_can_be_cut() -> None:
    said = inspect(heif(picture()) + b"\0\1\0\0free" + bytes(9))

    assert (said.damage, said.findings) == (None, (ContentFinding.TRAILING_DATA,))


def test_the_pixels_of_a_bmp_are_inside_the_file_whatever_its_header_says() -> None:
    data = saved("BMP")

    assert "and should have" in str(inspect(data[:2] + bytes(4) + data[6:-1]).damage)
