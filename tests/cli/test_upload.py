from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import BinaryIO

import pytest

from cli.files import LocalFile, fingerprint_of
from cli.transfer import CountBytes, Failed, Result, Uploaded, upload_files
from tests.cli.conftest import Run
from tests.cli.fake_stack import BUCKET, TOKEN, Answer, FakeStack, problem, s3_error


def test_upload_with_wait_prints_the_outcome_of_each_file_and_the_totals(
    stack: FakeStack, bill_e: Run, folder: Path, tmp_path: Path
) -> None:
    ran = bill_e("upload", folder, "--wait", "--concurrency", "1", "--outputs", stack.write_outputs(tmp_path))

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


def test_upload_without_wait_doesnt_ask_the_ledger(
    stack: FakeStack, bill_e: Run, folder: Path, tmp_path: Path
) -> None:
    ran = bill_e("upload", folder, "--outputs", stack.write_outputs(tmp_path))

    assert ran.code == 0
    assert "4 uploaded" in ran.out
    assert not [request for request in stack.requests if request.startswith("GET")]


def test_upload_puts_the_prefix_of_the_stack_and_then_the_given_one_before_keys(
    stack: FakeStack, bill_e: Run, folder: Path, tmp_path: Path
) -> None:
    file = stack.write_outputs(tmp_path)
    document = json.loads(file.read_text())
    document["outputs"]["upload_prefix"] = "in/"
    file.write_text(json.dumps(document))

    assert bill_e("upload", folder / "copy.png", "--prefix", "2026/", "--outputs", file).code == 0
    assert [key for key, _ in stack.objects] == ["in/2026/copy.png"]


def test_one_missing_file_is_listed_and_fails_while_the_others_are_uploaded(
    stack: FakeStack, bill_e: Run, folder: Path, tmp_path: Path
) -> None:
    missing = tmp_path / "gone.png"
    ran = bill_e("upload", missing, folder / "copy.png", "--outputs", stack.write_outputs(tmp_path))

    assert ran.code == 1
    assert f"not uploaded: {missing}: there is no such file or folder" in ran.err
    assert "1 uploaded; 1 not uploaded" in ran.out


def test_what_is_skipped_is_printed_with_its_reason_and_counted(
    stack: FakeStack, bill_e: Run, folder: Path, tmp_path: Path
) -> None:
    (folder / ".hidden.png").write_bytes(b"hidden")
    ran = bill_e("upload", folder, "--outputs", stack.write_outputs(tmp_path))

    assert ran.code == 0
    assert f"skipped: {folder / '.hidden.png'}: hidden" in ran.err
    assert "4 uploaded; 1 skipped" in ran.out


def test_json_report_names_every_file_once_with_its_entry(
    stack: FakeStack, bill_e: Run, folder: Path, tmp_path: Path
) -> None:
    (folder / ".hidden.png").write_bytes(b"hidden")
    arguments = ("upload", folder, tmp_path / "gone", "--wait", "--json", "--outputs")
    ran = bill_e(*arguments, stack.write_outputs(tmp_path))

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
    stack: FakeStack, bill_e: Run, folder: Path, tmp_path: Path
) -> None:
    stack.records = False
    file = stack.write_outputs(tmp_path)
    ran = bill_e("upload", folder / "copy.png", "--wait", "--timeout", "0.01", "--outputs", file)

    assert ran.code == 1
    assert "NONE YET" in ran.out
    assert "1 upload = 0 accepted + 0 duplicate + 0 rejected + 1 without an outcome yet" in ran.out


def test_uploads_are_reported_also_when_the_ledger_refuses_to_answer(
    stack: FakeStack, bill_e: Run, folder: Path, tmp_path: Path
) -> None:
    stack.planned.append(("GET /receipts", Answer(403, {"message": "Forbidden"})))
    file = stack.write_outputs(tmp_path)
    ran = bill_e("upload", folder / "copy.png", "--wait", "--outputs", file)

    assert ran.code == 1
    assert "copy.png" in ran.out
    assert "access denied: Forbidden (403)" in ran.err


