"""What isn't noticed, as docs/security.md says among the residual risks."""

from __future__ import annotations

import pikepdf
import pytest

from functions.contract.entry import ContentFinding
from tests.functions.formats.documents import pdf, run_script, updated
from tests.functions.formats.images import saved
from tests.functions.formats.samples import inspect


@pytest.mark.parametrize("kind", ["JPEG", "GIF", "WEBP", "TIFF", "BMP"])
def test_changed_pixels_are_not_noticed(kind: str) -> None:
    whole = saved(kind)
    at = len(whole) - 20

    assert inspect(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]) == inspect(whole)


def test_a_pdf_that_is_cut_at_the_end_of_an_earlier_version_is_that_version() -> None:
    first = pdf()

    assert inspect(updated(first)[: len(first)]) == inspect(first)


def test_a_script_in_an_object_stream_with_another_filter_is_not_found() -> None:
    written = b"<</S/JavaScript/JS(app.alert(1))>>\n"
    stream = b"<</Type/ObjStm/Filter/ASCIIHexDecode>>stream\n%b>\nendstream\n" % written.hex().encode()

    assert inspect(b"%PDF-1.7\n" + written + pdf()).findings == (ContentFinding.ACTIVE_CONTENT,)
    assert inspect(b"%PDF-1.7\n" + stream + pdf()).findings == ()


def test_a_script_in_an_encrypted_object_stream_is_not_found() -> None:
    in_streams = {"object_stream_mode": pikepdf.ObjectStreamMode.generate}
    locked = {"encryption": pikepdf.Encryption(owner="owner", user="user")}

    assert inspect(pdf(run_script, **in_streams)).findings == (ContentFinding.ACTIVE_CONTENT,)
    assert inspect(pdf(run_script, **in_streams, **locked)).findings == (ContentFinding.ENCRYPTED,)
