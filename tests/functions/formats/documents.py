"""PDF files as pikepdf and Pillow write them."""

from __future__ import annotations

import io
from functools import cache
from typing import TYPE_CHECKING, Any

import pikepdf
from pikepdf import Array, Dictionary, Name, String

from functions.contract.entry import ContentFinding
from tests.functions.formats.images import picture, saved
from tests.functions.formats.samples import Sample

if TYPE_CHECKING:
    from collections.abc import Callable

ENCRYPTED, ACTIVE = ContentFinding.ENCRYPTED, ContentFinding.ACTIVE_CONTENT
PRINTER_PROLOGUE = b"\x1b%-12345X@PJL JOB\r\n@PJL SET RESOLUTION=600\r\n@PJL ENTER LANGUAGE=PDF\r\n"
PROGRAM = b"MZ" + bytes(200)


@cache
def pdf(change: Callable[[pikepdf.Pdf], None] | None = None, /, **options: Any) -> bytes:
    """A PDF of two pages, with a change."""
    made = pikepdf.new()
    for _ in range(2):
        page = made.add_blank_page(page_size=(200, 300)).obj
        page.Contents = made.make_stream(b"BT /F1 12 Tf 20 200 Td (Total 12.00 EUR) Tj ET " * 8)
        page.Resources = Dictionary(XObject=Dictionary(Im1=scan(made)))
    if change:
        change(made)
    file = io.BytesIO()
    made.save(file, deterministic_id="encryption" not in options, **options)
    return file.getvalue()


def scan(into: pikepdf.Pdf) -> pikepdf.Object:
    return into.make_stream(
        saved("JPEG"),
        **{"/Type": Name.XObject, "/Subtype": Name.Image, "/Filter": Name.DCTDecode},
        **{"/Width": 40, "/Height": 30, "/ColorSpace": Name.DeviceRGB, "/BitsPerComponent": 8},
    )


def script(into: pikepdf.Pdf) -> pikepdf.Object:
    return into.make_indirect(Dictionary(S=Name.JavaScript, JS=String("app.alert(1)")))


def run_script(made: pikepdf.Pdf) -> None:
    made.Root.OpenAction = script(made)


def run_script_by_name(made: pikepdf.Pdf) -> None:
    scripts = Dictionary(Names=Array([String("1"), script(made)]))
    made.Root.Names = Dictionary(JavaScript=made.make_indirect(scripts))


def launch(made: pikepdf.Pdf) -> None:
    made.Root.OpenAction = Dictionary(S=Name.Launch, F=String("notes.txt"))


def embed(name: str, content: bytes) -> Callable[[pikepdf.Pdf], None]:
    def change(made: pikepdf.Pdf) -> None:
        made.attachments[name] = pikepdf.AttachedFileSpec(made, content, filename=name)

    return change


def updated(data: bytes) -> bytes:
    """The file with one more version of an object, appended as editors do it."""
    before = data[data.rindex(b"startxref") :].split()[1].decode()
    added = b"\n9 0 obj\n<< /Kind /Note >>\nendobj\n"
    table = f"xref\n9 1\n{len(data) + 1:010} 00000 n \ntrailer\n<< /Size 10 /Prev {before} >>\n"
    return data + added + f"{table}startxref\n{len(data) + len(added)}\n%%EOF\n".encode()


def samples() -> dict[str, Sample]:
    """All of them by name."""
    whole_from = {
        "pdf, updated": len(pdf(**_NO_OBJECTS).rstrip()),
        "pdf before zeros": len(pdf()),
        "pdf before something else": len(pdf().rstrip()),
    }
    return {
        name: Sample(
            data=make(), media_type="application/pdf", findings=findings, whole_from=whole_from.get(name)
        )
        for findings, made in _KINDS.items()
        for name, make in made.items()
    }


_OBJECTS: dict[str, Any] = {"object_stream_mode": pikepdf.ObjectStreamMode.generate}
_NO_OBJECTS: dict[str, Any] = {"object_stream_mode": pikepdf.ObjectStreamMode.disable}
_PASSWORD: dict[str, Any] = {"encryption": pikepdf.Encryption(owner="owner", user="user")}
_KINDS: dict[tuple[ContentFinding, ...], dict[str, Callable[[], bytes]]] = {
    (): {
        "pdf": lambda: pdf(**_NO_OBJECTS),
        "pdf with object streams": lambda: pdf(**_OBJECTS),
        "pdf, not compressed": lambda: pdf(compress_streams=False),
        "pdf, linearized": lambda: pdf(linearize=True),
        "pdf, linearized with object streams": lambda: pdf(linearize=True, **_OBJECTS),
        "pdf, updated": lambda: updated(pdf(**_NO_OBJECTS)),
        "pdf of Pillow": lambda: saved("PDF", save_all=True, append_images=[picture(shade=90)]),
        "pdf after blank lines": lambda: b"\r\n\n" + pdf(),
        "pdf after a printer's prologue": lambda: PRINTER_PROLOGUE + pdf(),
        "pdf after a byte order mark": lambda: b"\xef\xbb\xbf" + pdf(),
        "pdf before zeros": lambda: pdf() + bytes(2000),
        "pdf with a note": lambda: pdf(embed("note.txt", b"Thank you")),
        "pdf with a receipt": lambda: pdf(embed("invoice.xml", b"<Invoice/>"), **_OBJECTS),
        "pdf in a pdf": lambda: pdf(embed("receipt.pdf", pdf()), compress_streams=False),
    },
    (ENCRYPTED,): {
        "pdf, encrypted": lambda: pdf(**_PASSWORD),
        "pdf, encrypted with object streams": lambda: pdf(**_PASSWORD, **_OBJECTS),
        "pdf, encrypted and linearized": lambda: pdf(linearize=True, **_PASSWORD),
    },
    (ACTIVE,): {
        "pdf with a script": lambda: pdf(run_script, **_NO_OBJECTS),
        "pdf with a script in an object stream": lambda: pdf(run_script, **_OBJECTS),
        "pdf with a named script": lambda: pdf(run_script_by_name, linearize=True),
        "pdf that launches": lambda: pdf(launch),
        "pdf with a program": lambda: pdf(embed("invoice.bin", PROGRAM)),
        "pdf with a program, not compressed": lambda: pdf(
            embed("invoice.bin", PROGRAM), compress_streams=False
        ),
        "pdf with a program by name": lambda: pdf(embed("invoice.pdf.exe", b"?"), **_OBJECTS),
        "pdf with an escaped name": lambda: (
            pdf(run_script, **_NO_OBJECTS)
            .replace(b"/JavaScript", b"/J#61v#61Script")
            .replace(b"/JS", b"/#4aS")
        ),
    },
    (ACTIVE, ENCRYPTED): {
        "pdf with a script, encrypted": lambda: pdf(run_script, **_NO_OBJECTS, **_PASSWORD)
    },
    (ContentFinding.TRAILING_DATA,): {
        "pdf before something else": lambda: pdf() + b"PK\x03\x04" + bytes(500)
    },
}
