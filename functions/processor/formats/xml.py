"""Electronic invoices in XML 1.0, well-formed to their end: UBL 2, and UN/CEFACT's Cross Industry Invoice.

They aren't validated against a schema. A document with a document type declaration isn't taken for an
invoice, so there is no entity to expand and nothing external to load.
"""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, Final
from xml.parsers import expat

from functions.processor.formats.format import Format, Whole
from functions.processor.formats.incoming import PADDING, DamagedFileError

if TYPE_CHECKING:
    from functions.processor.formats.incoming import Incoming, Reading

UBL: Final = "urn:oasis:names:specification:ubl:schema:xsd:"
UBL_ROOTS: Final = ("Invoice", "CreditNote", "DebitNote", "SelfBilledInvoice", "SelfBilledCreditNote")
INVOICES: Final = frozenset(
    {
        *(f"{UBL}{root}-2 {root}" for root in UBL_ROOTS),
        "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100 CrossIndustryInvoice",
        "urn:ferd:CrossIndustryDocument:invoice:1p0 CrossIndustryDocument",
    }
)
"""The namespace and the name of their roots. The last is CII as ZUGFeRD 1.0 has it."""

DEEPEST: Final = 256
BLOCK_BYTES: Final = 64 * 1024
LONGEST_MARKUP: Final = 4 * BLOCK_BYTES
"""expat keeps a tag or a comment until it has all of it, and begins anew with each block."""

MOST_NAMES: Final = 4096
MOST_NAME_CHARACTERS: Final = 256 * 1024
"""expat keeps the name of each element, attribute and prefix, but only once."""

NATIVE: Final = frozenset({"utf-8", "utf-16", "utf-16le", "utf-16be", "us-ascii", "iso-8859-1"})
"""What expat decodes by itself."""

WIDE: Final = {
    b"\xff\xfe\0\0": "utf-32",
    b"\0\0\xfe\xff": "utf-32",
    b"<\0\0\0": "utf-32-le",
    b"\0\0\0<": "utf-32-be",
    b"\x4c\x6f\xa7\x94": "cp037",
}
"""How files begin in encodings of which expat can't even read the declaration (XML 1.0, appendix F)."""

DECLARATION: Final = re.compile(rb"<\?xml[^>]{1,200}?encoding\s{0,9}=\s{0,9}[\"']([A-Za-z0-9._:-]{1,40})")
ENCODINGS: Final = re.compile(
    r"(?:iso|latin|windows|cp|ibm|koi8|euc|gb|big5|shift|mac|tis|utf8|utf-32)[\w:.-]*"
)
"""Those of texts. Python, which expat asks for any other, has codecs for more than that."""

TOO_EARLY: Final = frozenset(
    expat.errors.codes[each]
    for each in (
        expat.errors.XML_ERROR_NO_ELEMENTS,
        expat.errors.XML_ERROR_UNCLOSED_TOKEN,
        expat.errors.XML_ERROR_PARTIAL_CHAR,
        expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION,
    )
)


class OtherDocumentError(Exception):
    """The document has another root, or a document type declaration, or isn't XML at all."""


class CutDocumentError(Exception):
    """The document ends before its first element is closed."""


