from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

import pytest

from cli.answers import ApiEntry
from cli.caller.files import Found, LocalFile, fingerprint_of
from cli.caller.transfer import CountBytes, Failed, HashedFile, NotSent, Result, SendFile, Uploaded
from cli.caller.upload_run import LookUp, UploadRun, upload_files
from tests.cli.conftest import Run
from tests.cli.fake_stack import (
    API_PATH,
    BUCKET,
    MAX_BYTES,
    NOW,
    TOKEN,
    Answer,
    FakeStack,
    problem,
    running,
    s3_error,
)


def test_upload_with_wait_prints_the_outcome_of_each_file_and_the_totals(
    stack: FakeStack, caller: Run, folder: Path
) -> None:
    ran = caller("upload", folder, "--wait", "--concurrency", "1")

    assert ran.code == 3, "one was rejected"
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
    assert ran.out.splitlines()[0].split() == ["OUTCOME", "SIZE", "FILE", "KEY", "VERSION", "DETAIL"]
    assert {line.split()[-1] for line in ran.out.splitlines()[1:-1]} == {"v1", "v2", "v3", "v4"}
    assert not [request for request in stack.requests if request.startswith("GET")]


def test_what_is_accepted_already_is_not_sent_again_unless_asked_for(
    stack: FakeStack, caller: Run, folder: Path
) -> None:
    assert caller("upload", folder / "a receipt.png").code == 0

    ran = caller("upload", folder, "--json")

    assert ran.code == 0
    report = json.loads(ran.out)
    assert {Path(item["path"]).name: item["key"] for item in report["already_accepted"]} == {
        "a receipt.png": "a receipt.png",
        "copy.png": "a receipt.png",
    }
    assert report["totals"]["uploads"] == 2
    assert len(stack.objects) == 3
    listed = caller("upload", folder / "copy.png", "--wait")
    (before,) = [line for line in listed.out.splitlines() if line.startswith("ACCEPTED BEFORE")]
    assert re.split(r" {2,}", before)[-3:] == ["a receipt.png", "-", "on 2026-11-20"]
    assert "1 accepted before, not uploaded" in listed.out
    assert "1 uploaded\n" in caller("upload", folder / "copy.png", "--again").out
    assert len(stack.objects) == 4


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(403, {"message": "Forbidden"}), "access denied: Forbidden"),
        (Answer(404, {"message": "Not Found"}), "there is no such route"),
    ],
)
def test_files_are_sent_and_that_is_said_if_nothing_can_be_looked_up(
    stack: FakeStack, caller: Run, folder: Path, answer: Answer, reason: str
) -> None:
    stack.planned.append(("POST /receipts/lookup", answer))
    ran = caller("upload", folder)

    assert ran.code == 0
    assert "4 uploaded" in ran.out
    assert "it couldn't be looked up: POST /receipts/lookup" in ran.err
    assert reason in ran.err


def _many(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        (folder / f"{number:03}.png").write_bytes(f"{number}".encode())
    return folder


def _interrupt_at(wanted: int) -> Callable[[int], None]:
    return lambda count: signal.raise_signal(signal.SIGINT) if count == wanted else None


def test_interrupted_run_says_what_was_sent_and_the_same_command_sends_the_rest_once(
    stack: FakeStack, caller: Run, tmp_path: Path
) -> None:
    scans = _many(tmp_path / "many", 150)
    stack.when_stored = _interrupt_at(40)

    ran = caller("upload", scans, "--json")

    assert ran.code == 130
    assert "bill-e: interrupted" in ran.err
    report = json.loads(ran.out)
    assert report["stopped"] == "interrupted"
    sent, left = ([Path(item["path"]).name for item in report[kind]] for kind in ("uploads", "not_sent"))
    assert sorted(sent) == sorted(key for key, _ in stack.objects)
    assert sorted(sent + left) == [file.name for file in sorted(scans.iterdir())]
    assert {item["entry"]["outcome"] for item in report["uploads"]} == {"ACCEPTED"}

    again = caller("upload", scans)

    assert again.code == 0
    assert f"{len(left)} uploaded; {len(sent)} accepted before, not uploaded\n" in again.out
    assert len(stack.objects) == 150


def test_sigterm_ends_a_run_with_the_report_of_an_interrupted_one(stack: FakeStack, tmp_path: Path) -> None:
    scans, outputs = _many(tmp_path / "many", 150), stack.write_outputs(tmp_path)
    command = "import sys, cli; sys.exit(cli.start())"
    process = subprocess.Popen(
        [sys.executable, "-c", command, "upload", scans, "--json", "--outputs", outputs],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    stack.when_stored = lambda count: process.terminate() if count == 40 else None
    out, err = process.communicate(timeout=60)

    assert process.returncode == 128 + signal.SIGTERM
    assert err.endswith("\nbill-e: interrupted\n")
    report = json.loads(out)
    assert report["stopped"] == "interrupted"
    assert report["totals"]["uploads"] == report["totals"]["accepted"] == len(stack.objects)
    assert report["totals"]["not_sent"] == 150 - len(stack.objects) > 0


def test_interrupted_run_warns_of_what_has_no_entry_yet(
    stack: FakeStack, caller: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.commands.upload.SETTLING_SECONDS", 0.01)
    stack.records, stack.when_stored = False, _interrupt_at(2)

    ran = caller("upload", _many(tmp_path / "many", 30), "--concurrency", "1")

    assert ran.code == 130
    sent = len(stack.objects)
    assert ran.out.count("NONE YET") == sent
    assert ran.out.count("NOT SENT") == 30 - sent
    assert f"{sent} without an outcome yet; {30 - sent} not sent: the same command sends the rest" in ran.out
    assert f"{sent} of the uploads have no entry yet" in ran.err


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b"x" * (MAX_BYTES + 1), "too_large: accepted are up to 5,000 bytes"),
        (b"#!/bin/sh", "unsupported_type: accepted are image/png, application/pdf"),
        (b"", "empty"),
    ],
)
def test_line_of_a_rejected_file_says_what_would_be_accepted(
    caller: Run, tmp_path: Path, content: bytes, detail: str
) -> None:
    (tmp_path / "receipt").write_bytes(content)

    (line,) = [
        line
        for line in caller("upload", tmp_path / "receipt", "--wait").out.splitlines()
        if line.startswith("REJECTED")
    ]

    assert line.endswith(f"  {detail}")


