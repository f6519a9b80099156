from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.fake_stack import FakeStack

FIRST = hashlib.sha256(b"first").hexdigest()


@pytest.fixture(autouse=True)
def _entries(stack: FakeStack) -> None:
    for key, body in (("a.png", b"first"), ("b.png", b"first"), ("empty.png", b"")):
        stack.store(key, body)


def test_file_is_shown_by_its_fingerprint_with_its_duplicates(caller: Run, folder: Path) -> None:
    ran = caller("show", folder / "copy.png")

    assert ran.code == 0
    fields = dict(line.split(maxsplit=1) for line in ran.out.split("\n\n")[0].splitlines())
    assert fields["fingerprint"] == FIRST
    assert fields["key"] == "a.png"
    assert fields["uploader"] == "AWS:AIDAEXAMPLE"
    assert "1 duplicate\n" in ran.out
    assert "b.png" in ran.out


@pytest.mark.parametrize(
    ("caller_names", "shown"),
    [
        ({"principal": "arn:aws:iam::1:user/erika"}, "arn:aws:iam::1:user/erika"),
        ({"issuer": "https://login.example/", "subject": "erika"}, "erika of https://login.example/"),
    ],
)
def test_form_shows_who_asked_for_it(
    caller: Run, stack: FakeStack, folder: Path, caller_names: dict[str, str], shown: str
) -> None:
    names = {"principal": None, "issuer": None, "subject": None, **caller_names}
    uploader = {"principal": "AWS:AROAEXAMPLE:f", "source_ip": "192.0.2.1", "via": "form", "caller": names}
    for recorded in stack.entries:
        recorded["uploader"] = uploader

    receipt, duplicates = caller("show", folder / "copy.png").out.split("\n\n")

    fields = dict(line.split(maxsplit=1) for line in receipt.splitlines())
    assert (fields["uploader"], fields["via"]) == (shown, "form")
    assert shown in duplicates


def test_what_was_read_in_a_file_is_shown(caller: Run, stack: FakeStack, folder: Path) -> None:
    receipt, _ = stack.entries[::-1][:2]
    receipt["findings"] = ["encrypted", "trailing_data"]
    damaged = {"reason": "damaged", "detail": "ends after 5 bytes, before startxref and %%EOF"}
    stack.entries.append({**receipt, "outcome": "REJECTED", "findings": [], **damaged})

    shown, _, rejections = caller("show", folder / "copy.png").out.split("\n\n")

    fields = dict(line.split(maxsplit=1) for line in shown.splitlines())
    assert fields["findings"] == "encrypted, trailing_data"
    assert "damaged: ends after 5 bytes, before startxref and %%EOF" in rejections


def test_entry_of_the_last_release_is_shown_without_what_it_does_not_have(
    caller: Run, stack: FakeStack, folder: Path
) -> None:
    for recorded in stack.entries:
        del recorded["findings"]
        recorded["uploader"] = {"principal": "AWS:AIDAEXAMPLE", "source_ip": "192.0.2.1"}

    fields = dict(
        line.split(maxsplit=1)
        for line in caller("show", folder / "copy.png").out.split("\n\n")[0].splitlines()
    )

    assert (fields["uploader"], fields["via"]) == ("AWS:AIDAEXAMPLE", "-")
    assert fields["findings"] == "-"


def test_duplicate_that_restores_the_receipt_says_so(caller: Run, stack: FakeStack, folder: Path) -> None:
    assert "restores it" not in caller("show", folder / "copy.png").out
    next(each for each in stack.entries if each["outcome"] == "DUPLICATE")["restores"] = True

    assert caller("show", folder / "copy.png").out.count("restores it") == 1
    assert "of a.png; restores it" in caller("receipts").out


def test_fingerprint_is_taken_in_either_case(caller: Run) -> None:
    ran = caller("show", FIRST.upper(), "--json")

    history = json.loads(ran.out)
    assert history["receipt"]["key"] == "a.png"
    assert [item["key"] for item in history["duplicates"]] == ["b.png"]


def test_fingerprint_that_was_only_rejected_is_said_to_be_never_accepted(caller: Run, folder: Path) -> None:
    ran = caller("show", folder / "empty.pdf")

    assert ran.code == 0
    assert "was never accepted" in ran.out
    assert "1 rejection\n" in ran.out


def test_unknown_fingerprint_is_said_and_fails(caller: Run) -> None:
    assert f"has no entry for {'f' * 64}\n" in caller("show", "f" * 64).error()


def test_unknown_file_is_named_beside_its_fingerprint(caller: Run, folder: Path) -> None:
    file = folder / "2026" / "größe+1%.pdf"
    error = caller("show", file).error()
    assert f"has no entry for {hashlib.sha256(b'second').hexdigest()} ({file})" in error


def test_file_called_like_a_fingerprint_is_taken_as_the_file_and_that_is_said(
    caller: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ("f" * 64)).write_bytes(b"first")
    ran = caller("show", "f" * 64)

    assert ran.code == 0
    assert "showing the file" in ran.err
    assert FIRST in ran.out


@pytest.mark.parametrize("subject", ["nowhere.png", "abc123", "g" * 64, "."])
def test_what_is_neither_file_nor_fingerprint_is_refused(caller: Run, subject: str) -> None:
    error = caller("show", subject).error()
    assert f"'{subject}' is neither a file nor a fingerprint (64 hexadecimal digits)" in error
