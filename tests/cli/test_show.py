from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.fake_stack import FakeStack, entry

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


def test_duplicate_with_the_key_of_the_receipt_was_sent_again(
    caller: Run, stack: FakeStack, folder: Path
) -> None:
    assert "sent again" not in caller("show", folder / "copy.png").out
    stack.store("a.png", b"first")

    assert caller("show", folder / "copy.png").out.count("sent again") == 1


def test_fingerprint_is_taken_in_either_case(caller: Run) -> None:
    ran = caller("show", FIRST.upper(), "--json")

    history = json.loads(ran.out)
    assert history["receipt"]["key"] == "a.png"
    assert [item["key"] for item in history["duplicates"]] == ["b.png"]


def test_fingerprint_that_was_only_rejected_is_said_to_be_never_accepted(caller: Run, folder: Path) -> None:
    ran = caller("show", folder / "empty.pdf")

    assert ran.code == 0
    assert "was never accepted" in ran.out
    fields = dict(line.split(maxsplit=1) for line in ran.out.split("\n\n")[0].splitlines()[1:])
    assert (fields["reason"], fields["size"], fields["via"]) == ("empty", "0 B", "put")
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


@pytest.mark.parametrize("subject", ["nowhere.png", "abc123", "abcdef12", "g" * 64, "."])
def test_what_is_neither_file_nor_fingerprint_nor_key_is_refused(caller: Run, subject: str) -> None:
    error = caller("show", subject).error()
    assert f"'{subject}' is not a file, and the ledger at http://" in error
    assert "neither as a key nor as a fingerprint (64 hexadecimal digits, or the first 8 or more)" in error


@pytest.mark.parametrize("digits", [8, 12, 63])
def test_first_digits_of_a_fingerprint_are_enough(caller: Run, stack: FakeStack, digits: int) -> None:
    ran = caller("show", FIRST[:digits].upper(), "--json")

    assert json.loads(ran.out)["receipt"]["key"] == "a.png"
    assert stack.requests[-1] == f"GET /receipts/{FIRST}"


def test_digits_that_several_fingerprints_begin_with_are_refused_with_all_of_them(
    caller: Run, stack: FakeStack
) -> None:
    twin = FIRST[:11] + "f" * 53
    stack.entries.append(entry(fingerprint=twin, key="other.pdf"))

    error = caller("show", FIRST[:8]).error()
    assert "give more digits" in error
    assert f"{FIRST} (b.png)" in error
    assert f"{twin} (other.pdf)" in error


def test_the_newest_upload_with_a_key_is_shown_and_it_is_said_that_there_may_be_others(
    caller: Run, stack: FakeStack
) -> None:
    stack.store("2026/a.png", b"longer key")
    stack.store("a.png", b"second version")

    ran = caller("show", "a.png")

    assert hashlib.sha256(b"second version").hexdigest() in ran.out
    older = next(each for each in stack.entries if each["key"] == "a.png" and each["fingerprint"] == FIRST)
    assert (
        f"note: the newest upload with the key a.png; older ones: {older['version_id']} "
        f"of {older['uploaded_at'][:19]}Z; `bill-e receipts --key` lists all"
    ) in ran.err


@pytest.mark.parametrize("subject", ["", "x" * 300, "x/" * 600, "not UTF-8: \udcff"])
def test_what_can_be_no_key_or_no_name_of_a_file_is_not_found(caller: Run, subject: str) -> None:
    assert "is not a file, and the ledger at http://" in caller("show", subject).error()


def test_a_key_may_be_longer_than_the_name_of_a_file(caller: Run, stack: FakeStack) -> None:
    stack.store("x" * 300, b"long name")

    assert hashlib.sha256(b"long name").hexdigest() in caller("show", "x" * 300).out


def test_duplicate_that_was_asked_for_by_its_key_comes_before_its_receipt(caller: Run) -> None:
    asked, receipt = caller("show", "b.png").out.split("which has the bytes of this receipt\n")

    assert "key          b.png" in asked
    assert "key          a.png" in receipt


def test_a_key_may_lack_the_upload_prefix(caller: Run, stack: FakeStack) -> None:
    stack.upload_prefix = "in/"
    stack.store("in/taxi.png", b"taxi")

    assert "in/taxi.png" in caller("show", "taxi.png").out


def test_a_file_that_was_rejected_unread_is_found_by_name_and_size(
    caller: Run, stack: FakeStack, tmp_path: Path
) -> None:
    large = tmp_path / "large.pdf"
    large.write_bytes(b"x" * 9_000)
    unread = {"fingerprint": None, "outcome": "REJECTED", "reason": "too_large", "media_type": None}
    stack.entries = [
        entry(key="old/large.pdf", size_bytes=9_001, version_id="other size", **unread),
        entry(key="in/enlarge.pdf", size_bytes=9_000, version_id="other name", **unread),
        entry(key="in/large.pdf", size_bytes=9_000, version_id="this one", **unread),
    ]

    for subject in (large, "in/large.pdf"):
        fields = dict(
            line.split(maxsplit=1) for line in caller("show", subject).out.split("\n\n")[0].splitlines()
        )
        assert (fields["reason"], fields["version"]) == ("too_large", "this one"), subject
    assert caller("show", large).err.endswith(
        "so nobody knows whether its bytes were the same; `bill-e receipts --key` lists all\n"
    )
    assert json.loads(caller("show", large, "--json").out)["entry"]["version_id"] == "this one"