@pytest.mark.parametrize(
    ("chosen", "code"), [("rejected", 3), ("duplicate", 3), ("rejected,duplicate", 3), ("none", 0)]
)
def test_exit_code_tells_the_outcomes_that_were_named(
    caller: Run, folder: Path, chosen: str, code: int
) -> None:
    assert caller("upload", folder, "--wait", "--fail-on", chosen).code == code
    assert caller("upload", folder / "copy.png", "--again", "--wait", "--fail-on", chosen).code == (
        3 if "duplicate" in chosen else 0
    )
    assert caller("upload", folder / "copy.png", "--wait", "--fail-on", chosen).code == (
        3 if "duplicate" in chosen else 0
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--timeout", "5"), "--timeout needs --wait"),
        (("--fail-on", "none"), "--fail-on needs --wait"),
        (("--wait", "--fail-on", "accepted"), "'accepted' is not allowed: give rejected, duplicate, both"),
    ],
)
def test_options_about_outcomes_that_dont_fit_are_wrong_usage(
    stack: FakeStack, caller: Run, folder: Path, options: tuple[str, ...], sentence: str
) -> None:
    assert sentence in caller("upload", folder, *options).error(2)
    assert not stack.requests


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


@pytest.mark.usefixtures("_every_step_is_a_line")
def test_progress_counts_what_is_up_and_not_what_was_tried(
    stack: FakeStack, caller: Run, folder: Path
) -> None:
    stack.planned.append((f"PUT /{BUCKET}/", s3_error(403, "AccessDenied", "Access Denied")))

    ran = caller("upload", folder)

    assert "uploaded: 3 of 4\n" in ran.err
    assert "uploaded: 4 of 4" not in ran.err


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
        "not_sent": 0,
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
    assert "access denied: Forbidden; the stack's output caller_policy allows this route" in ran.err


def test_denied_upload_is_explained_in_one_sentence(stack: FakeStack, caller: Run, folder: Path) -> None:
    stack.planned.append((f"PUT /{BUCKET}/", s3_error(403, "AccessDenied", "Access Denied")))
    ran = caller("upload", folder / "copy.png")

    assert ran.code == 1
    assert (
        "upload to bucket uploads (s3:PutObject): access denied: your IAM policy has to allow it, as the one "
        "in the stack's output caller_policy does (AccessDenied)" in ran.err
    )
    assert "Traceback" not in ran.err


