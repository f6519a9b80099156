"""`protectData`: what survives every way to destroy a stack, and how to remove a stack on purpose."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from functions.contract.sealing import SETTLED_AFTER_SECONDS
from local.aws import Aws
from tests.engine.stacks import DATA_TYPES, Engine, Stack
from tests.local.account import inventory
from tests.local.eventually import eventually
from tests.local.stack import png
from tests.protected_types import GUARD_DATA, HOLD_DATA

BUCKET, TABLE = "aws:s3/bucket:Bucket", "aws:dynamodb/table:Table"
KEY, QUEUE = "aws:kms/key:Key", "aws:sqs/queue:Queue"

SETTINGS = {"objectLockDays": 1, "encryption": "customer-key"}
RECEIPT = "receipt.png"


@pytest.fixture(scope="module")
def stack(new_engine: Callable[..., Engine]) -> Stack:
    """A stack with an upload, its entry and a message."""
    stack = new_engine().stack("protected", {"protectData": True, **SETTINGS})
    deployed = stack.up()
    assert deployed.code == 0, deployed.text
    aws, outputs = stack.engine.aws, stack.outputs()
    aws.client("s3").put_object(Bucket=outputs["uploads_bucket"], Key=RECEIPT, Body=png())
    table = outputs["ledger_table"]
    eventually("an entry", lambda: aws.client("dynamodb").scan(TableName=table)["Items"])
    # Then the schedule changes nothing more.
    eventually("it is sealed", lambda: _sealed(aws, outputs["sealer"]))
    aws.client("sqs").send_message(QueueUrl=outputs["dead_letter_queue_url"], MessageBody="kept")
    return stack


@pytest.mark.parametrize("flags", [[], ["--skip-preview"], ["--exclude-protected"], ["--target"]], ids=str)
def test_destroy_gets_at_nothing_that_holds_or_guards_data(stack: Stack, flags: list[str]) -> None:
    restored = stack.up()
    assert restored.code == 0, restored.text
    before = _guarded(stack)
    assert {type_ for type_, _, _ in before} == DATA_TYPES | GUARD_DATA
    there = _there(stack.engine.aws)
    keys = {id_ for type_, id_, _ in before if type_ == KEY}
    targets = [f"--target={urn}" for _, _, urn in before] if "--target" in flags else flags

    destroyed = stack.destroy(*targets)

    assert _guarded(stack) == before, destroyed.text
    assert _there(stack.engine.aws) == there, destroyed.text
    assert keys <= {*inventory(stack.engine.aws)[KEY]}, destroyed.text


def test_unprotected_stack_is_destroyed_and_leaves_only_the_customer_s_key(stack: Stack) -> None:
    assert stack.up().code == 0
    (key,) = (id_ for type_, id_, urn in _guarded(stack) if type_ == KEY and "encryption" in urn)
    stack.configure(protectData=False, **SETTINGS)

    unprotected = stack.up()
    assert unprotected.code == 0, unprotected.text
    gone = stack.destroy()

    assert gone.code == 0, gone.text
    assert inventory(stack.engine.aws) == {KEY: [key]}


def _sealed(aws: Aws, sealer: str) -> bool:
    """Have everything sealed, and say whether nothing was left to seal."""
    now = json.dumps({SETTLED_AFTER_SECONDS: 0}).encode()
    answer = aws.client("lambda").invoke(FunctionName=sealer, Payload=now)
    return bool(json.loads(answer["Payload"].read()).get("sealed") == 0)


def _guarded(stack: Stack) -> set[tuple[str, str, str]]:
    """Type, id and URN of all that holds or guards data, as Pulumi's state has it."""
    return {
        (resource["type"], resource["id"], resource["urn"])
        for resource in stack.resources()
        if resource["type"] in DATA_TYPES | GUARD_DATA and "alarms-key" not in resource["urn"]
    }


def _there(aws: Aws) -> dict[str, Any]:
    """The data and what guards it, as AWS has them."""
    listed = {type_: ids for type_, ids in inventory(aws).items() if type_ in HOLD_DATA}
    return {
        **listed,
        "buckets": [_bucket(aws, name) for name in listed[BUCKET]],
        "queues": [_queue(aws, url) for url in listed[QUEUE]],
        "tables": [aws.client("dynamodb").scan(TableName=name)["Items"] for name in listed[TABLE]],
    }


def _bucket(aws: Aws, name: str) -> dict[str, Any]:
    s3 = aws.client("s3")
    versions = s3.list_object_versions(Bucket=name).get("Versions", [])
    return {
        "versions": [(each["Key"], each["VersionId"], each["ETag"]) for each in versions],
        "policy": s3.get_bucket_policy(Bucket=name)["Policy"],
        "versioning": s3.get_bucket_versioning(Bucket=name).get("Status"),
        "encryption": s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"],
        "public access": s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"],
    }


def _queue(aws: Aws, url: str) -> dict[str, Any]:
    asked = ["Policy", "RedrivePolicy", "KmsMasterKeyId", "ApproximateNumberOfMessages"]
    sqs: Any = aws.client("sqs")
    attributes: dict[str, Any] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=asked)["Attributes"]
    return attributes