def test_denied_upload_is_explained_in_one_sentence(
    stack: FakeStack, bill_e: Run, folder: Path, tmp_path: Path
) -> None:
    stack.planned.append((f"PUT /{BUCKET}/", s3_error(403, "AccessDenied", "Access Denied")))
    ran = bill_e("upload", folder / "copy.png", "--outputs", stack.write_outputs(tmp_path))

    assert ran.code == 1
    assert (
        "upload to bucket uploads: access denied: the caller's policy has to allow it (AccessDenied)"
        in ran.err
    )
    assert "Traceback" not in ran.err


def test_file_that_changes_between_fingerprint_and_upload_is_refused(
    stack: FakeStack, bill_e: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.transfer.fingerprint_of", lambda _: "0" * 64)
    ran = bill_e("upload", folder / "copy.png", "--outputs", stack.write_outputs(tmp_path))

    assert ran.code == 1
    assert "the file changed meanwhile (BadDigest)" in ran.err
    assert not stack.objects


def test_file_that_becomes_shorter_while_it_is_sent_fails_at_once(
    stack: FakeStack, bill_e: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def truncate_after(stream: BinaryIO) -> str:
        digest = fingerprint_of(stream)
        os.truncate(folder / "copy.png", 2)
        return digest

    monkeypatch.setattr("cli.transfer.fingerprint_of", truncate_after)
    ran = bill_e("upload", folder / "copy.png", "--outputs", stack.write_outputs(tmp_path))

    assert ran.code == 1
    assert "the file became shorter while it was read" in ran.err


def test_file_over_five_gibibytes_is_refused_with_the_limit(
    stack: FakeStack, bill_e: Run, tmp_path: Path
) -> None:
    huge = tmp_path / "huge.pdf"
    with huge.open("wb") as stream:
        stream.truncate(5 * 1024**3 + 1)  # Sparse: takes no space.
    ran = bill_e("upload", huge, "--outputs", stack.write_outputs(tmp_path))

    assert ran.code == 1
    assert "5368709121 bytes are too large for one upload: allowed are 5368709120 (5 GiB)" in ran.err
    assert not stack.requests


@pytest.mark.skipif(os.name != "posix", reason="only there can a name be no text")
def test_file_whose_name_is_no_text_fails_and_is_shown_escaped(
    stack: FakeStack, bill_e: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    (folder / os.fsdecode(b"caf\xe9.png")).write_bytes(b"x")
    ran = bill_e("upload", folder, "--outputs", stack.write_outputs(tmp_path))

    assert ran.code == 1
    assert "caf\\udce9.png: its name is not UTF-8" in ran.err


def test_progress_is_plain_lines_on_stderr_where_there_is_no_terminal(
    stack: FakeStack, bill_e: Run, folder: Path, tmp_path: Path
) -> None:
    ran = bill_e("upload", folder, "--wait", "--outputs", stack.write_outputs(tmp_path))

    assert "uploaded: 4 of 4\n" in ran.err
    assert "outcomes: 4 of 4\n" in ran.err
    assert "\x1b" not in ran.err + ran.out


def test_an_empty_name_is_wrong_usage_and_not_the_current_folder(
    stack: FakeStack, bill_e: Run, tmp_path: Path
) -> None:
    ran = bill_e("upload", "", "--outputs", stack.write_outputs(tmp_path))

    assert ran.code == 2
    assert "'' is no name of a file or a folder" in ran.err
    assert not stack.objects


def test_nothing_to_upload_is_said_and_fails(stack: FakeStack, bill_e: Run, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    ran = bill_e("upload", empty, "--outputs", stack.write_outputs(tmp_path))

    assert ran.code == 1
    assert f"skipped: {empty}: the folder is empty\nnothing to upload" in ran.err


def test_with_jwt_a_file_goes_through_a_form_and_gets_its_outcome(
    stack: FakeStack, bill_e: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.auth = "jwt"
    monkeypatch.setenv("BILL_E_TOKEN", TOKEN)
    ran = bill_e("upload", folder / "a receipt.png", "--wait", "--outputs", stack.write_outputs(tmp_path))

    assert ran.code == 0, ran.err
    assert stack.objects == {("uploads/2026/11/20/0/a receipt.png", "v1"): b"first"}
    assert "1 upload = 1 accepted + 0 duplicate + 0 rejected" in ran.out


def test_with_jwt_bytes_that_were_accepted_before_are_not_sent_again(
    stack: FakeStack, bill_e: Run, folder: Path, tmp_path: Path
) -> None:
    stack.auth = "jwt"
    stack.store("first.png", b"first")
    arguments = ("upload", folder / "copy.png", "--wait", "--token", TOKEN, "--outputs")
    ran = bill_e(*arguments, stack.write_outputs(tmp_path))

    assert ran.code == 0
    assert "ACCEPTED BEFORE" in ran.out
    assert "as first.png" in ran.out
    assert "0 uploads = 0 accepted + 0 duplicate + 0 rejected; 1 accepted before, not uploaded" in ran.out
    assert len(stack.objects) == 1


def test_with_jwt_a_declaration_that_the_api_refuses_is_reported_with_its_detail(
    stack: FakeStack, bill_e: Run, folder: Path, tmp_path: Path
) -> None:
    stack.auth = "jwt"
    errors = [{"field": "size_bytes", "value": "0", "allowed": "a whole number from 1"}]
    stack.planned.append(
        ("POST /uploads", problem(400, "invalid-parameter", "One is invalid.", errors=errors))
    )
    arguments = ("upload", folder / "empty.pdf", "--token", TOKEN, "--outputs")
    ran = bill_e(*arguments, stack.write_outputs(tmp_path))

    assert ran.code == 1
    assert "One is invalid.; size_bytes is '0', allowed: a whole number from 1 (400)" in ran.err


def test_with_jwt_a_form_that_s3_refuses_is_reported_with_its_reason(
    stack: FakeStack, bill_e: Run, folder: Path, tmp_path: Path
) -> None:
    stack.auth = "jwt"
    stack.planned.append(("POST /form", s3_error(400, "EntityTooLarge", "Your upload is &gt; allowed")))
    arguments = ("upload", folder / "copy.png", "--token", TOKEN, "--outputs")
    ran = bill_e(*arguments, stack.write_outputs(tmp_path))

    assert ran.code == 1
    assert "the storage refused it: Your upload is > allowed (EntityTooLarge)" in ran.err


def test_with_jwt_a_busy_storage_gets_the_whole_form_again(
    stack: FakeStack, bill_e: Run, folder: Path, tmp_path: Path
) -> None:
    stack.auth = "jwt"
    busy = Answer(503, headers={"Retry-After": "0"})
    stack.planned += [("POST /form", busy), ("POST /form", busy)]
    arguments = ("upload", folder / "copy.png", "--token", TOKEN, "--outputs")
    ran = bill_e(*arguments, stack.write_outputs(tmp_path))

    assert ran.code == 0, ran.err
    assert list(stack.objects.values()) == [b"first"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "the stack's API takes a bearer token: give --token TOKEN or set BILL_E_TOKEN"),
        (("--token", "two words"), "the bearer token holds characters that no token has"),
        (("--token", TOKEN, "--prefix", "x/"), "with 'jwt' the API chooses the keys"),
    ],
)
def test_with_jwt_options_that_dont_fit_are_wrong_usage(
    stack: FakeStack, bill_e: Run, folder: Path, tmp_path: Path, options: tuple[str, ...], sentence: str
) -> None:
    stack.auth = "jwt"
    ran = bill_e("upload", folder, *options, "--outputs", stack.write_outputs(tmp_path))

    assert ran.code == 2
    assert sentence in ran.err


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

    files = [LocalFile(path=Path(name), name=name) for name in "abc"]
    with pytest.raises(KeyboardInterrupt):
        upload_files(files, send, concurrency=1, on_result=interrupt_while_second_runs)
    assert begun == [Path("a"), Path("b")]
