from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from cli.caller import download
from tests.cli.conftest import Run
from tests.cli.fake_stack import Answer, FakeStack, s3_error

FIRST = b"first" * 1000
FINGERPRINT = hashlib.sha256(FIRST).hexdigest()
OTHER = hashlib.sha256(b"#! other").hexdigest()


@pytest.fixture(autouse=True)
def _receipts(stack: FakeStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, body in (("2026/Größe 1.png", FIRST), ("again.png", FIRST), ("notes.txt", b"#! other")):
        stack.store(key, body)
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)


def here() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path().iterdir()}


def test_file_is_saved_under_the_last_part_of_its_key(caller: Run, stack: FakeStack) -> None:
    ran = caller("get", FINGERPRINT)

    assert (ran.code, ran.err) == (0, "")
    assert here() == {"Größe 1.png": FIRST}
    assert ran.out == "saved Größe 1.png (5.0 kB), with the fingerprint in the ledger\n"
    assert "secret" not in ran.out
    assert stack.requests[-2:] == [f"GET /files/{FINGERPRINT}", "GET /file/v1?signature=secret"]


def test_holder_of_a_token_gets_a_file_and_sends_the_token_to_the_api_alone(
    caller: Run, stack: FakeStack
) -> None:
    stack.auth = "jwt"

    assert caller("get", FINGERPRINT, "--token", stack.token).code == 0
    assert here() == {"Größe 1.png": FIRST}


@pytest.mark.parametrize(
    ("version", "name"), [("v2", "again.png"), ("v1", "Größe 1.png")], ids=["duplicate", "receipt"]
)
def test_version_chooses_among_the_uploads_of_a_fingerprint(caller: Run, version: str, name: str) -> None:
    assert caller("get", FINGERPRINT, "--version", version).code == 0
    assert here() == {name: FIRST}


@pytest.mark.parametrize("arguments", [(OTHER,), (OTHER, "--version", "v3"), ("notes.txt",)])
def test_rejected_upload_is_saved_as_well(caller: Run, arguments: tuple[str, ...]) -> None:
    assert caller("get", *arguments).code == 0
    assert here() == {"notes.txt": b"#! other"}


@pytest.mark.parametrize(
    ("text", "name"),
    [(FINGERPRINT[:8], "Größe 1.png"), ("2026/Größe 1.png", "Größe 1.png"), ("again.png", "again.png")],
)
def test_receipt_is_named_by_digits_or_a_key(caller: Run, text: str, name: str) -> None:
    assert caller("get", text).code == 0
    assert here() == {name: FIRST}


def test_upload_that_was_not_read_cannot_be_checked(caller: Run, stack: FakeStack) -> None:
    stack.store("large.png", b"x" * 6000)
    stack.entries[0]["fingerprint"] = None

    assert "has no fingerprint to check it against" in caller("get", "large.png").error()
    assert here() == {}


def test_file_is_compared_with_what_was_asked_for_and_not_with_the_answer(
    caller: Run, stack: FakeStack
) -> None:
    link = {**stack.entries[0], "url": f"{stack.url}/file/v3"}
    stack.planned.append((f"GET /files/{FINGERPRINT}", Answer(200, link)))

    assert FINGERPRINT in caller("get", FINGERPRINT).refusal()
    assert here() == {}


@pytest.mark.parametrize(("output", "path"), [("x.png", "x.png"), ("folder", "folder/Größe 1.png")])
def test_output_is_a_file_or_a_folder(caller: Run, output: str, path: str) -> None:
    Path("folder").mkdir()

    assert caller("get", FINGERPRINT, "-o", output).code == 0
    assert Path(path).read_bytes() == FIRST


def test_file_goes_to_stdout_alone(caller: Run) -> None:
    ran = caller("get", FINGERPRINT, "-o", "-")

    assert (ran.code, ran.err, here()) == (0, "", {})
    assert ran.out.encode() == FIRST


def test_several_files_are_saved_and_a_failure_does_not_stop_the_others(caller: Run) -> None:
    ran = caller("get", "0" * 64, FINGERPRINT, "--json")

    assert ran.code == 1
    assert f"{'0' * 64}: the ledger at" in ran.err
    assert here() == {"Größe 1.png": FIRST}
    answer = json.loads(ran.out)
    assert answer["failed"] == 1
    assert answer["saved"] == [
        {
            "path": "Größe 1.png",
            "bucket": "uploads",
            "key": "2026/Größe 1.png",
            "version_id": "v1",
            "fingerprint": FINGERPRINT,
            "size_bytes": len(FIRST),
            "media_type": "image/png",
        }
    ]


