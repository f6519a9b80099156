"""Large files of each type, in whole parts as common programs write them, around noise or text."""

from __future__ import annotations

import base64
import random
import struct
import zlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Final

from local import REPOSITORY
from local.whole_files import PNG_SIGNATURE

PNG_CHUNK_BYTES: Final = 8_192
"""What libpng writes by default."""

SCAN_BYTES: Final = 300_000
"""The size of an image in a PDF."""

UBL: Final = b"urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"
FATTURA: Final = b"http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fatture/v1.2"
LINE: Final = (
    b"<cac:InvoiceLine><cbc:ID>%d</cbc:ID><cbc:InvoicedQuantity unitCode='C62'>2</cbc:InvoicedQuantity>"
    b"<cbc:LineExtensionAmount currencyID='EUR'>24.00</cbc:LineExtensionAmount></cac:InvoiceLine>\n"
)


@cache
def noise(size: int) -> bytes:
    """Make bytes that are the same each time."""
    return random.Random(size).randbytes(size)  # noqa: S311 (not a secret)


def _base64(size: int) -> bytes:
    return base64.encodebytes(noise(size * 3 // 4))[:size]


def _png_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _png(size: int) -> bytes:
    pixels = noise(size)
    chunks = (pixels[at : at + PNG_CHUNK_BYTES] for at in range(0, size, PNG_CHUNK_BYTES))
    data = b"".join(_png_chunk(b"IDAT", chunk) for chunk in chunks)
    return PNG_SIGNATURE + _png_chunk(b"IHDR", bytes(13)) + data + _png_chunk(b"IEND", b"")


def _jpeg(size: int) -> bytes:
    frame, scan = b"\xff\xc0\0\x0b\x08\0\1\0\1\1\1\x11\0", b"\xff\xda\0\2"
    return b"\xff\xd8" + frame + scan + noise(size).replace(b"\xff", b"\xff\0") + b"\xff\xd9"


def _gif(size: int) -> bytes:
    pixels = noise(size - size % 255)
    blocks = (b"\xff" + pixels[at : at + 255] for at in range(0, len(pixels), 255))
    return b"GIF89a" + bytes(7) + b"\x2c" + bytes(10) + b"".join(blocks) + b"\0\x3b"


def _webp(size: int) -> bytes:
    size -= size % 2
    return b"RIFF%bWEBPVP8L%b" % (struct.pack("<I", 12 + size), struct.pack("<I", size)) + noise(size)


def _tiff(size: int) -> bytes:
    strips = size // 8_192
    places, sizes = 8 + strips * 8_192, 8 + strips * 8_192 + 4 * strips
    fields = ((256, 1), (257, 1), (259, 1), (273, places), (279, sizes))
    directory = struct.pack("<H", len(fields)) + b"".join(
        struct.pack("<HHII", tag, 4, strips if tag > 259 else 1, value) for tag, value in fields
    )
    lists = struct.pack(f"<{strips}I", *range(8, places, 8_192)) + struct.pack("<I", 8_192) * strips
    start = b"II*\0" + struct.pack("<I", places + len(lists))
    return start + noise(strips * 8_192) + lists + directory + bytes(4)


def _bmp(size: int) -> bytes:
    headers = struct.pack("<IHHIIiiHHIIiiII", 54 + size, 0, 0, 54, 40, 0, 0, 1, 24, 0, size, 0, 0, 0, 0)
    return b"BM" + headers + noise(size)


def _heic(size: int) -> bytes:
    photo = (REPOSITORY / "samples" / "good" / "taxi 領収書.heic").read_bytes()
    return photo + struct.pack(">I", 8 + size) + b"free" + noise(size)


def _pdf(objects: bytes) -> bytes:
    return b"%%PDF-1.7\n%bxref\n0 0\ntrailer<<>>\nstartxref\n%d\n%%%%EOF\n" % (objects, 9 + len(objects))


def _pdf_of_scans(size: int) -> bytes:
    scan = b"1 0 obj<</Length %d>>stream\n%b\nendstream endobj\n" % (SCAN_BYTES, noise(SCAN_BYTES))
    return _pdf(scan * (size // SCAN_BYTES))


def _pdf_of_objects(size: int) -> bytes:
    annotation = b"7 0 obj<</Type/Annot/Subtype/Text/Rect[10 10 20 20]/Contents(Total: 12.00 EUR)>>endobj\n"
    return _pdf(annotation * (size // len(annotation)))


def _ubl(content: bytes) -> bytes:
    return b"<?xml version='1.0'?>\n<Invoice xmlns='%b' xmlns:cac='a' xmlns:cbc='b'>%b</Invoice>" % (
        UBL,
        content,
    )


def _ubl_with_attachment(size: int) -> bytes:
    return _ubl(b"<cbc:EmbeddedDocumentBinaryObject>%b</cbc:EmbeddedDocumentBinaryObject>" % _base64(size))


def _ubl_of_lines(size: int) -> bytes:
    return _ubl(b"".join(LINE % number for number in range(size // len(LINE))))


def _element(tag: int, content: bytes) -> bytes:
    return bytes([tag, 0x84]) + struct.pack(">I", len(content)) + content


def _p7m(size: int) -> bytes:
    invoice = b"<p:FatturaElettronica xmlns:p='%b'><Attachment>%b</Attachment></p:FatturaElettronica>"
    content = _element(0xA0, _element(0x04, invoice % (FATTURA, _base64(size))))
    parts = (_element(0x02, b"\1"), _element(0x31, b""), _element(0x30, _element(0x06, b"\1") + content))
    signed = _element(0x30, b"".join(parts) + _element(0x31, b""))
    kind = bytes.fromhex("06092a864886f70d010702")
    return _element(0x30, kind + _element(0xA0, signed))


def _message(size: int) -> bytes:
    header = b"From: a@example.com\nDate: Sun, 22 Nov 2026 10:00:00 +0000\n"
    kind = b"Content-Type: multipart/mixed; boundary=part\n\n--part\nContent-Transfer-Encoding: base64\n\n"
    return header + kind + _base64(size) + b"\n--part--\n"


FILES: Final[Mapping[str, Callable[[int], bytes]]] = {
    "PNG": _png,
    "JPEG": _jpeg,
    "GIF": _gif,
    "WebP": _webp,
    "TIFF": _tiff,
    "BMP": _bmp,
    "HEIC": _heic,
    "PDF of scans": _pdf_of_scans,
    "PDF of small objects, without streams": _pdf_of_objects,
    "UBL with an attachment": _ubl_with_attachment,
    "UBL of small elements": _ubl_of_lines,
    "FatturaPA, signed": _p7m,
    "e-mail with an attachment": _message,
}
"""Makes a file of about so many bytes, by what it is."""
