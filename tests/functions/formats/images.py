"""Images of each format, as Pillow and libheif write them, and a few that they can't write."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pillow_heif
from PIL import Image, ImageDraw

from functions.contract.entry import ContentFinding
from tests.functions.formats.samples import Sample

if TYPE_CHECKING:
    from collections.abc import Callable

SEVERAL = (ContentFinding.MULTIPLE_IMAGES,)
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def picture(mode: str = "RGB", width: int = 40, shade: int = 0) -> Image.Image:
    """A picture with a gradient, a line and something like text."""
    made = Image.linear_gradient("L").resize((width, 30)).convert("RGB")
    draw = ImageDraw.Draw(made)
    draw.line((0, 0, width, 30), fill=(200, shade, 0))
    draw.text((2, 8), "12.00", fill=(0, shade, 90))
    return made.convert(mode)


def saved(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    file = io.BytesIO()
    picture(mode).save(file, kind, **options)
    return file.getvalue()


def frames(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    return saved(kind, mode, save_all=True, append_images=[picture(mode, shade=90), picture(mode)], **options)


def with_thumbnail(data: bytes) -> bytes:
    """A JPEG with another one in a segment."""
    content = b"Exif\0\0" + saved("JPEG", quality=10)
    return data[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(content)) + content + data[2:]


def heif(*images: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    made = pillow_heif.from_pillow(images[0])
    for each in images[1:]:
        made.add_from_pillow(each)
    made.save(file, **options)
    return file.getvalue()


def chunk(name: bytes, content: bytes = b"") -> bytes:
    """A chunk of a PNG."""
    checksum = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + checksum


def os2_bitmap(header: bytes, palette: bytes, pixels: bytes) -> bytes:
    """Make a BMP as OS/2 2.x did, which Pillow doesn't write."""
    begin = 18 + len(header) + len(palette)
    start = struct.pack("<2sIIII", b"BM", begin + len(pixels), 0, begin, 4 + len(header))
    return start + header + palette + pixels


def rebranded(data: bytes, major: bytes, *others: bytes) -> bytes:
    """A HEIF file with other brands, in as much space as they had."""
    size = int.from_bytes(data[:4], "big")
    brands = (major + data[12:16] + b"".join(others)).ljust(size - 8, b" ")
    assert len(brands) == size - 8
    return data[:8] + brands + data[size:]


def exif() -> Image.Exif:
    told = Image.Exif()
    told[0x0110] = "Scanner 3000, with a name that doesn't fit into a field"
    told.get_ifd(0x8769)[0x9003] = "2026:11:22 10:00:00"
    told.get_ifd(0x8825)[1] = "N"
    return told


def samples() -> dict[str, Sample]:
    """All of them by name."""
    made = {
        name: Sample(data=make(), media_type=media_type, findings=findings)
        for media_type, findings, made in _KINDS
        for name, make in made.items()
    }
    first = made["jpeg, several"].data.index(b"\xff\xd9") + 2
    return made | {"jpeg, several": replace(made["jpeg, several"], whole_from=first)}