class Document:
    """Takes the bytes of a document in blocks, of which all but the last have the same size.

    What is wrong with it raises OtherDocumentError until its root is known to be one of ``roots``, and
    DamagedFileError or CutDocumentError after that.
    """

    def __init__(self, head: bytes, roots: frozenset[str]) -> None:
        self._roots = roots
        self._known = False
        self._depth = 0
        self._size = 0
        encoding = _other_encoding(head)
        self._decoder = codecs.getincrementaldecoder(encoding)() if encoding else None
        self._parser = expat.ParserCreate("utf-8" if encoding else None, namespace_separator=" ")
        self._namespaces: set[str | None] = set()
        self._parser.StartNamespaceDeclHandler = self._take_namespace
        self._parser.XmlDeclHandler = self._check_encoding
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.StartElementHandler = self._open
        self._parser.EndElementHandler = self._close

    def feed(self, block: bytes, *, final: bool = False) -> int | None:
        """Take a block. Return where in it the document ends, if something else follows."""
        before, text = self._size, block
        try:
            if self._decoder:
                text = self._decode(self._decoder, block, final=final)
            self._size += len(text)
            self._parser.Parse(text, final)
        except (expat.ExpatError, ValueError, LookupError) as error:
            if self._known and not self._depth:
                rest = max(self._parser.ErrorByteIndex - before, 0)
                if self._decoder:
                    return 0 if text[rest:].strip(PADDING) else len(block)
                return rest
            raise self._explained(error, final=final) from error
        if self._size - max(self._parser.CurrentByteIndex, 0) > LONGEST_MARKUP:
            raise self._error("has a tag or comment that is too long")
        names = [each for each in (*self._parser.intern, *self._namespaces) if each]
        if len(names) > MOST_NAMES or sum(map(len, names)) > MOST_NAME_CHARACTERS:
            raise self._error("has too many different names")
        return None

    def _decode(self, decoder: codecs.IncrementalDecoder, block: bytes, *, final: bool) -> bytes:
        try:
            return decoder.decode(block, final).encode()
        except UnicodeDecodeError as error:
            self._parser.Parse(error.object[: error.start].decode(error.encoding).encode())
            raise

    def _open(self, name: str, _: object) -> None:
        self._depth += 1
        if not self._known:
            if name not in self._roots:
                raise OtherDocumentError
            self._known = True
        if self._depth > DEEPEST:
            raise DamagedFileError(f"has more than {DEEPEST:,} elements inside one another")

    def _take_namespace(self, prefix: str | None, name: str | None) -> None:
        self._namespaces |= {prefix, name}

    def _close(self, _: str) -> None:
        self._depth -= 1

    def _check_encoding(self, _: object, encoding: str | None, __: object) -> None:
        name = (encoding or "utf-8").lower()
        if name not in NATIVE and not ENCODINGS.fullmatch(name):
            raise OtherDocumentError

    def _refuse(self, *_: object) -> None:
        raise OtherDocumentError

    def _explained(self, error: Exception, *, final: bool) -> Exception:
        is_cut = isinstance(error, UnicodeError) or getattr(error, "code", None) in TOO_EARLY
        if final and is_cut and self._known:
            return CutDocumentError()
        return self._error(f"isn't well-formed: {error}")

    def _error(self, detail: str) -> Exception:
        return DamagedFileError(detail) if self._known else OtherDocumentError()


def _other_encoding(head: bytes) -> str | None:
    """Return the encoding of a document, unless expat can tell and decode it."""
    for start, encoding in WIDE.items():
        if head.startswith(start):
            return encoding
    has_mark = head.startswith(codecs.BOM_UTF8)
    found = DECLARATION.match(head.removeprefix(codecs.BOM_UTF8))
    name = found[1].decode().lower() if found else "utf-8"
    if name in NATIVE or not ENCODINGS.fullmatch(name):
        return None
    try:
        return "utf-8" if has_mark else codecs.lookup(name).name
    except LookupError:
        return None


def _recognise(head: bytes) -> str | None:
    start = head.lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n")
    return "application/xml" if start.startswith((b"<", b"\x4c\x6f\xa7\x94")) else None


def _read(file: Incoming) -> Reading[Whole]:
    document = Document((yield from file.peek(1024)), INVOICES)
    file.at("before its first element is closed")
    end = None
    try:
        while end is None and (block := (yield from file.peek(BLOCK_BYTES))):
            end = document.feed(block)
            yield from file.skip(len(block) if end is None else end)
        if end is None:
            document.feed(b"", final=True)
    except OtherDocumentError:
        return Whole(media_type=None)
    except CutDocumentError:
        raise file.cut() from None
    return Whole(media_type="application/xml")


FORMAT: Final = Format(recognise=_recognise, read=_read)
