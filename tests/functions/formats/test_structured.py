from __future__ import annotations

import pytest

from functions.processor.formats.xml import DEEPEST
from tests.functions.formats.samples import inspect
from tests.functions.formats.structured import (
    FATTURA,
    MESSAGE,
    SIGNED,
    UBL,
    XML,
    element,
    invoice,
    message,
    signed,
    xml,
)

DOCTYPE = b'<!DOCTYPE i [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;"><!ENTITY c SYSTEM "file:///etc/passwd">]>\n<i:'


@pytest.mark.claim(
    "an XML document with a document type declaration is not taken for an invoice, so nothing in it is "
    "expanded or loaded",
    section="Hostile input",
)
@pytest.mark.parametrize(
    "data",
    [
        invoice().replace(b"<i:", DOCTYPE, 1),
        invoice().replace(b"<i:", b'<!DOCTYPE i SYSTEM "http://example.com/i.dtd"><i:', 1),
        xml("Order", f"{UBL}Order-2"),
        xml("Invoice", f"{UBL}CreditNote-2"),
        xml("Invoice", "urn:other"),
        xml("FatturaElettronica", FATTURA),
        b"<!DOCTYPE html><html><body>Total</body></html>",
        b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        b"<p>12.00",
        *(
            invoice().replace(b"utf-8", name)
            for name in (b"zlib", b"rot13", b"idna", b"undefined", b"unicode_escape", b"cp1")
        ),
    ],
)
def test_other_documents_are_not_taken_for_invoices(data: bytes) -> None:
    said = inspect(data)

    assert (said.media_type, said.damage) == (None, None)


@pytest.mark.parametrize(
    ("data", "damage"),
    [
        (invoice().replace(b"</c:ID>", b"</c:Id>"), "isn't well-formed: mismatched tag"),
        (invoice().replace(b"7", b"&other;"), "isn't well-formed: undefined entity"),
        (invoice().replace(b"7", b"\xff"), "isn't well-formed: not well-formed"),
        (invoice().replace(b"<c:ID>", b"<d:ID>"), "isn't well-formed: unbound prefix"),
        (invoice("shift_jis", "x").replace(b"7", b"\x81\x00"), "isn't well-formed: 'shift_jis' codec"),
        (invoice().replace(b"7", b"<a>" * DEEPEST), "has more than 256 elements inside one another"),
        (invoice().replace(b"7", b"<!--" + b"x" * 2**19 + b"-->"), "has a tag or comment that is too long"),
    ],
)
def test_an_invoice_that_cannot_be_read_is_damaged(data: bytes, damage: str) -> None:
    said = inspect(data)

    assert said.media_type == XML
    assert said.damage
    assert said.damage.startswith(damage)


@pytest.mark.parametrize(
    "element", ["<a{}/>", "<a b{}=''/>", "<a xmlns:p{}='urn:x'/>", "<a xmlns='urn:{}'/>"]
)
def test_an_invoice_with_too_many_names_is_damaged(element: str) -> None:
    many = "".join(element.format(number) for number in range(5000)).encode()

    assert inspect(invoice().replace(b"7", many)).damage == "has too many different names"
    assert inspect(invoice().replace(b"7", many[: len(many) // 100])).media_type == XML


def test_an_invoice_with_names_that_are_too_long_is_damaged() -> None:
    many = "".join(f"<a{number:01000}/>" for number in range(400)).encode()

    assert inspect(invoice().replace(b"7", many)).damage == "has too many different names"


def test_a_long_text_is_read() -> None:
    assert inspect(invoice().replace(b"QUJD", b"QUJD" * 2**16)).damage is None


SIGNATURE = bytes.fromhex("06092a864886f70d010702")
DATA = element(0x30, bytes.fromhex("06092a864886f70d010701"))


def cms(*parts: bytes) -> bytes:
    return element(0x30, SIGNATURE + element(0xA0, element(0x30, b"\x02\x01\x01\x31\x00" + b"".join(parts))))


def content(data: bytes) -> bytes:
    return element(0x30, DATA[6:] + element(0xA0, element(0x04, data)))


FATTURA_XML = xml("FatturaElettronica", FATTURA)


@pytest.mark.parametrize(
    "data",
    [signed(invoice()), signed(b"Total: 12.00"), signed(b"%PDF-1.7"), cms(DATA, b"\x31\x00")],
    ids=["UBL", "text", "PDF", "nothing"],
)
def test_what_else_is_signed_is_not_taken_for_an_invoice(data: bytes) -> None:
    said = inspect(data)

    assert (said.media_type, said.damage) == (None, None)


@pytest.mark.parametrize(
    ("data", "damage"),
    [
        (cms(content(FATTURA_XML)), "without a signature"),
        (cms(content(FATTURA_XML[:-20]), b"\x31\x00"), "isn't whole"),
        (cms(content(FATTURA_XML + b"more"), b"\x31\x00"), "after the invoice"),
        (cms(content(FATTURA_XML).replace(b"\x04\x84\x00", b"\x04\x84\x01"), b"\x31\x00"), "should have"),
        (cms(b"\x30\x03\x04\x05abcde", b"\x31\x00"), "beyond the one around it"),
        (cms(content(FATTURA_XML), b"\x1f\x01\x00"), "something other than an element"),
        (cms(content(FATTURA_XML), b"\x04\x80"), "something other than an element"),
        (cms(b"\x30\x80" * 99), "something other than an element"),
    ],
)
def test_a_signed_invoice_that_is_not_whole_is_damaged(data: bytes, damage: str) -> None:
    said = inspect(data)

    assert said.media_type == SIGNED
    assert said.damage
    assert damage in said.damage


def test_a_signed_invoice_is_one_with_content_and_a_set_of_signers() -> None:
    assert inspect(cms(content(FATTURA_XML), b"\x31\x00")).damage is None


@pytest.mark.parametrize("field", [b"From", b"Date"])
def test_a_text_without_what_each_message_has_is_not_one(field: bytes) -> None:
    assert inspect(message(attach=True)).media_type == MESSAGE
    assert inspect(message(attach=True).replace(field + b":", b"X-Other:")).media_type is None


def test_a_message_of_one_part_has_no_end() -> None:
    whole = message(attach=False)

    assert inspect(whole).media_type == MESSAGE
    assert inspect(whole[:-20]).damage is None
    assert "inside its header" in str(inspect(whole[:200]).damage)


@pytest.mark.parametrize(
    "header", [b'multipart/mixed;\r\n boundary="a b"', b"multipart/mixed; x=y;\r\n\tz=1;\r\n boundary=a.b"]
)
def test_the_boundary_of_a_message_is_found(header: bytes) -> None:
    start = (
        b"From: a@example.com\r\nDate: today\r\nContent-Type: "
        + header
        + b"\r\n\r\n--a b\r\n\r\ntext\r\n--a.b"
    )

    assert "before the boundary" in str(inspect(start).damage)
    assert inspect(start + b"--\r\n--a b--\r\n").damage is None
