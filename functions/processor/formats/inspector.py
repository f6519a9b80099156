"""Says what a file is and whether it is whole, from its bytes as they stream by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import filetype

from functions.contract.entry import ContentFinding
from functions.processor.formats import bmp, cms, gif, heif, jpeg, message, pdf, png, tiff, webp, xml
from functions.processor.formats.format import Format
from functions.processor.formats.incoming import DamagedFileError, Incoming, Reading

HEAD_BYTES: Final = 4096
"""How many leading bytes decide which format a file is read as.

With more, filetype could exceed Python's recursion limit on a crafted file: it recurses for each of
Zstandard's skippable frames, of 8 bytes.
"""

PIECE_BYTES: Final = 64 * 1024
"""Smaller chunks are collected until there are so many bytes."""

BY_SIGNATURE: Final = tuple(
    each.FORMAT for each in (png, jpeg, gif, webp, tiff, heif, bmp, cms, xml, message)
)
OURS: Final = frozenset(
    {
        *("application/pdf", "image/avif", "image/bmp", "image/gif", "image/heic", "image/jpeg"),
        *("image/png", "image/apng", "image/tiff", "image/webp"),
    }
)
"""What filetype isn't asked about. It takes camera raw files for TIFF, for example."""


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What a file is. ``media_type`` is ``None`` if that is unknown.

    ``damage`` is ``None`` for a file that is whole, as far as its format lets us tell, and for one of a
    format that isn't read. Otherwise it says what is wrong, in up to 200 characters that continue "The file".
    ``findings`` are sorted, and only given for a whole file.
    """

    media_type: str | None
    damage: str | None = None
    findings: tuple[ContentFinding, ...] = ()


class Inspector:
    """Takes the bytes of one file, in chunks of any size, and never raises."""

    def __init__(self) -> None:
        self._file = Incoming()
        self._reading = _inspect(self._file)
        self._inspection: Inspection | None = None
        self._collected: list[bytes] = []
        self._collected_bytes = 0
        self._resume()

    @property
    def steps(self) -> int:
        """How much work it was, apart from looking at each byte."""
        return self._file.steps

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        if chunk and self._inspection is None:
            self._collected.append(chunk)
            self._collected_bytes += len(chunk)
            if self._collected_bytes >= PIECE_BYTES:
                self._pass_on()

    def finish(self) -> Inspection:
        """Say what the file is, after its last byte."""
        self._file.end()
        while self._inspection is None:
            self._pass_on()
        return self._inspection

    def _pass_on(self) -> None:
        self._file.supply(b"".join(self._collected))
        self._collected, self._collected_bytes = [], 0
        self._resume()

    def _resume(self) -> None:
        try:
            next(self._reading)
        except StopIteration as done:
            self._inspection = done.value


def _inspect(file: Incoming) -> Reading[Inspection]:
    known, media_type = _recognise((yield from file.peek(HEAD_BYTES)))
    if known is None:
        return Inspection(media_type=media_type)
    try:
        return (yield from _read(known, file))
    except DamagedFileError as error:
        return Inspection(media_type=media_type, damage=str(error))


def _recognise(head: bytes) -> tuple[Format | None, str | None]:
    """Return how to read a file, and its media type.

    The header of a PDF may come after something else, but not after the signature of another type.
    """
    for each in BY_SIGNATURE:
        if media_type := each.recognise(head):
            return each, media_type
    other: str | None = filetype.guess_mime(head)
    if other not in {None, *OURS}:
        return None, other
    media_type = pdf.FORMAT.recognise(head)
    return pdf.FORMAT if media_type else None, media_type


def _read(known: Format, file: Incoming) -> Reading[Inspection]:
    whole = yield from known.read(file)
    if whole.media_type is None:
        return Inspection(media_type=None)
    trails = yield from file.skip_padding()
    findings = whole.findings | ({ContentFinding.TRAILING_DATA} if trails else set())
    return Inspection(media_type=whole.media_type, findings=tuple(sorted(findings)))
