"""Small whole files, each unlike the others by what is noted in it."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Sequence
from typing import Final

PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"


def png(note: bytes = b"") -> bytes:
    """Make a PNG of one black pixel, with the note in a chunk of its own."""
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    noted = _chunk(b"noTe", note) if note else b""
    return PNG_SIGNATURE + header + noted + _chunk(b"IDAT", zlib.compress(b"\0\0")) + _chunk(b"IEND")


def _chunk(name: bytes, content: bytes = b"") -> bytes:
    checksum = zlib.crc32(content, zlib.crc32(name))
    return b"".join((struct.pack(">I", len(content)), name, content, struct.pack(">I", checksum)))


def jpeg(note: bytes = b"") -> bytes:
    """Make a grey JPEG of 8 by 8 pixels, with the note as a comment."""
    quantisation = _segment(0xDB, b"\0" + b"\1" * 64)
    frame = _segment(0xC0, bytes([8, 0, 8, 0, 8, 1, 1, 0x11, 0]))
    # One code each for the direct and the alternating part, which says that nothing follows.
    codes = b"".join(_segment(0xC4, bytes([kind, 1]) + bytes(16)) for kind in (0x00, 0x10))
    scan = _segment(0xDA, bytes([1, 1, 0, 0, 63, 0])) + b"\x3f"
    return b"\xff\xd8" + _segment(0xFE, note) + quantisation + frame + codes + scan + b"\xff\xd9"


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, 2 + len(content)) + content


def pdf(note: bytes = b"") -> bytes:
    """Make a PDF of one blank page, with the note in a stream of its own."""
    return _pdf_of(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 72 72]/Resources<<>>>>",
        _stream(note),
    )


def printed_pdf(lines: Sequence[str], script: str = "") -> bytes:
    """Make a PDF of one page with lines of text, and with a script that runs when it is opened, if any."""
    height = 40 + 16 * len(lines)
    text = b"".join(b"(%b)'" % _escaped(line) for line in lines)
    action = b"/OpenAction<</S/JavaScript/JS(%b)>>" % _escaped(script) if script else b""
    return _pdf_of(
        b"<</Type/Catalog/Pages 2 0 R%b>>" % action,
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 280 %d]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>"
        % height,
        _stream(b"BT /F 11 Tf 16 TL 24 %d Td %b ET" % (height - 16, text)),
        b"<</Type/Font/Subtype/Type1/BaseFont/Courier/Encoding/WinAnsiEncoding>>",
    )


def _pdf_of(*objects: bytes) -> bytes:
    made, places = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, start=1):
        places.append(len(made))
        made += b"%d 0 obj%b endobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    end = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (size, len(made))
    return b"".join((made, b"xref\n0 %d\n0000000000 65535 f \n" % size, table, end))


def _stream(content: bytes) -> bytes:
    return b"<</Length %d>>stream\n%b\nendstream" % (len(content), content)


def _escaped(text: str) -> bytes:
    return re.sub(rb"([()\\])", rb"\\\1", text.encode("cp1252", errors="replace"))
