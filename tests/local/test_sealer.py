"""The sealer on the whole stack, under its own role."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from functions.contract.sealing import SETTLED_AFTER_SECONDS
from functions.sealing.leaf import Leaf, record_of, record_sha256
from functions.sealing.note import VerifierKey
from tests.local.stack import DeployedStack, deployed_stack, png
from tests.log_check import checked_leaves


@pytest.fixture(scope="module")
def own_stack() -> Iterator[DeployedStack]:
    with deployed_stack({"bill-e:objectLockDays": 1}) as stack:
        yield stack


def seal(stack: DeployedStack) -> dict[str, Any]:
    """Have everything sealed at once. The schedule may do so at the same time."""
    while True:
        answer = stack.administrator.client("lambda").invoke(
            FunctionName=stack.outputs["sealer"], Payload=json.dumps({SETTLED_AFTER_SECONDS: 0}).encode()
        )
        told: dict[str, Any] = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, told
        if not told["sealed"]:
            return told


def leaves(stack: DeployedStack) -> list[Leaf]:
    s3, bucket = stack.administrator.client("s3"), stack.outputs["log_bucket"]
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    keys = [found["Key"] for page in pages for found in page["Contents"]]
    key = VerifierKey.parse(stack.outputs["log_public_key"])
    assert key.name == stack.outputs["log_origin"]
    return checked_leaves(lambda path: s3.get_object(Bucket=bucket, Key=path)["Body"].read(), keys, key)


@pytest.mark.claim(
    "each entry is sealed in a log that is signed in KMS, as the API shows it, and once",
    section="Only what is true enters the ledger",
)
def test_each_entry_is_sealed_as_the_api_shows_it(own_stack: DeployedStack) -> None:
    own_stack.entries_of(*(own_stack.upload(f"{uuid.uuid4()}.png", png()) for _ in range(3)))
    seal(own_stack)
    own_stack.entry_of(own_stack.upload("empty.png", b""))
    seal(own_stack)

    entries = own_stack.entries()
    assert len(entries) == 4
    records = sorted(record_sha256(record_of(entry)) for entry in entries)
    assert sorted(leaf.record_sha256 for leaf in leaves(own_stack)) == records


def test_a_checkpoint_is_locked_in_the_history(own_stack: DeployedStack) -> None:
    seal(own_stack)

    s3, bucket = own_stack.administrator.client("s3"), own_stack.outputs["log_bucket"]
    head = s3.head_object(Bucket=bucket, Key="checkpoints/0")
    assert head["ObjectLockMode"] == "GOVERNANCE"
    assert "ObjectLockMode" not in s3.head_object(Bucket=bucket, Key="checkpoint")
