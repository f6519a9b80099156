"""Invoices for the Italian exchange system, signed: FatturaPA in a CMS SignedData (RFC 5652), in DER or BER.

The signature isn't verified. All that is checked is the structure, down to the end of the signed document.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from functions.processor.formats.format import Format, Whole
from functions.processor.formats.incoming import DamagedFileError
from functions.processor.formats.xml import BLOCK_BYTES, CutDocumentError, Document, OtherDocumentError

if TYPE_CHECKING:
    from functions.processor.formats.incoming import Incoming, Reading

MEDIA_TYPE: Final = "application/pkcs7-mime"
SIGNED_DATA: Final = re.compile(
    rb"\x30(?:[\x00-\x80]|\x81.|\x82..|\x83...|\x84....)\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0",
    re.DOTALL,
)
ROOTS: Final = frozenset(
    f"{namespace} FatturaElettronica"
    for namespace in (
        "http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fatture/v1.2",
        "http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fatture/v1.0",
        "http://www.fatturapa.gov.it/sdi/fatturapa/v1.1",
        "http://www.fatturapa.gov.it/sdi/fatturapa/v1.0",
    )
)
CONTENT: Final = (0, 1, 0, 2, 1)
"""Where the signed document is, by the place of each element in the one around it."""

SIGNERS: Final = CONTENT[:3]
"""Where the list of signers is the last element, a set."""

OCTETS, SET = 0x04, 0x31
DEEPEST: Final = 64


@dataclass(kw_only=True)
class _Element:
    """An element that others are in. ``end`` is ``None`` until an end mark says it."""

    end: int | None
    place: int
    children: int = 0


class _SignedDocument:
    """Takes the pieces of the signed document, and passes them on in blocks of one size."""

    def __init__(self) -> None:
        self._document: Document | None = None
        self._collected = bytearray()

    def add(self, piece: memoryview, _: int) -> int:
        self._collected += piece
        while len(self._collected) > BLOCK_BYTES:
            self._pass_on(bytes(self._collected[:BLOCK_BYTES]))
            del self._collected[:BLOCK_BYTES]
        return 0

    def finish(self) -> None:
        try:
            self._pass_on(bytes(self._collected), final=True)
        except CutDocumentError:
            raise DamagedFileError("has an invoice in its signature that isn't whole") from None

    def _pass_on(self, block: bytes, *, final: bool = False) -> None:
        self._document = self._document or Document(block, ROOTS)
        if self._document.feed(block, final=final) is not None:
            raise DamagedFileError("has something else after the invoice that is signed")


def _recognise(head: bytes) -> str | None:
    return MEDIA_TYPE if SIGNED_DATA.match(head) else None


def _read(file: Incoming) -> Reading[Whole]:
    content, around, is_signed = _SignedDocument(), [_Element(end=None, place=0)], False
    file.at("inside its header")
    try:
        while True:
            _leave(file, around)
            if len(around) == 1 and around[0].children:
                break
            place = tuple(each.place for each in around[1:])
            tag = yield from _read_element(file, around, content)
            is_signed |= place == SIGNERS and tag == SET and around[len(place)].children > len(SIGNERS)
        content.finish()
    except OtherDocumentError:
        return Whole(media_type=None)
    if not is_signed:
        raise DamagedFileError(f"ends after {file.position:,} bytes, without a signature")
    return Whole(media_type=MEDIA_TYPE)


def _leave(file: Incoming, around: list[_Element]) -> None:
    """Leave the elements that end here. None may reach beyond the one around it."""
    while len(around) > 1 and (end := around[-1].end) is not None and file.position >= end:
        if file.position > end:
            raise DamagedFileError(f"has an element that ends after byte {end:,}, beyond the one around it")
        around.pop()


def _read_element(file: Incoming, around: list[_Element], content: _SignedDocument) -> Reading[int]:
    """Read one element, or the beginning of one that others are in. Return its tag."""
    start, parent = file.position, around[-1]
    tag = yield from file.number(1, "big")
    length = yield from _read_length(file)
    if tag == 0 and length == 0 and len(around) > 1 and parent.end is None:
        around.pop()
        return tag
    place, parent.children = parent.children, parent.children + 1
    if tag & 0x1F == 0x1F or (length is None and not tag & 0x20) or len(around) > DEEPEST:
        raise DamagedFileError(f"has something other than an element of CMS at byte {start:,}")
    file.at(f"inside the element at byte {start:,}", length)
    if tag & 0x20:
        end = None if length is None else file.position + length
        around.append(_Element(end=end, place=place))
    else:
        is_content = tag == OCTETS and tuple(each.place for each in around[1:])[: len(CONTENT)] == CONTENT
        yield from file.skip(length or 0, content.add if is_content else None)
    return tag


def _read_length(file: Incoming) -> Reading[int | None]:
    """Return the length of an element, or ``None`` if an end mark follows its content."""
    first = yield from file.number(1, "big")
    if first < 0x80:
        return first
    if first == 0x80:
        return None
    if first > 0x88:
        raise DamagedFileError(f"has a length of {first & 0x7F} bytes at byte {file.position:,}")
    return (yield from file.number(first & 0x7F, "big"))


FORMAT: Final = Format(recognise=_recognise, read=_read)
