from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.aws import AccessKey, Aws
from local.embedded_stack import create_user
from tests.local.stack import DeployedStack, declared, png

ROUTES = [
    *[("GET", "/receipts"), ("GET", f"/receipts/{'0' * 64}"), ("POST", "/uploads")],
    ("GET", f"/files/{'0' * 64}"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_unsigned_call_is_refused(stack: DeployedStack, method: str, path: str) -> None:
    assert stack.call(method, path, unsigned=True).status == 403


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_call_signed_with_a_wrong_secret_is_refused(stack: DeployedStack, method: str, path: str) -> None:
    wrong = replace(stack.caller.key, secret="a" * 40)

    assert stack.call(method, path, signed_by=wrong).status == 403


def test_call_signed_with_an_unknown_key_is_refused(stack: DeployedStack) -> None:
    unknown = AccessKey(id="AKIAUNKNOWNUNKNOWN12", secret="a" * 40)

    assert stack.call("GET", "/receipts", signed_by=unknown).status == 403


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_call_of_a_user_without_a_policy_is_refused(stack: DeployedStack, method: str, path: str) -> None:
    assert stack.call(method, path, signed_by=new_user(stack)).status == 403


def test_user_who_may_only_read_cannot_ask_for_an_upload(stack: DeployedStack) -> None:
    policy = json.loads(stack.outputs["caller_policy"])
    (api_statement,) = (one for one in policy["Statement"] if one["Action"] == "execute-api:Invoke")
    reading = [arn for arn in api_statement["Resource"] if "/GET/" in arn]
    auditor = new_user(stack, {**policy, "Statement": [{**api_statement, "Resource": reading}]})

    assert stack.call("GET", "/receipts", signed_by=auditor).status == 200
    assert stack.call("POST", "/uploads", body=declared(png()), signed_by=auditor).status == 403


def test_unsigned_upload_is_refused(stack: DeployedStack) -> None:
    url = f"{stack.emulator.endpoint_url}/{stack.bucket}/unsigned.png"

    assert stack.send("PUT", url, {}, png()).status == 403


def test_unsigned_form_is_refused(stack: DeployedStack) -> None:
    form = {"url": f"{stack.emulator.endpoint_url}/{stack.bucket}", "fields": {"key": "unsigned.png"}}

    assert stack.post_form(form, png()).status == 403


def test_user_without_a_policy_cannot_upload(stack: DeployedStack) -> None:
    stranger = stack.emulator.seen_by(new_user(stack))
    try:
        assert_denied(
            lambda: stranger.client("s3").put_object(Bucket=stack.bucket, Key="stranger.png", Body=png())
        )
    finally:
        stranger.close()


BEYOND_A_CALLER: dict[str, Callable[[Aws, dict[str, Any]], object]] = {
    "read an upload": lambda aws, outputs: aws.client("s3").get_object(
        Bucket=outputs["uploads_bucket"], Key="any.png"
    ),
    "list uploads": lambda aws, outputs: aws.client("s3").list_objects_v2(Bucket=outputs["uploads_bucket"]),
    "delete an upload": lambda aws, outputs: aws.client("s3").delete_object(
        Bucket=outputs["uploads_bucket"], Key="any.png"
    ),
    "read the ledger": lambda aws, outputs: aws.client("dynamodb").scan(TableName=outputs["ledger_table"]),
    "write to the ledger": lambda aws, outputs: aws.client("dynamodb").put_item(
        TableName=outputs["ledger_table"], Item={"fingerprint": {"S": "x"}, "entry": {"S": "RECEIPT"}}
    ),
    "send an event": lambda aws, outputs: aws.client("sqs").send_message(
        QueueUrl=outputs["queue_url"], MessageBody="{}"
    ),
    "take dead letters": lambda aws, outputs: aws.client("sqs").receive_message(
        QueueUrl=outputs["dead_letter_queue_url"]
    ),
    "see functions": lambda aws, _outputs: aws.client("lambda").list_functions(),
}


@pytest.mark.parametrize("deed", BEYOND_A_CALLER)
def test_caller_cannot(stack: DeployedStack, deed: str) -> None:
    assert_denied(lambda: BEYOND_A_CALLER[deed](stack.caller, dict(stack.outputs)))


def test_function_can_do_no_more_than_its_role_says(stack: DeployedStack) -> None:
    iam = stack.administrator.client("iam")
    (role,) = (
        function["Role"].rpartition("/")[2]
        for function in stack.administrator.client("lambda").list_functions()["Functions"]
        if function["Handler"].startswith("functions.reader.")
    )
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    policy = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    iam.delete_role_policy(RoleName=role, PolicyName=name)
    try:
        without = stack.get("/receipts")
    finally:
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(policy))

    assert without.status >= 500
    assert stack.get("/receipts").status == 200


def new_user(stack: DeployedStack, policy: dict[str, Any] | None = None) -> AccessKey:
    name, document = f"user-{uuid.uuid4().hex[:8]}", json.dumps(policy) if policy else None
    return create_user(stack.administrator, name, document)


def assert_denied(deed: Callable[[], object]) -> None:
    with pytest.raises(ClientError) as refusal:
        deed()
    assert refusal.value.response["Error"]["Code"] in {"AccessDenied", "AccessDeniedException"}