@pytest.mark.parametrize("links", [True, False])
def test_nothing_is_overwritten_without_force(
    caller: Run, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", _refuse)
    Path("Größe 1.png").write_bytes(b"mine")

    assert "exists already: give another name with -o, or --force" in caller("get", FINGERPRINT).refusal()
    assert here() == {"Größe 1.png": b"mine"}
    assert caller("get", FINGERPRINT, "--force").code == 0
    assert here() == {"Größe 1.png": FIRST}


@pytest.mark.parametrize("links", [True, False])
def test_file_that_appears_during_the_download_is_not_overwritten(
    caller: Run, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", _refuse)
    fetch = download._fetch

    def fetch_slowly(*given: Any) -> None:
        fetch(*given)
        Path("Größe 1.png").write_bytes(b"mine")

    monkeypatch.setattr(download, "_fetch", fetch_slowly)

    assert "exists already" in caller("get", FINGERPRINT).refusal()
    assert here() == {"Größe 1.png": b"mine"}


def _refuse(*_: object) -> None:
    raise PermissionError(1, "no hard links here")


@pytest.mark.parametrize("body", [FIRST[:-1], FIRST + b"x", b"x" * len(FIRST), b""])
@pytest.mark.parametrize("output", [(), ("-o", "-"), ("--force",)])
@pytest.mark.claim(
    "`bill-e get` keeps nothing of a file whose bytes don't have the fingerprint in the ledger",
    section="Only what is true enters the ledger",
)
def test_changed_file_leaves_nothing(
    caller: Run, stack: FakeStack, body: bytes, output: tuple[str, ...]
) -> None:
    stack.objects["2026/Größe 1.png", "v1"] = body

    said = caller("get", FINGERPRINT, *output).refusal()

    assert "is NOT what the ledger recorded" in said
    assert FINGERPRINT in said
    assert here() == {}


def test_more_bytes_than_the_ledger_says_are_not_downloaded(
    caller: Run, stack: FakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "CHUNK_BYTES", 1000)
    fetch, written = download._fetch, []

    def counted(*given: Any) -> None:
        try:
            fetch(*given)
        finally:
            written.append(given[-1].tell())

    monkeypatch.setattr(download, "_fetch", counted)
    stack.objects["2026/Größe 1.png", "v1"] = FIRST + b"x" * 3000

    caller("get", FINGERPRINT).refusal()
    assert written == [len(FIRST) + 1000]


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (s3_error(403, "AccessDenied", "Request has expired"), "Request has expired (AccessDenied)"),
        (s3_error(404, "NoSuchVersion", "It is gone"), "S3 refused to return it: It is gone (NoSuchVersion)"),
    ],
)
def test_refusal_of_s3_is_told(caller: Run, stack: FakeStack, answer: Answer, sentence: str) -> None:
    stack.planned.append(("GET /file/", answer))

    assert sentence in caller("get", FINGERPRINT).refusal()
    assert here() == {}


def test_connection_that_breaks_off_leaves_nothing(caller: Run, stack: FakeStack) -> None:
    broken = Answer(200, FIRST, headers={"Content-Length": str(len(FIRST) + 1)})
    stack.planned.append(("GET /file/", broken))

    assert "the download broke off" in caller("get", FINGERPRINT).refusal()
    assert here() == {}


@pytest.mark.parametrize("command", ["get", "open"])
def test_denial_names_the_policy_that_allows_it(caller: Run, stack: FakeStack, command: str) -> None:
    stack.planned.append((f"GET /files/{FINGERPRINT}", Answer(403, {"message": "Forbidden"})))

    said = caller(command, FINGERPRINT).refusal()
    assert "the stack's output auditor_policy allows this route (execute-api:Invoke)" in said


def test_folder_that_is_not_there_is_named(caller: Run) -> None:
    assert "nowhere" in caller("get", FINGERPRINT, "-o", "nowhere/x.png").refusal()


def test_folder_that_ends_in_a_slash_is_made(caller: Run, tmp_path: Path) -> None:
    assert caller("get", FINGERPRINT, "-o", f"{tmp_path}/new/deep/").code == 0
    assert len([*(tmp_path / "new" / "deep").iterdir()]) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("a", "b", "--version", "v1"),
        ("a", "b", "-o", "-"),
        ("a", "-o", "-", "--json"),
        ("a", "b", "-o", "not-a-folder"),
    ],
)
def test_options_that_do_not_fit_are_refused(caller: Run, arguments: tuple[str, ...]) -> None:
    assert caller("get", *arguments).code == 2
    assert here() == {}


@pytest.mark.parametrize("key", ["../../escape.png", "/etc/passwd", "..", "a/\x1b[2J", "-rf", "NUL.png"])
def test_key_of_a_hostile_uploader_stays_in_the_folder(caller: Run, stack: FakeStack, key: str) -> None:
    body = key.encode()
    stack.store(key, body)

    assert caller("get", hashlib.sha256(body).hexdigest()).code == 0
    (name,) = here()
    assert name.isprintable()
    assert not name.startswith((".", "-", "NUL"))
