"""Electronic invoices, signed ones, and e-mails."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from functools import cache
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import NameOID

from tests.functions.formats.documents import pdf
from tests.functions.formats.samples import Sample

if TYPE_CHECKING:
    from collections.abc import Callable

XML, SIGNED, MESSAGE = "application/xml", "application/pkcs7-mime", "message/rfc822"
UBL = "urn:oasis:names:specification:ubl:schema:xsd:"
CII = "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100"
ZUGFERD = "urn:ferd:CrossIndustryDocument:invoice:1p0"
FATTURA = "http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fatture/v1.2"


def xml(root: str, namespace: str, encoding: str = "utf-8", note: str = "Grüße") -> bytes:
    text = (
        f'<?xml version="1.0" encoding="{encoding}"?>\n<!-- an invoice -->\n'
        f'<i:{root} xmlns:i="{namespace}" xmlns:c="urn:c">\n'
        f"  <c:ID>7</c:ID><c:Note><![CDATA[<{note}>]]></c:Note>\n  <c:Amount currency='EUR'>12.00</c:Amount>"
        f"<c:Attachment>{'QUJD' * 40}</c:Attachment>\n</i:{root}>\n"
    )
    return text.encode(encoding)


def invoice(encoding: str = "utf-8", note: str = "Grüße") -> bytes:
    return xml("Invoice", f"{UBL}Invoice-2", encoding, note)


@cache
def signed(content: bytes) -> bytes:
    """The content in a CMS SignedData, in DER."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "signer")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    builder = pkcs7.PKCS7SignatureBuilder().set_data(content).add_signer(certificate, key, hashes.SHA256())
    return builder.sign(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary])


def element(tag: int, content: bytes) -> bytes:
    length = len(content).to_bytes(4, "big")
    return bytes([tag, 0x84]) + length + content


def endless(tag: int, content: bytes) -> bytes:
    """An element of no definite length, which only BER has."""
    return bytes([tag, 0x80]) + content + b"\0\0"


def in_ber(der: bytes, content: bytes) -> bytes:
    """The same with elements of no definite length, and the content in pieces."""
    octets = b"\x04\x82" + len(content).to_bytes(2, "big") + content
    data = bytes.fromhex("06092a864886f70d010701")
    kind = bytes.fromhex("06092a864886f70d010702")
    before, after = der.split(octets)
    version = before[before.index(bytes.fromhex("0201")) :][:3]
    algorithms = before[before.index(version) + 3 : before.rindex(data)]
    algorithms = algorithms[: 2 + algorithms[1]]
    pieces = b"".join(b"\x04\x82" + len(p).to_bytes(2, "big") + p for p in (content[:300], content[300:]))
    encapsulated = endless(0x30, data + endless(0xA0, endless(0x24, pieces)))
    return endless(0x30, kind + endless(0xA0, endless(0x30, version + algorithms + encapsulated + after)))


def message(*, attach: bool, html: bool = False) -> bytes:
    made = EmailMessage()
    made["Received"] = "from mail.example.com by mx.example.com; Sun, 22 Nov 2026 10:00:01 +0000"
    made["From"], made["To"] = "shop@example.com", "office@example.com"
    made["Date"], made["Subject"] = "Sun, 22 Nov 2026 10:00:00 +0000", "Your receipt"
    made.set_content("Total: 12.00 EUR\n" * 5)
    if html:
        made.add_alternative("<p>Total: 12.00 EUR</p>", subtype="html")
    if attach:
        made.add_attachment(pdf(), maintype="application", subtype="pdf", filename="receipt.pdf")
    return made.as_bytes(policy=SMTP)


def samples() -> dict[str, Sample]:
    """All of them by name."""
    return {
        name: Sample(data=make(), media_type=media_type, typed_from=700)
        for media_type, made in _KINDS.items()
        for name, make in made.items()
    }


def _signed() -> bytes:
    return signed(xml("FatturaElettronica", FATTURA))


_KINDS: dict[str, dict[str, Callable[[], bytes]]] = {
    XML: {
        "ubl": invoice,
        "ubl, credit note": lambda: xml("CreditNote", f"{UBL}CreditNote-2"),
        "cii": lambda: xml("CrossIndustryInvoice", CII),
        "cii of ZUGFeRD 1": lambda: xml("CrossIndustryDocument", ZUGFERD),
        "ubl with a byte order mark": lambda: b"\xef\xbb\xbf" + invoice(),
        "ubl in UTF-16": lambda: invoice("utf-16"),
        "ubl in UTF-8, as ElementTree spells it": lambda: invoice("utf8"),
        "ubl in UTF-8, misspelled after a mark": lambda: b"\xef\xbb\xbf" + invoice("utf8"),
        "ubl in UTF-16LE": lambda: invoice("UTF-16LE"),
        "ubl in UTF-16BE": lambda: b"\xfe\xff" + invoice("UTF-16BE"),
        "ubl in Latin-1": lambda: invoice("iso-8859-1"),
        "ubl in Latin-1, by its short name": lambda: invoice("latin1"),
        "ubl in Windows-1252": lambda: invoice("windows-1252", "12 €"),
        "ubl in KOI8-R": lambda: invoice("koi8-r", "Счёт"),
        "ubl in Shift JIS": lambda: invoice("shift_jis", "領収書"),
        "ubl in GB 18030": lambda: invoice("gb18030", "发票"),
        "ubl in UTF-32": lambda: invoice("utf-32"),
        "ubl in EBCDIC": lambda: invoice("cp037").rstrip(b"%"),
    },
    SIGNED: {
        "p7m": _signed,
        "p7m in BER": lambda: in_ber(_signed(), xml("FatturaElettronica", FATTURA)),
    },
    MESSAGE: {
        "e-mail with a receipt": lambda: message(attach=True),
        "e-mail with alternatives": lambda: message(attach=False, html=True),
        "e-mail of both": lambda: message(attach=True, html=True),
    },
}
