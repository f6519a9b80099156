"""`bill-e get` and `open` on the whole stack, with only the permissions in the stack's `auditor_policy`."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from tests.local.eventually import eventually
from tests.local.stack import DeployedStack, Object, png
from tests.local.test_customer_key import locked

__all__ = ["locked"]

Run = Callable[..., tuple[int, str]]


@pytest.fixture(params=["stack", "locked"])
def audited(request: pytest.FixtureRequest) -> DeployedStack:
    """A stack with the default settings, and one with a customer key, locks and an upload prefix."""
    stack: DeployedStack = request.getfixturevalue(request.param)
    return stack


@pytest.fixture
def bill_e(
    audited: DeployedStack,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """The command line in an empty folder, which doesn't know the administrator's and the operator's keys."""
    outputs, folder = tmp_path / "outputs.json", tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def run(*arguments: str, without: str = "") -> tuple[int, str]:
        hidden = ("operator", "administrator", *([without] if without else []))
        known = {name: value for name, value in audited.description().items() if not name.startswith(hidden)}
        outputs.write_text(json.dumps(known))
        code = main([*arguments, "--outputs", str(outputs)])
        return code, capsys.readouterr().err

    return run


def key_of(stack: DeployedStack, name: str) -> str:
    return f"{stack.outputs['upload_prefix']}{uuid.uuid4().hex}/{name}"


def test_receipt_and_duplicate_and_rejection_are_saved_as_they_were_uploaded(
    audited: DeployedStack, bill_e: Run
) -> None:
    content, text = png(), uuid.uuid4().hex.encode()
    first = audited.upload(key_of(audited, "Größe 1.png"), content)
    audited.entry_of(first)
    again = audited.upload(key_of(audited, "again.png"), content)
    rejected = audited.upload(key_of(audited, "notes.txt"), text)
    audited.entries_of(again, rejected)

    assert bill_e("get", first.fingerprint) == (0, "")
    assert bill_e("get", first.fingerprint, "--version", again.version_id) == (0, "")
    assert bill_e("get", rejected.fingerprint, "--version", rejected.version_id) == (0, "")
    assert {path.name: path.read_bytes() for path in Path().iterdir()} == {
        "Größe 1.png": content,
        "again.png": content,
        "notes.txt": text,
    }


def test_file_that_is_not_what_the_ledger_says_is_not_saved(audited: DeployedStack, bill_e: Run) -> None:
    receipt = audited.upload(key_of(audited, "receipt.png"), png())
    audited.entry_of(receipt)
    tampered = recorded_as(audited, receipt, uuid.uuid4().hex * 2)

    code, said = bill_e("get", tampered)

    assert code == 1
    assert "is NOT what the ledger recorded" in said
    assert list(Path().iterdir()) == []


def recorded_as(stack: DeployedStack, receipt: Object, fingerprint: str) -> str:
    """Let the ledger say that an object has another fingerprint, and no longer its own; return it."""
    dynamodb, table = stack.administrator.client("dynamodb"), stack.outputs["ledger_table"]
    key: Any = {"fingerprint": {"S": receipt.fingerprint}, "entry": {"S": "RECEIPT"}}
    item = dynamodb.delete_item(TableName=table, Key=key, ReturnValues="ALL_OLD")["Attributes"]
    dynamodb.put_item(TableName=table, Item={**item, "fingerprint": {"S": fingerprint}})
    return fingerprint


@pytest.mark.parametrize("audited", ["stack"], indirect=True)
def test_deleted_file_is_said_to_be_gone(audited: DeployedStack, bill_e: Run) -> None:
    receipt = audited.upload(key_of(audited, "lost.png"), png())
    audited.entry_of(receipt)
    audited.administrator.client("s3").delete_object(
        Bucket=audited.bucket, Key=receipt.key, VersionId=receipt.version_id
    )

    code, said = bill_e("get", receipt.fingerprint)

    assert (code, "No object version was found" in said) == (1, True)


@pytest.mark.parametrize("command", ["get", "open"])
def test_caller_is_told_which_policy_it_takes(audited: DeployedStack, bill_e: Run, command: str) -> None:
    receipt = audited.upload(key_of(audited, "receipt.png"), png())
    audited.entry_of(receipt)

    code, said = bill_e(command, receipt.fingerprint, without="auditor")

    assert code == 1
    assert "the stack's output auditor_policy allows this route (execute-api:Invoke)" in said


def test_link_and_the_access_log_name_the_request_by_one_id(audited: DeployedStack, bill_e: Run) -> None:
    content = png()
    receipt = audited.upload(key_of(audited, "receipt.png"), content)
    audited.entry_of(receipt)
    assert bill_e("get", receipt.fingerprint) == (0, "")

    def lines() -> list[dict[str, Any]] | None:
        events = audited.auditor.client("logs").filter_log_events(
            logGroupName=audited.outputs["log_groups"]["files"], filterPattern=f'"{receipt.version_id}"'
        )["events"]
        return [json.loads(event["message"]) for event in events] or None

    (line,) = eventually("a line for the link", lines)
    assert (line["message"], line["fingerprint"]) == ("file link given", receipt.fingerprint)
    assert line["api_request_id"]
    assert hashlib.sha256(content).hexdigest() == receipt.fingerprint


def test_auditor_compares_the_bucket_with_the_ledger(
    audited: DeployedStack, bill_e: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = audited.upload(key_of(audited, "receipt.png"), png())
    audited.entry_of(receipt)
    auditor = audited.auditor.key
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", auditor.id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", auditor.secret)

    prefix = receipt.key.removeprefix(audited.outputs["upload_prefix"])
    assert bill_e("reconcile", "--prefix", prefix, "--age", "0", without="aws") == (0, "")
