from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import BinaryIO

import pytest

from cli.caller.files import Found, LocalFile, fingerprint_of
from cli.caller.transfer import CountBytes, Failed, Result, Uploaded, upload_files
from tests.cli.conftest import Run
from tests.cli.fake_stack import BUCKET, TOKEN, Answer, FakeStack, problem, s3_error


def test_upload_with_wait_prints_the_outcome_of_each_file_and_the_totals(
    stack: FakeStack, caller: Run, folder: Path
) -> None:
    ran = caller("upload", folder, "--wait", "--concurrency", "1")

    assert ran.code == 0
    assert "4 uploads = 2 accepted + 1 duplicate + 1 rejected" in ran.out
    lines = {line.split()[0]: line for line in ran.out.splitlines()}
    assert "of a receipt.png" in lines["DUPLICATE"]
    assert "empty" in lines["REJECTED"]
    assert {key for key, _ in stack.objects} == {
        "a receipt.png",
        "copy.png",
        "2026/größe+1%.pdf",
        "empty.pdf",
    }
    assert stack.objects["2026/größe+1%.pdf", "v1"] == b"second"


def test_upload_without_wait_doesnt_ask_the_ledger(stack: FakeStack, caller: Run, folder: Path) -> None:
    ran = caller("upload", folder)

    assert ran.code == 0
    assert "4 uploaded" in ran.out
    assert not [request for request in stack.requests if request.startswith("GET")]


def test_upload_puts_the_prefix_of_the_stack_and_then_the_given_one_before_keys(
    stack: FakeStack, caller: Run, folder: Path
) -> None:
    stack.upload_prefix = "in/"

    assert caller("upload", folder / "copy.png", "--prefix", "2026/").code == 0
    assert [key for key, _ in stack.objects] == ["in/2026/copy.png"]


def test_one_missing_file_is_listed_and_fails_while_the_others_are_uploaded(
    caller: Run, folder: Path
) -> None:
    missing = folder / "gone.png"
    ran = caller("upload", missing, folder / "copy.png")

    assert ran.code == 1
    assert f"not uploaded: {missing}: there is no such file or folder" in ran.err
    assert "1 uploaded; 1 not uploaded" in ran.out


def test_what_is_skipped_is_printed_with_its_reason_and_counted(caller: Run, folder: Path) -> None:
    (folder / ".hidden.png").write_bytes(b"hidden")
    ran = caller("upload", folder)

    assert ran.code == 0
    assert f"skipped: {folder / '.hidden.png'}: hidden" in ran.err
    assert "4 uploaded; 1 skipped" in ran.out


def test_json_report_names_every_file_once_with_its_entry(caller: Run, folder: Path) -> None:
    (folder / ".hidden.png").write_bytes(b"hidden")
    ran = caller("upload", folder, folder / "gone", "--wait", "--json")

    report = json.loads(ran.out)
    assert [Path(item["path"]).name for item in report["uploads"]] == [
        "größe+1%.pdf",
        "a receipt.png",
        "copy.png",
        "empty.pdf",
    ]
    for item in report["uploads"]:
        entry = item["entry"]
        assert (entry["bucket"], entry["key"], entry["version_id"]) == (
            BUCKET,
            item["key"],
            item["version_id"],
        )
        assert item["stored_at"] == "2026-11-20T12:00:00.000000Z"
    assert [Path(item["path"]).name for item in report["failed"]] == ["gone"]
    assert [Path(item["path"]).name for item in report["skipped"]] == [".hidden.png"]
    assert report["totals"] == {
        "uploads": 4,
        "accepted": 2,
        "duplicate": 1,
        "rejected": 1,
        "pending": 0,
        "already_accepted": 0,
        "failed": 1,
        "skipped": 1,
    }


def test_uploads_without_outcome_at_the_timeout_are_listed_and_fail(
    stack: FakeStack, caller: Run, folder: Path
) -> None:
    stack.records = False
    ran = caller("upload", folder / "copy.png", "--wait", "--timeout", "0.01")

    assert ran.code == 1
    assert "NONE YET" in ran.out
    assert "1 upload = 0 accepted + 0 duplicate + 0 rejected + 1 without an outcome yet" in ran.out


def test_uploads_are_reported_also_when_the_ledger_refuses_to_answer(
    stack: FakeStack, caller: Run, folder: Path
) -> None:
    stack.planned.append(("GET /receipts", Answer(403, {"message": "Forbidden"})))
    ran = caller("upload", folder / "copy.png", "--wait")

    assert ran.code == 1
    assert "copy.png" in ran.out
    assert "access denied: Forbidden (403)" in ran.err


