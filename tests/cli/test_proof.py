from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from functions.contract.entry import ObjectVersion
from functions.sealing.proof import Proof
from tests.cli.auditor.packages import KEY, Log
from tests.cli.conftest import Run
from tests.cli.fake_stack import FakeStack
from tests.cli.sealed_stack import leaf as leaf_of
from tests.cli.sealed_stack import sealed_log


@pytest.fixture
def log(stack: FakeStack, tmp_path: Path) -> Log:
    made = sealed_log(stack, tmp_path / "log")
    for index, leaf in enumerate(made.leaves):
        members = json.loads(leaf)
        stack.proofs[members["fingerprint"]] = stack.proofs[members["object_id"]] = made.proof(index)
    return made


def receipt(tmp_path: Path) -> Path:
    file = tmp_path / "receipt.png"
    file.write_bytes(b"receipt 123")
    return file


def object_id(item: dict[str, Any]) -> str:
    return ObjectVersion(**{name: item[name] for name in ("bucket", "key", "version_id")}).object_id


@pytest.mark.usefixtures("log")
def test_proof_of_a_file_is_checked_and_written(caller: Run, tmp_path: Path) -> None:
    ran = caller("proof", receipt(tmp_path), "-o", tmp_path / "a.tlog-proof")

    assert ran.code == 0
    assert ran.out.startswith(f"wrote {tmp_path}/a.tlog-proof: leaf 1")
    assert Proof.parse((tmp_path / "a.tlog-proof").read_text()).leads_to_root()


@pytest.mark.usefixtures("log")
def test_a_key_stands_for_its_own_entry(caller: Run, stack: FakeStack) -> None:
    item = next(each for each in stack.entries if each["key"] == "scan 7.png")

    proof = Proof.parse(caller("proof", "scan 7.png").out)

    assert json.loads(proof.leaf)["object_id"] == object_id(item)
    assert any(f"object_id={object_id(item)}" in request for request in stack.requests)


def test_entry_that_is_not_sealed_yet_is_said(
    caller: Run, stack: FakeStack, log: Log, tmp_path: Path
) -> None:
    del log
    stack.proofs.clear()

    assert "isn't sealed yet: try again in a minute" in caller("proof", receipt(tmp_path)).error()


def test_proof_that_another_key_has_signed_does_not_hold(
    caller: Run, stack: FakeStack, log: Log, tmp_path: Path
) -> None:
    log.signer = Ed25519PrivateKey.from_private_bytes(bytes(32))
    log.write()
    for index, leaf in enumerate(log.leaves):
        stack.proofs[json.loads(leaf)["fingerprint"]] = log.proof(index)

    assert "the proof does NOT hold" in caller("proof", receipt(tmp_path)).error()


@pytest.mark.parametrize("subject", ["FILE", "scan 123.png"])
def test_proof_of_another_entry_is_refused(
    caller: Run, stack: FakeStack, log: Log, tmp_path: Path, subject: str
) -> None:
    for asked in stack.proofs:
        stack.proofs[asked] = log.proof(7)
    asked_for = receipt(tmp_path) if subject == "FILE" else subject

    assert "the API's proof is about another entry" in caller("proof", asked_for).error()


@pytest.mark.usefixtures("log")
def test_entry_that_was_changed_after_it_was_sealed_has_no_proof(
    caller: Run, bill_e: Run, stack: FakeStack, tmp_path: Path
) -> None:
    item = next(each for each in stack.entries if each["key"] == "scan 123.png")
    item["size_bytes"] = 1
    refusal = f"the entry of object {object_id(item)} isn't the one that was sealed"

    assert refusal in caller("proof", receipt(tmp_path), "-o", tmp_path / "a.tlog-proof").error()
    assert not (tmp_path / "a.tlog-proof").exists()

    caller("export", tmp_path / "package")
    offline = bill_e("proof", receipt(tmp_path), "--log", tmp_path / "package", "--key", str(KEY))
    assert refusal in offline.error()


@pytest.mark.usefixtures("log")
def test_proof_comes_from_a_package_without_a_network(
    caller: Run, bill_e: Run, stack: FakeStack, tmp_path: Path
) -> None:
    caller("export", tmp_path / "package")
    stack.requests.clear()

    key = tmp_path / "pinned.vkey"
    key.write_text(f"{KEY}\n")
    ran = bill_e("proof", receipt(tmp_path), "--log", tmp_path / "package", "--key", key)

    assert ran.code == 0
    assert Proof.parse(ran.out).leads_to_root()
    assert stack.requests == []
    other = bill_e("proof", "f" * 64, "--log", tmp_path / "package", "--key", str(KEY))
    assert f"has no entry with the fingerprint {'f' * 64}" in other.error()


def duplicate_and_receipt(stack: FakeStack, folder: Path) -> Log:
    """Record a receipt, and a duplicate that comes before it in the log."""
    made = Log(folder)
    stack.log, stack.log_public_key = made.folder, str(KEY)
    for key in ("first.png", "second.png"):
        stack.store(key, b"receipt 123")
    for minute, item in enumerate(stack.entries):
        item["recorded_at"] = f"2026-11-22T10:0{minute}:00.000000Z"
    assert [item["outcome"] for item in stack.entries] == ["DUPLICATE", "ACCEPTED"]
    made.seal(leaf_of(item, "2026-11-22T10:03:00.000000Z") for item in stack.entries)
    return made


def test_proof_of_another_entry_with_the_same_bytes_is_refused(
    caller: Run, stack: FakeStack, tmp_path: Path
) -> None:
    log = duplicate_and_receipt(stack, tmp_path / "log")
    stack.proofs[object_id(stack.entries[0])] = log.proof(1)

    assert "the API's proof is about another entry" in caller("proof", "second.png").error()


def test_package_proves_the_receipt_and_not_a_duplicate_that_precedes_it(
    caller: Run, bill_e: Run, stack: FakeStack, tmp_path: Path
) -> None:
    duplicate_and_receipt(stack, tmp_path / "log")
    caller("export", tmp_path / "package")

    ran = bill_e("proof", receipt(tmp_path), "--log", tmp_path / "package", "--key", str(KEY))

    assert json.loads(Proof.parse(ran.out).leaf)["object_id"] == object_id(stack.entries[1])


@pytest.mark.parametrize(
    "arguments", [("a", "--log", "x"), ("a", "--key", str(KEY)), ("abc", "--log", "x", "--key", str(KEY))]
)
def test_wrong_usage_is_refused(bill_e: Run, arguments: tuple[str, ...]) -> None:
    assert bill_e("proof", *arguments).code == 2
