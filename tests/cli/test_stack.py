from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from cli.errors import BillEError
from cli.stack import StackKey, read_outputs_file
from tests.cli.conftest import Run

OUTPUTS = {
    "uploads_bucket": "b",
    "api_url": "https://abc.execute-api.eu-west-1.amazonaws.com/",
    "region": "eu-west-1",
    "api_auth": "iam",
    "queue_url": "https://sqs.eu-west-1.amazonaws.com/123456789012/q",
}


def _written(folder: Path, document: object) -> Path:
    file = folder / "outputs.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    return file


def test_outputs_as_pulumi_prints_them_are_read_and_leave_credentials_to_the_sdk(tmp_path: Path) -> None:
    access = read_outputs_file(_written(tmp_path, OUTPUTS))

    assert access.uploads_bucket == "b"
    assert access.api_url == "https://abc.execute-api.eu-west-1.amazonaws.com"
    assert (access.endpoint_url, access.caller_key, access.ca_bundle) == (None, None, None)


def test_file_of_the_embedded_aws_brings_its_endpoint_and_credentials(tmp_path: Path) -> None:
    ca_bundle = tmp_path / "ca.pem"
    ca_bundle.touch()
    document = {
        "endpoint_url": "https://127.0.0.1:4566",
        "region": "us-east-1",
        "aws_access_key_id": "AKID",
        "aws_secret_access_key": "very-secret",
        "outputs": OUTPUTS,
        "ca_bundle": str(ca_bundle),
    }
    access = read_outputs_file(_written(tmp_path, document))

    assert access.endpoint_url == "https://127.0.0.1:4566"
    assert access.caller_key == StackKey(id="AKID", secret="very-secret")
    assert access.ca_bundle == ca_bundle
    assert "very-secret" not in repr(access)


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("receipts", "aws"),
        (f"get {'0' * 64}", "auditor"),
        (f"open {'0' * 64}", "auditor"),
        ("reconcile", "operator"),
        ("reconcile --checksums", "administrator"),
        ("restore --from-table abc", "administrator"),
    ],
)
def test_command_uses_the_key_of_its_kind_of_user(
    bill_e: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, kind: str
) -> None:
    def session(*, aws_access_key_id: str, aws_secret_access_key: str, **_: str) -> None:
        raise BillEError(f"{aws_access_key_id} {aws_secret_access_key}")

    monkeypatch.setattr("boto3.Session", session)
    needed = {"ledger_table": "t", "resend_queue_url": "r", "dead_letter_queue_url": "d"}
    document: dict[str, Any] = {"outputs": OUTPUTS | needed}
    for each in ("aws", "auditor", "operator", "administrator"):
        document |= {f"{each}_access_key_id": f"AKID of {each}", f"{each}_secret_access_key": "secret"}

    ran = bill_e(*command.split(), "--outputs", _written(tmp_path, document))

    assert ran.err == f"bill-e: AKID of {kind} secret\n"


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ("{not json", "is not JSON"),
        ("[]", "is not a JSON object"),
        ({}, "has no output 'api_url', has no output 'api_auth', has no output 'uploads_bucket'"),
        ({**OUTPUTS, "api_auth": "none"}, "has 'none' as 'api_auth', allowed: iam or jwt"),
        ({**OUTPUTS, "api_url": "abc"}, "has 'abc' as 'api_url', allowed: an http or https address"),
        ({**OUTPUTS, "region": 5}, "has 'region' as 5, which is not text"),
        ({**OUTPUTS, "accepted_types": "image/png"}, "which is not a list of texts"),
        (
            {"outputs": OUTPUTS, "ca_bundle": "/nowhere/ca.pem"},
            "names the ca_bundle /nowhere/ca.pem, which doesn't",
        ),
        ({"outputs": OUTPUTS, "aws_access_key_id": "AKID"}, "has only one of aws_access_key_id and"),
    ],
)
def test_faulty_outputs_are_named_in_one_sentence(
    bill_e: Run, tmp_path: Path, document: object, sentence: str
) -> None:
    ran = bill_e("receipts", "--outputs", _written(tmp_path, document))

    assert ran.code == 1
    assert sentence in ran.err
    assert str(tmp_path / "outputs.json") in ran.err
    assert ran.err.count("\n") == 1


def test_missing_outputs_file_is_named(bill_e: Run, tmp_path: Path) -> None:
    error = bill_e("receipts", "--outputs", tmp_path / "gone.json").error()
    assert f"{tmp_path / 'gone.json'} cannot be read: No such file or directory" in error


def test_no_stack_named_is_wrong_usage(bill_e: Run) -> None:
    error = bill_e("receipts").error(2)
    assert "give --stack NAME or --outputs FILE, or set BILL_E_STACK or BILL_E_OUTPUTS" in error


def test_file_that_the_environment_names_is_reported_with_its_whole_path(
    bill_e: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BILL_E_OUTPUTS", "gone.json")

    assert f"the outputs file {tmp_path / 'gone.json'} cannot be read" in bill_e("receipts").refusal()


def test_two_stacks_in_the_environment_are_wrong_usage(bill_e: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILL_E_STACK", "dev")
    monkeypatch.setenv("BILL_E_OUTPUTS", "outputs.json")
    assert "are both set" in bill_e("receipts").error(2)


def test_option_goes_before_the_environment(
    bill_e: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BILL_E_STACK", "dev")

    assert "gone.json" in bill_e("receipts", "--outputs", tmp_path / "gone.json").err


def test_pulumi_not_installed_is_said_with_the_way_out(bill_e: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert "needs the Pulumi CLI, which is not on the PATH" in bill_e("receipts", "--stack", "dev").error()


def _install_pulumi(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    script = folder / "pulumi"
    script.write_text(f"#!{sys.executable}\nimport json, sys\n{body}\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_stack_is_read_from_pulumi(bill_e: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    outputs: dict[str, Any] = {**OUTPUTS, "api_auth": "jwt", "api_url": "http://127.0.0.1:9"}
    expected = ["stack", "output", "--json", "--non-interactive", "--stack=dev"]
    _install_pulumi(tmp_path, monkeypatch, f"assert sys.argv[1:] == {expected}\nprint(json.dumps({outputs}))")
    ran = bill_e("receipts", "--stack", "dev", "--token", "t")

    assert "GET /receipts: cannot connect to http://127.0.0.1:9: is it running" in ran.err


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("sys.exit(\"error: no stack named 'dve' found\")", "no stack named 'dve' found"),
        ("sys.exit(3)", "`pulumi` exited with code 3"),
    ],
)
def test_failure_of_pulumi_is_reported_in_its_words_or_by_its_exit_code(
    bill_e: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, body: str, sentence: str
) -> None:
    _install_pulumi(tmp_path, monkeypatch, body)
    error = bill_e("receipts", "--stack", "dve").error()
    assert f"cannot read the outputs of stack 'dve': {sentence}\n" in error