def test_denied_upload_is_explained_in_one_sentence(stack: FakeStack, caller: Run, folder: Path) -> None:
    stack.planned.append((f"PUT /{BUCKET}/", s3_error(403, "AccessDenied", "Access Denied")))
    ran = caller("upload", folder / "copy.png")

    assert ran.code == 1
    assert (
        "upload to bucket uploads: access denied: your IAM policy has to allow it (AccessDenied)" in ran.err
    )
    assert "Traceback" not in ran.err


def test_file_that_changes_between_fingerprint_and_upload_is_refused(
    stack: FakeStack, caller: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.caller.transfer.fingerprint_of", lambda _: "0" * 64)
    assert "the file has changed (BadDigest)" in caller("upload", folder / "copy.png").error()
    assert not stack.objects


def test_file_that_becomes_shorter_while_it_is_sent_fails_at_once(
    caller: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def truncate_after(stream: BinaryIO) -> str:
        digest = fingerprint_of(stream)
        os.truncate(folder / "copy.png", 2)
        return digest

    monkeypatch.setattr("cli.caller.transfer.fingerprint_of", truncate_after)
    assert "the file got shorter while it was being read" in caller("upload", folder / "copy.png").error()


def test_file_over_five_gibibytes_is_refused_with_the_limit(
    stack: FakeStack, caller: Run, tmp_path: Path
) -> None:
    huge = tmp_path / "huge.pdf"
    with huge.open("wb") as stream:
        stream.truncate(5 * 1024**3 + 1)  # Sparse: takes no space.
    error = caller("upload", huge).error()
    assert "5368709121 bytes are too many for one upload: 5368709120 (5 GiB) at most" in error
    assert not stack.requests


@pytest.mark.skipif(os.name != "posix", reason="only there can a name be no text")
def test_file_whose_name_is_no_text_fails_and_is_shown_escaped(caller: Run, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    (folder / os.fsdecode(b"caf\xe9.png")).write_bytes(b"x")
    assert "caf\\udce9.png: its name is not UTF-8" in caller("upload", folder).error()


COMPOSED, DECOMPOSED = "Caf\u00e9 M\u00fcller.png", "Cafe\u0301 Mu\u0308ller.png"
"""One name, as most systems write it and as macOS does."""


@pytest.mark.parametrize("auth", ["iam", "jwt"])
def test_decomposed_name_becomes_a_composed_key_by_both_ways(
    auth: str, stack: FakeStack, caller: Run, tmp_path: Path
) -> None:
    stack.auth = auth
    (tmp_path / DECOMPOSED).write_bytes(b"x")
    folder = {"iam": "Reise K\u00f6ln/", "jwt": "uploads/2026/11/20/0/"}[auth]
    options = {"iam": ["--prefix", "Reise Ko\u0308ln/"], "jwt": ["--token", TOKEN]}[auth]

    assert caller("upload", tmp_path / DECOMPOSED, *options, "--wait").code == 0

    assert [key for key, _ in stack.objects] == [f"{folder}{COMPOSED}"]


@pytest.mark.skipif(sys.platform == "darwin", reason="there the two names are one file")
def test_two_spellings_of_one_name_are_refused_before_anything_is_sent(
    stack: FakeStack, caller: Run, tmp_path: Path
) -> None:
    for name in ("a.png", COMPOSED, DECOMPOSED):
        (tmp_path / name).write_bytes(name.encode())

    error = caller("upload", tmp_path).error()

    assert all(ascii(str(tmp_path / name)) in error for name in (COMPOSED, DECOMPOSED))
    assert not stack.requests
    assert caller("upload", tmp_path / COMPOSED, tmp_path / "a.png").code == 0


@pytest.mark.skipif(sys.platform == "darwin", reason="there the two names are one file")
def test_with_jwt_two_spellings_of_one_name_get_a_key_each(
    stack: FakeStack, caller: Run, tmp_path: Path
) -> None:
    stack.auth = "jwt"
    for name in (COMPOSED, DECOMPOSED):
        (tmp_path / name).write_bytes(name.encode())

    ran = caller("upload", tmp_path / COMPOSED, tmp_path / DECOMPOSED, "--token", TOKEN)

    assert ran.code == 0
    assert len(stack.objects) == 2


def test_files_of_the_same_name_become_versions_of_one_key(
    stack: FakeStack, caller: Run, tmp_path: Path
) -> None:
    for folder in ("jan", "feb"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "taxi.png").write_bytes(folder.encode())

    assert caller("upload", tmp_path / "jan", tmp_path / "feb").code == 0
    assert [key for key, _ in stack.objects] == ["taxi.png", "taxi.png"]


def test_progress_is_plain_lines_on_stderr_where_there_is_no_terminal(caller: Run, folder: Path) -> None:
    ran = caller("upload", folder, "--wait")

    assert "uploaded: 4 of 4\n" in ran.err
    assert "outcomes: 4 of 4\n" in ran.err
    assert "\x1b" not in ran.err + ran.out


def test_an_empty_name_is_wrong_usage_and_not_the_current_folder(stack: FakeStack, caller: Run) -> None:
    assert "'' does not name a file or folder" in caller("upload", "").error(2)
    assert not stack.objects


def test_nothing_to_upload_is_said_and_fails(caller: Run, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert f"skipped: {empty}: the folder is empty\nnothing to upload" in caller("upload", empty).error()


def test_with_jwt_a_file_goes_through_a_form_and_gets_its_outcome(
    stack: FakeStack, caller: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.auth = "jwt"
    monkeypatch.setenv("BILL_E_TOKEN", TOKEN)
    ran = caller("upload", folder / "a receipt.png", "--wait")

    assert ran.code == 0, ran.err
    assert stack.objects == {("uploads/2026/11/20/0/a receipt.png", "v1"): b"first"}
    assert "1 upload = 1 accepted + 0 duplicate + 0 rejected" in ran.out


def test_with_jwt_bytes_that_were_accepted_before_are_not_sent_again(
    stack: FakeStack, caller: Run, folder: Path
) -> None:
    stack.auth = "jwt"
    stack.store("first.png", b"first")
    ran = caller("upload", folder / "copy.png", "--wait", "--token", TOKEN)

    assert ran.code == 0
    assert "ACCEPTED BEFORE" in ran.out
    assert "on 2026-11-20" in ran.out
    assert "0 uploads = 0 accepted + 0 duplicate + 0 rejected; 1 accepted before, not uploaded" in ran.out
    assert len(stack.objects) == 1


BAD_SIZE = {"field": "size_bytes", "value": "0", "allowed": "a whole number from 1"}


@pytest.mark.parametrize(
    ("start", "answer", "sentence"),
    [
        (
            "POST /uploads",
            problem(400, "invalid-parameter", "One is invalid.", errors=[BAD_SIZE]),
            "One is invalid.; size_bytes is '0', allowed: a whole number from 1 (400)",
        ),
        (
            "POST /form",
            s3_error(400, "EntityTooLarge", "Your upload is &gt; allowed"),
            "S3 refused it: Your upload is > allowed (EntityTooLarge)",
        ),
    ],
)
def test_with_jwt_a_refusal_by_the_api_or_s3_is_reported_with_its_reason(
    stack: FakeStack, caller: Run, folder: Path, start: str, answer: Answer, sentence: str
) -> None:
    stack.auth = "jwt"
    stack.planned.append((start, answer))
    assert sentence in caller("upload", folder / "copy.png", "--token", TOKEN).error()


def test_with_jwt_a_busy_storage_gets_the_whole_form_again(
    stack: FakeStack, caller: Run, folder: Path
) -> None:
    stack.auth = "jwt"
    busy = Answer(503, headers={"Retry-After": "0"})
    stack.planned += [("POST /form", busy), ("POST /form", busy)]
    ran = caller("upload", folder / "copy.png", "--token", TOKEN)

    assert ran.code == 0, ran.err
    assert list(stack.objects.values()) == [b"first"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "the stack's API takes a bearer token: give --token TOKEN or set BILL_E_TOKEN"),
        (("--token", "two words"), "the bearer token has characters that a token can't have"),
        (("--token", TOKEN, "--prefix", "x/"), "with 'jwt' the API chooses the keys"),
    ],
)
def test_with_jwt_options_that_dont_fit_are_wrong_usage(
    stack: FakeStack, caller: Run, folder: Path, options: tuple[str, ...], sentence: str
) -> None:
    stack.auth = "jwt"
    assert sentence in caller("upload", folder, *options).error(2)


def test_interrupt_stops_transfers_that_run_and_begins_no_others() -> None:
    running_now = threading.Event()
    begun: list[Path] = []

    def send(file: LocalFile, count: CountBytes) -> Uploaded:
        begun.append(file.path)
        if len(begun) == 1:
            raise OSError(5, "Input/output error")
        running_now.set()
        while True:
            count(1)

    def interrupt_while_second_runs(result: Result) -> None:
        assert result == Failed(path=Path("a"), reason="Input/output error")
        assert running_now.wait(timeout=10)
        raise KeyboardInterrupt

    files = tuple(LocalFile(path=Path(name), name=name) for name in "abc")
    found = Found(files=files, skipped=(), unreadable=())
    with pytest.raises(KeyboardInterrupt):
        upload_files(
            found, send, concurrency=1, on_bytes=lambda _: None, on_result=interrupt_while_second_runs
        )
    assert begun == [Path("a"), Path("b")]