_PNG: dict[str, Callable[[], bytes]] = {
    "png": lambda: saved("PNG"),
    "png of one bit": lambda: saved("PNG", "1"),
    "png with a palette": lambda: saved("PNG", "P", transparency=0),
    "png with transparency": lambda: saved("PNG", "RGBA", compress_level=0),
    "png with Exif": lambda: saved("PNG", exif=exif(), dpi=(300, 300)),
}
_JPEG: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: saved("JPEG"),
    "jpeg of best quality": lambda: saved("JPEG", quality=100, subsampling=0),
    "jpeg in grey": lambda: saved("JPEG", "L"),
    "jpeg in CMYK": lambda: saved("JPEG", "CMYK"),
    "jpeg, progressive": lambda: saved("JPEG", progressive=True),
    "jpeg with restarts": lambda: saved("JPEG", restart_marker_blocks=1),
    "jpeg with a thumbnail": lambda: with_thumbnail(saved("JPEG")),
    "jpeg with Exif": lambda: saved("JPEG", exif=exif(), comment=b"a comment"),
}
_TIFF: dict[str, Callable[[], bytes]] = {
    "tiff": lambda: saved("TIFF"),
    "tiff of one bit": lambda: saved("TIFF", "1"),
    "tiff as a fax": lambda: saved("TIFF", "1", compression="group4"),
    "tiff with LZW": lambda: saved("TIFF", compression="tiff_lzw"),
    "tiff with Deflate": lambda: saved("TIFF", "RGBA", compression="tiff_adobe_deflate"),
    "tiff with JPEG": lambda: saved("TIFF", compression="jpeg"),
    "tiff with Exif": lambda: saved("TIFF", exif=exif()),
    "tiff in strips": lambda: saved("TIFF", tiffinfo={278: 4}, compression="packbits"),
    "tiff, BigTIFF": lambda: saved("TIFF", big_tiff=True),
    "tiff, BigTIFF in strips": lambda: saved("TIFF", big_tiff=True, compression="packbits", strip_size=400),
}
_KINDS: list[tuple[str, tuple[ContentFinding, ...], dict[str, Callable[[], bytes]]]] = [
    ("image/png", (), _PNG),
    ("image/png", SEVERAL, {"png, animated": lambda: frames("PNG")}),
    ("image/jpeg", (), _JPEG),
    ("image/jpeg", SEVERAL, {"jpeg, several": lambda: frames("MPO")}),
    ("image/gif", (), {"gif": lambda: saved("GIF"), "gif, interlaced": lambda: saved("GIF", interlace=1)}),
    ("image/gif", SEVERAL, {"gif, animated": lambda: frames("GIF", comment=b"x" * 300)}),
    (
        "image/webp",
        (),
        {
            "webp": lambda: saved("WEBP"),
            "webp without loss": lambda: saved("WEBP", "RGBA", lossless=True),
            "webp with Exif": lambda: saved("WEBP", exif=exif()),
        },
    ),
    ("image/webp", SEVERAL, {"webp, animated": lambda: frames("WEBP")}),
    ("image/tiff", (), _TIFF),
    (
        "image/tiff",
        SEVERAL,
        {
            "tiff, pages": lambda: frames("TIFF", "1", compression="group4"),
            "tiff, pages uncompressed": lambda: frames("TIFF"),
            "tiff, pages of BigTIFF": lambda: frames("TIFF", big_tiff=True),
        },
    ),
    (
        "image/bmp",
        (),
        {
            "bmp": lambda: saved("BMP"),
            "bmp of OS/2": lambda: os2_bitmap(
                struct.pack("<IIHH", 4, 4, 1, 8), b"\x09\x63\xc8" * 256, bytes(15) + b"x"
            ),
            "bmp of OS/2, compressed as a fax": lambda: os2_bitmap(
                struct.pack("<IIHHII", 2000, 200, 1, 1, 3, 40).ljust(60, b"\0"), bytes(6), b"x" * 40
            ),
            "bmp of one bit": lambda: saved("BMP", "1"),
            "bmp with a palette": lambda: saved("BMP", "P"),
            "bmp with transparency": lambda: saved("BMP", "RGBA"),
        },
    ),
    (
        "image/heic",
        (),
        {
            "heic": lambda: heif(picture()),
            "heic with transparency": lambda: heif(picture("RGBA")),
            "heic with Exif": lambda: heif(picture(), exif=exif().tobytes()),
            "heic, heix": lambda: rebranded(heif(picture()), b"heix", b"mif1", b"heix"),
            "heic, mif1": lambda: rebranded(heif(picture()), b"mif1", b"miaf"),
        },
    ),
    ("image/heic", SEVERAL, {"heic, several": lambda: heif(picture(), picture(shade=90))}),
    (
        "image/avif",
        (),
        {
            "avif": lambda: saved("AVIF"),
            "avif, mif1": lambda: rebranded(saved("AVIF"), b"mif1", b"miaf"),
        },
    ),
    ("image/avif", SEVERAL, {"avif, animated": lambda: frames("AVIF")}),
]
