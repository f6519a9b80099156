"""PDF (ISO 32000): a header within the first 1,024 bytes, and ``startxref`` with ``%%EOF`` near the end.

What is between them is searched for a few words, outside of streams. Objects aren't parsed, and pages aren't
rendered.

Findings come from those words too, so a file that is made to hide something can do so. Streams of objects are
decompressed within `OBJECTS`, since ordinary files have their scripts there. What is beyond that, encrypted,
or compressed with another filter than Flate isn't seen, and neither is what an embedded file contains.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from functions.contract.entry import ContentFinding
from functions.processor.formats.format import Format, Whole
from functions.processor.formats.incoming import DamagedFileError

if TYPE_CHECKING:
    from functions.processor.formats.incoming import Incoming, Reading

HEADER: Final = re.compile(rb"%PDF-\d")
HEADER_WITHIN: Final = 1024
END_WITHIN: Final = 1024
"""Where readers look for the header and for the end (PDF Reference 1.7, implementation notes 13 and 18)."""

_NAME_ENDS: Final = rb"(?![^\s\x00()<>\[\]{}/%])"
_TEXT: Final = rb"(?:\([^()\\]{0,255}+(?:\\.[^()\\]{0,64}+){0,8}+\)|<[0-9A-Fa-f\s]{0,1024}+>)"
WORD: Final = re.compile(
    rb"[%/>s](?:"
    rb">(?<=>>)\s{0,16}+(?P<stream>stream)[\r\n]"
    rb"|%(?<=%%)(?P<end>EOF)"
    rb"|t(?<=st)artxref\s{1,16}+(?P<startxref>\d{1,19})"
    rb"|[EJLO](?<=/.)(?:"
    rb"(?P<name>avaScript|S|aunch|ncrypt|mbeddedFile|bjStm)" + _NAME_ENDS + rb""
    rb"|(?<=L)ength\s{1,8}+(?P<length>\d{1,12})(?P<elsewhere>\s{1,8}+\d{1,10}\s{1,8}+R)?)"
    rb"|U?F(?<=[/U]F)\s{0,8}+(?P<file_name>" + _TEXT + rb")"
    rb"|(?P<escaped>[A-Za-z]{0,16}+#[0-9A-Fa-f]{2}[^\s\x00()<>\[\]{}/%]{0,64}+))",
    re.DOTALL,
)
"""What is searched for outside of streams, written for speed: what tells words apart comes first."""

LONGEST_WORD: Final = 1100
END_OF_STREAM: Final = re.compile(rb"endstream")
LINEARIZED: Final = re.compile(rb"<<[^<>]{0,1024}/Linearized[^<>]{0,1024}>>")
ESCAPED: Final = re.compile(rb"#([0-9A-Fa-f]{2})")
UPDATE: Final = re.compile(rb"\d{1,10}\s{1,8}\d{1,5}\s{1,8}obj|xref|trailer|startxref")
"""How an incremental update begins, after the %%EOF of the file that it updates."""

FINDINGS: Final = {
    b"/JavaScript": ContentFinding.ACTIVE_CONTENT,
    b"/JS": ContentFinding.ACTIVE_CONTENT,
    b"/Launch": ContentFinding.ACTIVE_CONTENT,
    b"/Encrypt": ContentFinding.ENCRYPTED,
}
EXECUTABLE_NAME: Final = re.compile(
    rb"\.(?:app|bat|cmd|com|cpl|dll|exe|hta|jar|js|jse|lnk|msi|pif|ps1|scr|sh|vbe|vbs|wsf|wsh)$",
    re.IGNORECASE,
)
EXECUTABLE_STARTS: Final = (b"MZ", b"\x7fELF", b"#!", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe")


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How much is decompressed of one file."""

    streams: int
    compressed_bytes: int
    """Of each stream."""

    bytes: int
    """Of each stream, after decompression."""


OBJECTS: Final = Bounds(streams=256, compressed_bytes=128 * 1024, bytes=256 * 1024)


@dataclass(kw_only=True)
class _Seen:
    """What was read so far. The first fields are about the dictionary of the next stream."""

    length: int | None = None
    is_embedded: bool = False
    has_objects: bool = False

    findings: set[ContentFinding] = field(default_factory=set)
    object_streams: int = 0
    streams_until: int = 0
    """Where the streams end by their lengths: an end before that is one of an embedded file."""

    startxref: int | None = None
    end: int | None = None
    """Where the last %%EOF ends, with the padding after it."""

    rest: bytes = b""
    """How the bytes after `end` begin."""


def _recognise(head: bytes) -> str | None:
    return "application/pdf" if HEADER.search(head[:HEADER_WITHIN]) else None


def _read(file: Incoming) -> Reading[Whole]:
    head = yield from file.peek(2 * HEADER_WITHIN)
    seen = _Seen()
    file.at("before startxref and %%EOF")
    while True:
        found = yield from file.search(WORD, LONGEST_WORD)
        if not found:
            break
        yield from _take(found, file, seen)
    _check_end(file, seen, head)
    return Whole(media_type="application/pdf", findings=frozenset(seen.findings))


