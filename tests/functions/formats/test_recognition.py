"""What a file is taken for."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest

from functions.contract.entry import ContentFinding
from functions.processor.formats.heif import AVIF, HEIC
from tests.functions.formats.documents import pdf
from tests.functions.formats.images import heif, picture, rebranded, saved
from tests.functions.formats.samples import inspect

SIGNATURES = {
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
    "image/gif": b"GIF89a",
    "image/webp": b"RIFF\x24\0\0\0WEBPVP8 ",
    "image/tiff": b"MM\0*\0\0\0\x08",
    "image/bmp": b"BM" + struct.pack("<IIIIiiHH", 0, 0, 54, 40, 9, 9, 1, 24),
    "image/heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "image/avif": b"\0\0\0\x18ftypavif\0\0\0\0mif1avif",
    "application/pdf": b"%PDF-1.7\n",
}


@pytest.mark.parametrize(("media_type", "signature"), SIGNATURES.items(), ids=SIGNATURES)
def test_a_signature_alone_is_damaged(media_type: str, signature: bytes) -> None:
    said = inspect(signature)

    assert said.media_type == media_type
    assert said.damage is not None


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (b"", None),
        (b"Total: 12.00 EUR", None),
        (b"BMW, the car", None),
        (b"<html><body>%PDF</body></html>", None),
        (bytes(1019) + pdf(), None),
        (b"PK\x03\x04" + bytes(40), "application/zip"),
        (b"PK\x03\x04" + bytes(40) + pdf(), "application/zip"),
        (b"MZ" + bytes(40), "application/x-msdownload"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp41" + bytes(40), "video/mp4"),
    ],
)
def test_other_files_are_not_read(data: bytes, media_type: str | None) -> None:
    said = inspect(data)

    assert (said.media_type, said.damage, said.findings) == (media_type, None, ())


def test_the_header_of_a_pdf_is_within_the_first_1024_bytes() -> None:
    said = inspect(bytes(1018) + pdf())

    assert (said.media_type, said.damage) == ("application/pdf", None)


@pytest.mark.parametrize(
    "brand", [b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"]
)
def test_every_brand_of_heif_is_recognised_by_its_coding(brand: bytes) -> None:
    assert inspect(rebranded(heif(picture()), brand, b"mif1")).media_type == HEIC


def test_the_coding_decides_and_not_the_brand() -> None:
    assert inspect(rebranded(heif(picture()), b"mif1", b"avif")).media_type == HEIC
    assert inspect(rebranded(saved("AVIF"), b"mif1", b"heic")).media_type == AVIF
    assert inspect(heif(picture()).replace(b"hvcC", b"jpgC")).media_type is None


def little_tiff(*directories: dict[int, tuple[int, int]], order: str = "<") -> bytes:
    """A TIFF of directories, whose fields have a type and a single value."""
    sizes = [2 + 12 * len(each) + 4 for each in directories]
    starts = [8 + sum(sizes[:index]) for index in range(len(sizes) + 1)]
    data = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    for fields, (_, following) in zip(directories, pairwise(starts), strict=True):
        data += struct.pack(f"{order}H", len(fields))
        for tag, (kind, value) in fields.items():
            form = "HH" if kind == 3 else "I"
            data += struct.pack(f"{order}HHI{form}", tag, kind, 1, value, *([0] if kind == 3 else []))
        data += struct.pack(f"{order}I", following if following != starts[-1] else 0)
    return data


PREVIEW = {254: (4, 1), 259: (3, 6), 330: (4, 8)}
PAGE = {256: (3, 1), 257: (3, 1), 259: (3, 1)}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "fields",
    [
        {**PAGE, 50706: (4, 0x0401)},  # DNG
        PREVIEW,  # NEF and ARW: a small preview, and the image in a directory below
        {**PAGE, 262: (3, 32803)},  # a pattern of colour filters
        {**PAGE, 37398: (4, 1)},  # TIFF/EP
        {**PAGE, 259: (3, 34713)},  # Nikon
        {**PAGE, 259: (3, 65535)},  # Pentax
    ],
    ids=["DNG", "preview", "colour filters", "TIFF/EP", "Nikon", "Pentax"],
)
def test_raw_files_of_cameras_are_not_tiff(fields: dict[int, tuple[int, int]], order: str) -> None:
    assert inspect(little_tiff(fields, order=order) + bytes(100)).media_type is None
    assert inspect(little_tiff(PAGE, order=order)).media_type == "image/tiff"


@pytest.mark.parametrize(
    "header", [b"II*\0\x10\0\0\0CR\x02\0", b"II*\0\x10\0\0\0IIII", b"MM\0*\0\0\0\x10MMMM"]
)
def test_raw_files_are_known_by_their_headers(header: bytes) -> None:
    assert inspect(header.ljust(40, b"\0")).media_type != "image/tiff"


def test_what_a_directory_leads_to_belongs_to_the_file() -> None:
    exif = struct.pack("<HHHII", 1, 36864, 7, 4, 0x30333230) + bytes(4)
    data = little_tiff({**PAGE, 34665: (4, 8 + 2 + 4 * 12 + 4)}) + exif

    assert inspect(data) == inspect(little_tiff(PAGE))
    assert inspect(data[:-1]).damage


def test_a_smaller_image_of_a_page_is_not_another_page() -> None:
    smaller = {**PAGE, 254: (4, 1)}

    assert inspect(little_tiff(PAGE, smaller)).findings == ()
    assert inspect(little_tiff(PAGE, PAGE)).findings == (ContentFinding.MULTIPLE_IMAGES,)


def test_an_animated_png_is_a_png() -> None:
    animated = saved("PNG", save_all=True, append_images=[picture(shade=90)])

    assert b"acTL" in animated
    assert inspect(animated).media_type == "image/png"