def test_file_that_changes_between_fingerprint_and_upload_is_refused(
    stack: FakeStack, caller: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.caller.upload_run.fingerprint_of", lambda _: "0" * 64)
    assert "the file has changed (BadDigest)" in caller("upload", folder / "copy.png").error()
    assert not stack.objects


def test_file_that_becomes_shorter_while_it_is_sent_fails_at_once(
    caller: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def truncate_after(stream: BinaryIO) -> str:
        digest = fingerprint_of(stream)
        os.truncate(folder / "copy.png", 2)
        return digest

    monkeypatch.setattr("cli.caller.upload_run.fingerprint_of", truncate_after)
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


def test_files_that_would_get_one_key_are_refused_before_anything_is_sent(
    stack: FakeStack, caller: Run, tmp_path: Path
) -> None:
    for folder in ("jan", "feb"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "taxi.png").write_bytes(folder.encode())

    error = caller("upload", tmp_path / "jan", tmp_path / "feb").error()

    assert all(str(tmp_path / folder / "taxi.png") in error for folder in ("jan", "feb"))
    assert "would get the same key: rename one of them" in error
    assert not stack.requests
    assert caller("upload", tmp_path / "jan").code == caller("upload", tmp_path / "feb").code == 0
    assert [key for key, _ in stack.objects] == ["taxi.png", "taxi.png"]


@pytest.mark.usefixtures("_every_step_is_a_line")
def test_progress_is_plain_lines_on_stderr_where_there_is_no_terminal(caller: Run, folder: Path) -> None:
    ran = caller("upload", folder, "--wait")

    assert "uploaded: 4 of 4\n" in ran.err
    assert "outcomes: 4 of 4\n" in ran.err
    assert "\x1b" not in ran.err + ran.out


def test_an_empty_name_is_wrong_usage_and_not_the_current_folder(stack: FakeStack, caller: Run) -> None:
    assert "'' does not name a file or folder" in caller("upload", "").error(2)
    assert not stack.objects


def test_numbers_from_a_thousand_on_have_separators(caller: Run, tmp_path: Path) -> None:
    ran = caller("upload", _many(tmp_path / "many", 1_001), "--wait")

    assert "1,001 uploads = 1,001 accepted + 0 duplicate + 0 rejected\n" in ran.out


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
    assert "1 uploaded\n" in caller("upload", folder / "copy.png", "--again", "--token", TOKEN).out
    assert len(stack.objects) == 2


def _expire_at(stack: FakeStack, wanted: int) -> Callable[[int], None]:
    def expire(count: int) -> None:
        if count == wanted:
            stack.token = "another.token"

    return expire


def test_token_that_expires_ends_the_run_at_once_with_what_is_left(
    stack: FakeStack, caller: Run, tmp_path: Path
) -> None:
    stack.auth, stack.when_stored = "jwt", _expire_at(stack, 5)

    ran = caller("upload", _many(tmp_path / "many", 30), "--token", TOKEN, "--concurrency", "2", "--json")

    assert "the bearer token was refused: has it expired" in ran.error()
    report = json.loads(ran.out)
    assert "the bearer token was refused" in report["stopped"]
    assert len(report["uploads"]) == len(stack.objects)
    assert (report["failed"], len(report["not_sent"])) == ([], 30 - len(stack.objects))
    assert len([route for route in stack.requests if route == "POST /uploads"]) <= len(stack.objects) + 2


@pytest.mark.parametrize("given", [[], ["--token", TOKEN]])
def test_token_command_gets_the_first_token_and_another_when_that_has_expired(
    stack: FakeStack, caller: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: list[str]
) -> None:
    stack.auth, stack.when_stored = "jwt", _expire_at(stack, 5)
    runs = tmp_path / "runs"
    first = TOKEN if not given else "another.token"
    script = tmp_path / "print token.py"
    script.write_text(
        f"import pathlib\nruns = pathlib.Path({str(runs)!r})\n"
        f"print({first!r} if not runs.exists() else 'another.token')\n"
        "with runs.open('a') as stream: stream.write('x')\n"
    )
    monkeypatch.setenv("BILL_E_TOKEN_COMMAND", shlex.join([sys.executable, str(script)]))

    ran = caller("upload", _many(tmp_path / "many", 30), *given)

    assert ran.code == 0, ran.err
    assert len(stack.objects) == 30
    assert len(runs.read_text()) == (1 if given else 2), "one for each token, whatever the threads do"


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("/nowhere/token", "BILL_E_TOKEN_COMMAND cannot be run"),
        ("false", "BILL_E_TOKEN_COMMAND ended with exit code 1"),
        ("echo two words", "BILL_E_TOKEN_COMMAND printed something other than one token"),
        (f"echo {TOKEN}", "the bearer token was refused"),
    ],
)
def test_token_command_that_gives_none_ends_the_run_with_one_sentence(
    stack: FakeStack,
    caller: Run,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    sentence: str,
) -> None:
    stack.auth, stack.token = "jwt", "another.token"
    monkeypatch.setenv("BILL_E_TOKEN_COMMAND", command)

    ran = caller("upload", folder)

    assert ran.error().count(sentence) == 1
    assert "4 not sent: the same command sends the rest" in ran.out