def _take(found: re.Match[bytes], file: Incoming, seen: _Seen) -> Reading[None]:
    word = found.lastgroup
    if word == "stream":
        yield from _stream(file, seen)
    elif word == "startxref":
        seen.startxref = int(found["startxref"]) or None
    elif word == "end":
        if seen.startxref is not None and file.position > seen.streams_until:
            yield from file.skip_padding()
            seen.end = file.position
            seen.rest = yield from file.peek(32)
    elif word == "file_name":
        _take_file_name(found["file_name"], seen)
    elif word in {"name", "escaped"}:
        _take_name(found[0], seen)
    else:
        seen.length = None if found["elsewhere"] else int(found["length"])


def _take_file_name(text: bytes, seen: _Seen) -> None:
    if EXECUTABLE_NAME.search(_text(text)):
        seen.findings.add(ContentFinding.ACTIVE_CONTENT)


def _take_name(name: bytes, seen: _Seen) -> None:
    name = ESCAPED.sub(lambda digits: bytes.fromhex(digits[1].decode()), name)
    if finding := FINDINGS.get(name):
        seen.findings.add(finding)
    seen.is_embedded |= name == b"/EmbeddedFile"
    seen.has_objects |= name == b"/ObjStm"


def _stream(file: Incoming, seen: _Seen) -> Reading[None]:
    start, length = file.position, seen.length
    seen.streams_until = max(seen.streams_until, start + (length or 0))
    if seen.is_embedded:
        yield from _embedded(file, seen)
    elif seen.has_objects and seen.object_streams < OBJECTS.streams:
        yield from _objects(file, seen)
    seen.length, seen.is_embedded, seen.has_objects = None, False, False
    if not (yield from file.search(END_OF_STREAM, len("endstream"))):
        file.at(f"inside the stream at byte {start:,}", length)
        raise file.cut()


def _embedded(file: Incoming, seen: _Seen) -> Reading[None]:
    beginning = (yield from file.peek(1024)).removeprefix(b"\n")
    if any(each.startswith(EXECUTABLE_STARTS) for each in (beginning, _decompressed(beginning, 8))):
        seen.findings.add(ContentFinding.ACTIVE_CONTENT)


def _objects(file: Incoming, seen: _Seen) -> Reading[None]:
    seen.object_streams += 1
    length = min(seen.length or OBJECTS.compressed_bytes, OBJECTS.compressed_bytes)
    compressed = (yield from file.peek(length + 1)).removeprefix(b"\n")
    for found in WORD.finditer(_decompressed(compressed, OBJECTS.bytes)):
        file.work(1)
        if found["file_name"]:
            _take_file_name(found["file_name"], seen)
        elif found["name"] or found["escaped"]:
            _take_name(found[0], seen)


def _decompressed(data: bytes, most: int) -> bytes:
    """Return up to ``most`` bytes, and nothing if the data isn't compressed with Flate."""
    try:
        return zlib.decompressobj().decompress(data, most)
    except zlib.error:
        return b""


def _text(text: bytes) -> bytes:
    """Decode a text in brackets of one kind or the other, of which only ASCII matters."""
    if text.startswith(b"<"):
        digits = text[1:-1].translate(None, b" \t\n\v\f\r")
        text = bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode())
    else:
        text = text[1:-1]
    return text.replace(b"\0", b"")


def _check_end(file: Incoming, seen: _Seen, head: bytes) -> None:
    size = file.position
    if seen.startxref is None or seen.end is None:
        if seen.streams_until > size:
            file.at(f"inside a stream that should end at byte {seen.streams_until:,}")
        raise file.cut()
    if seen.startxref >= size:
        raise DamagedFileError(
            f"ends after {size:,} bytes, but says that its cross-references are at byte {seen.startxref:,}"
        )
    if (linearized := _linearized_length(head)) > size:
        raise DamagedFileError(f"ends after {size:,} bytes, and should have {linearized:,}")
    if seen.rest:
        if UPDATE.match(seen.rest):
            raise DamagedFileError(f"ends after {size:,} bytes, inside the update at byte {seen.end:,}")
        if size - seen.end > END_WITHIN:
            raise DamagedFileError(
                f"ends after {size:,} bytes, but its last %%EOF is before byte {seen.end:,}"
            )
        seen.findings.add(ContentFinding.TRAILING_DATA)


def _linearized_length(head: bytes) -> int:
    """Return the length of a file that is laid out for the web, which it has in its first object."""
    dictionary = LINEARIZED.search(head)
    length = re.search(rb"/L\s{1,8}(\d{1,19})", dictionary[0]) if dictionary else None
    return int(length[1]) if length else 0


FORMAT: Final = Format(recognise=_recognise, read=_read)
