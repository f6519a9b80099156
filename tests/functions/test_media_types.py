from __future__ import annotations

import struct

import pytest

from functions.processor.recognition import recognise
from tests.functions.examples import JPEG, PDF, PNG, TEXT


def iso_media(brand: bytes, *compatible: bytes) -> bytes:
    """The start of an ISO base media file: its file type box, and the box after it."""
    content = brand + bytes(4) + b"".join(compatible)
    return (
        struct.pack(">I", 8 + len(content)) + b"ftyp" + content + struct.pack(">I", 100) + b"meta" + bytes(92)
    )


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (PDF, "application/pdf"),
        (b"\xef\xbb\xbf" + PDF, "application/pdf"),
        (PNG, "image/png"),
        (JPEG, "image/jpeg"),
        (b"\xff\xd8\xff\xe1\x00\x10Exif\x00\x00", "image/jpeg"),
        (b"RIFF\x24\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"II*\x00\x08\x00\x00\x00\x00\x00", "image/tiff"),
        (b"MM\x00*\x00\x00\x00\x08\x00\x00", "image/tiff"),
        (iso_media(b"heic", b"mif1", b"heic"), "image/heic"),
        (iso_media(b"heic"), "image/heic"),
        (iso_media(b"heix", b"mif1", b"heix"), "image/heic"),
        (iso_media(b"heim"), "image/heic"),
        (iso_media(b"heis"), "image/heic"),
        (iso_media(b"mif1", b"mif1", b"heic"), "image/heic"),
        (iso_media(b"mif1", b"miaf", b"heix"), "image/heic"),
    ],
)
def test_receipt_formats_are_recognised(head: bytes, media_type: str) -> None:
    assert recognise(head + bytes(100)) == media_type


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (TEXT, None),
        (b"<html><body>Receipt</body></html>", None),
        (b"junk before " + PDF, None),
        (iso_media(b"mif1", b"mif1", b"miaf"), None),
        (iso_media(b"hevc", b"heic"), None),
        (iso_media(b"avif", b"mif1"), "image/avif"),
        (iso_media(b"mif1", b"avif"), "image/avif"),
        (iso_media(b"isom", b"mp41"), "video/mp4"),
        (b"GIF89a", "image/gif"),
        (b"PK\x03\x04" + bytes(40), "application/zip"),
        (b"MZ" + bytes(40), "application/x-msdownload"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\x08acTL" + bytes(12), "image/apng"),
    ],
)
def test_other_formats_are_not_taken_for_receipts(head: bytes, media_type: str | None) -> None:
    assert recognise(head) == media_type


@pytest.mark.parametrize("head", [b"", b"\x89", b"%PD", b"\xff\xd8", iso_media(b"heic")[:11]])
def test_a_file_too_short_for_its_signature_is_not_recognised(head: bytes) -> None:
    assert recognise(head) is None


def test_compatible_brands_are_only_read_from_the_file_type_box() -> None:
    assert recognise(iso_media(b"mif1", b"miaf") + b"heic" * 20) is None