@pytest.mark.parametrize("direct", ["api", "storage"])
def test_each_address_has_its_proxy_or_none(
    stack: FakeStack, caller: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, direct: str
) -> None:
    stack.auth, stack.form_origin = "jwt", stack.url.replace("127.0.0.1", "localhost")
    monkeypatch.setenv("no_proxy", {"api": "127.0.0.1", "storage": "localhost"}[direct])
    with running(FakeStack()) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        ran = caller("upload", folder / "copy.png", "--token", TOKEN)

    assert ran.code == 1, "this proxy answers everything with an error"
    form, api = f"POST {stack.form_origin}/form", f"POST {stack.url}{API_PATH}/uploads"
    assert proxy.requests == [{"api": form, "storage": api}[direct]]
    assert stack.requests == {"api": ["POST /uploads"], "storage": []}[direct]


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
        (
            (),
            "the stack's API takes a bearer token: give --token TOKEN, or set BILL_E_TOKEN or BILL_E_TOKEN_",
        ),
        (("--token", "two words"), "the bearer token has characters that a token can't have"),
        (("--token", TOKEN, "--prefix", "x/"), "with 'jwt' the API chooses the keys"),
    ],
)
def test_with_jwt_options_that_dont_fit_are_wrong_usage(
    stack: FakeStack, caller: Run, folder: Path, options: tuple[str, ...], sentence: str
) -> None:
    stack.auth = "jwt"
    assert sentence in caller("upload", folder, *options).error(2)


def _found(count: int) -> Found:
    """That many files, which are all the same."""
    return Found(
        files=tuple(LocalFile(path=Path(__file__), name=str(number)) for number in range(count)),
        skipped=(),
        unreadable=(),
    )


def _upload(
    found: Found,
    send_file: SendFile,
    *,
    look_up: LookUp | None = None,
    concurrency: int = 1,
    on_result: Callable[[Result], None] = lambda _: None,
) -> UploadRun:
    return upload_files(
        found,
        send_file,
        look_up=look_up,
        concurrency=concurrency,
        on_bytes=lambda _: None,
        on_result=on_result,
    )


def _sent(file: HashedFile) -> Uploaded:
    return Uploaded(
        path=file.path,
        bucket=BUCKET,
        key=file.name,
        version_id="v1",
        fingerprint=file.fingerprint,
        size_bytes=file.size_bytes,
        stored_at=NOW,
    )


def _kinds(run: UploadRun) -> list[type[Result]]:
    return [type(result) for result in run.results]


def test_interrupt_stops_transfers_that_run_and_begins_no_others() -> None:
    running_now = threading.Event()
    begun: list[str] = []

    def send(file: HashedFile, count: CountBytes) -> Uploaded:
        begun.append(file.name)
        if len(begun) == 1:
            raise OSError(5, "Input/output error")
        running_now.set()
        while True:
            count(1)

    def interrupt_while_second_runs(result: Result) -> None:
        assert result == Failed(path=Path(__file__), reason="Input/output error")
        assert running_now.wait(timeout=10)
        raise KeyboardInterrupt

    run = _upload(_found(3), send, on_result=interrupt_while_second_runs)

    assert isinstance(run.stopped_by, KeyboardInterrupt)
    assert begun == ["0", "1"]
    assert _kinds(run) == [Failed, NotSent, NotSent]


def test_a_file_that_arrives_during_the_interrupt_counts_as_sent() -> None:
    second_runs, interrupted = threading.Event(), threading.Event()

    def send(file: HashedFile, _: CountBytes) -> Uploaded:
        if file.name == "1":
            second_runs.set()
            assert interrupted.wait(timeout=10)
        return _sent(file)

    def interrupt(_: Result) -> None:
        assert second_runs.wait(timeout=10)
        interrupted.set()
        raise KeyboardInterrupt

    run = _upload(_found(2), send, on_result=interrupt)

    assert _kinds(run) == [Uploaded, Uploaded]


def test_files_are_looked_up_by_the_hundred_while_others_are_sent() -> None:
    asked: list[int] = []
    second_batch = threading.Event()

    def look_up(fingerprints: Sequence[str]) -> dict[str, ApiEntry]:
        asked.append(len(fingerprints))
        if len(asked) == 2:
            second_batch.set()
        return {}

    def send(file: HashedFile, _: CountBytes) -> Uploaded:
        assert second_batch.wait(timeout=10), "nobody looks up the next files"
        return _sent(file)

    run = _upload(_found(250), send, look_up=look_up, concurrency=4)

    assert sorted(asked) == [50, 100, 100]
    assert _kinds(run) == [Uploaded] * 250
