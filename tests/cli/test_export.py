from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.auditor import package as layout
from functions.sealing.proof import Proof
from tests.cli.auditor.packages import KEY, Log
from tests.cli.conftest import Ran, Run
from tests.cli.fake_stack import Answer, FakeStack, entry
from tests.cli.sealed_stack import leaf, sealed_log


@pytest.fixture
def log(stack: FakeStack, tmp_path: Path) -> Log:
    return sealed_log(stack, tmp_path / "log")


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return tmp_path / "package"


def verified(bill_e: Run, package: Path) -> Ran:
    return bill_e("verify", package, "--key", str(KEY))


@pytest.mark.usefixtures("log")
def test_package_has_every_entry_and_verifies(caller: Run, bill_e: Run, package: Path) -> None:
    ran = caller("export", package)

    assert ran.code == 0
    assert "exported 300 entries, recorded before 2026-11-22T10:02:59." in ran.out
    assert len((package / layout.JSON_LINES).read_bytes().splitlines()) == 300
    checked = verified(bill_e, package)
    assert checked.code == 0, checked.out
    assert len([*(package / layout.PROOFS).iterdir()]) == 300
    proof = Proof.parse(next((package / layout.PROOFS).iterdir()).read_text())
    assert proof.leads_to_root()


def test_period_is_that_of_the_options(caller: Run, bill_e: Run, log: Log, package: Path) -> None:
    caller("export", package, "--from", "2026-11-22T10:01:00Z", "--to", "2026-11-22T10:02:00Z")

    manifest = json.loads((package / layout.MANIFEST).read_text())
    assert (manifest["entries"], manifest["log_size"]) == (100, len(log.leaves))
    assert manifest["from"] == "2026-11-22T10:01:00.000000Z"
    assert manifest["to"] == "2026-11-22T10:02:00.000000Z"
    assert verified(bill_e, package).code == 0


@pytest.mark.usefixtures("log")
def test_what_is_not_sealed_yet_is_left_out(
    caller: Run, bill_e: Run, stack: FakeStack, package: Path
) -> None:
    stack.entries.insert(0, entry(key="new.png", recorded_at="2026-11-22T10:03:30.000000Z"))

    assert "exported 300 entries" in caller("export", package).out
    assert verified(bill_e, package).code == 0


@pytest.mark.usefixtures("log")
def test_entry_that_was_changed_after_it_was_sealed_is_found(
    caller: Run, bill_e: Run, stack: FakeStack, package: Path
) -> None:
    stack.entries[7]["size_bytes"] = 1
    caller("export", package)

    checked = verified(bill_e, package)

    assert checked.code == 1
    assert f"altered: entries.jsonl, key '{stack.entries[7]['key']}'" in checked.out


@pytest.mark.usefixtures("log")
def test_receipts_are_saved_under_their_fingerprints(
    caller: Run, bill_e: Run, stack: FakeStack, package: Path
) -> None:
    ran = caller("export", package, "--from", "2026-11-22T10:02:00Z", "--files")

    assert ran.code == 0
    names = {path.name for path in (package / layout.FILES).iterdir()}
    assert names == {each["fingerprint"] for each in stack.entries[:100]}
    assert verified(bill_e, package).code == 0


@pytest.mark.usefixtures("log")
def test_receipt_that_cannot_be_had_is_named_and_the_rest_is_exported(
    caller: Run, bill_e: Run, stack: FakeStack, package: Path
) -> None:
    lost = stack.entries[5]
    del stack.objects[lost["key"], lost["version_id"]]

    ran = caller("export", package, "--from", "2026-11-22T10:02:00Z", "--files")

    assert ran.code == 1
    assert f"not exported: {lost['fingerprint']}" in ran.err
    assert "is whole but for 1 receipts: run the command again" in ran.err
    assert len([*(package / layout.FILES).iterdir()]) == 99
    assert f"missing_file: files/{lost['fingerprint']}" in verified(bill_e, package).out


@pytest.mark.usefixtures("log")
def test_without_the_right_to_files_the_first_refusal_is_told_once(
    caller: Run, stack: FakeStack, package: Path
) -> None:
    stack.planned += [("GET /files/", Answer(403, {"message": "Forbidden"}))] * 2

    said = caller("export", package, "--files").refusal()

    assert "the stack's output auditor_policy allows this route" in said
    assert sum(request.startswith("GET /files/") for request in stack.requests) <= 1


@pytest.mark.usefixtures("log")
def test_half_a_download_of_an_earlier_run_is_removed(caller: Run, bill_e: Run, package: Path) -> None:
    left = [package / layout.LOG / "tile" / ".000.1.part", package / layout.FILES / ".bill-e-0.part"]
    for path in left:
        path.parent.mkdir(parents=True)
        path.write_bytes(b"half")

    assert caller("export", package).code == 0
    assert not any(path.exists() for path in left)
    assert ".part" not in (package / layout.SUMS).read_text()
    assert verified(bill_e, package).code == 0


def test_second_run_fetches_only_what_is_new(
    caller: Run, bill_e: Run, stack: FakeStack, log: Log, package: Path
) -> None:
    caller("export", package, "--files")
    stack.requests.clear()
    new = entry(key="new.png", fingerprint="a" * 64, recorded_at="2026-11-22T10:05:00.000000Z", salt="0" * 32)
    stack.entries.insert(0, new)
    log.seal([leaf(new, "2026-11-22T10:06:00.000000Z")])

    ran = caller("export", package)

    fetched = [request.removeprefix("GET /log/") for request in stack.requests if "/log/" in request]
    assert sorted(fetched) == sorted(["checkpoint", "tile/0/001.p/45", "tile/entries/001.p/45"])
    assert "exported 301 entries" in ran.out
    assert verified(bill_e, package).code == 0


def test_package_that_was_broken_off_has_no_manifest(
    caller: Run, stack: FakeStack, log: Log, package: Path
) -> None:
    caller("export", package)
    assert (package / layout.MANIFEST).is_file()
    (log.folder / "tile/entries/001.p/44").unlink()
    (package / layout.LOG / "tile/entries/001.p/44").unlink()

    error = caller("export", package).error()

    assert "the log has a checkpoint of 300 entries, but no tile/entries/001.p/44" in error
    assert not (package / layout.MANIFEST).exists()
    assert stack.requests


def test_log_of_another_origin_is_refused(caller: Run, log: Log, package: Path) -> None:
    log.write(origin="log.example/other")

    assert "the log is log.example/other, but the stack's key is for" in caller("export", package).error()


def test_stack_without_a_log_is_told_apart(caller: Run, package: Path) -> None:
    assert "has no output log_public_key" in caller("export", package).error()
