"""A stack from its first preview to its last resource, on the real engine."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.engine.stacks import Engine, Stack
from tests.local.account import inventory

NO_CHANGES = "--expect-no-changes"


@pytest.fixture(scope="module")
def stack(new_engine: Callable[..., Engine]) -> Stack:
    """A stack that was deployed; each test leaves it as the program says."""
    made = new_engine().stack()
    deployed = made.up()
    assert deployed.code == 0, deployed.text
    return made


def test_preview_of_a_new_stack_makes_nothing(new_engine: Callable[..., Engine]) -> None:
    engine = new_engine()
    before = inventory(engine.aws)

    planned = engine.stack("planned").preview()

    assert planned.code == 0, planned.text
    assert set(planned.counts()) == {"create"}
    assert inventory(engine.aws) == before


def test_second_up_changes_nothing(stack: Stack) -> None:
    again = stack.up(NO_CHANGES)

    assert again.code == 0, again.text
    assert again.changes() == []


def test_refresh_finds_no_drift(stack: Stack) -> None:
    refreshed = stack.refresh(NO_CHANGES)

    assert refreshed.code == 0, refreshed.text


def _let_another_account_read(stack: Stack, outputs: dict[str, Any]) -> None:
    other = {"AWS": "arn:aws:iam::999999999999:root"}
    statement = {"Effect": "Allow", "Principal": other, "Action": "s3:GetObject", "Resource": "*"}
    stack.engine.aws.client("s3").put_bucket_policy(
        Bucket=outputs["uploads_bucket"],
        Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )


def _shorten_the_queue(stack: Stack, outputs: dict[str, Any]) -> None:
    stack.engine.aws.client("sqs").set_queue_attributes(
        QueueUrl=outputs["queue_url"], Attributes={"VisibilityTimeout": "1", "MessageRetentionPeriod": "60"}
    )


def _starve_the_processor(stack: Stack, _outputs: dict[str, Any]) -> None:
    stack.engine.aws.client("lambda").update_function_configuration(
        FunctionName=_id(stack, "bill-e-ingest-processor-function"), MemorySize=128
    )


def _let_the_reader_write(stack: Stack, _outputs: dict[str, Any]) -> None:
    role, _, policy = _id(stack, "bill-e-api-reader-policy").partition(":")
    statement = {"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"}
    stack.engine.aws.client("iam").put_role_policy(
        RoleName=role,
        PolicyName=policy,
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )


def _silence_an_alarm(stack: Stack, _outputs: dict[str, Any]) -> None:
    stack.engine.aws.client("cloudwatch").delete_alarms(
        AlarmNames=[_id(stack, "bill-e-ingest-dead-letters-alarm")]
    )


def _id(stack: Stack, name: str) -> str:
    (found,) = (each for each in stack.resources() if each["urn"].endswith(f"::{name}"))
    return str(found["id"])


DRIFTS = {
    "bill-e-ingest-uploads-policy": _let_another_account_read,
    "bill-e-ingest-queue": _shorten_the_queue,
    "bill-e-ingest-processor-function": _starve_the_processor,
    "bill-e-api-reader-policy": _let_the_reader_write,
    "bill-e-ingest-dead-letters-alarm": _silence_an_alarm,
}
"""What is changed by hand, by the resource that it belongs to."""


def test_drift_made_by_hand_is_seen_and_repaired(stack: Stack) -> None:
    outputs = stack.outputs()
    for change in DRIFTS.values():
        change(stack, outputs)

    seen = stack.refresh(NO_CHANGES, "--preview-only")
    assert seen.code != 0
    assert "no changes were expected" in seen.text

    repaired = stack.up("--refresh")

    assert repaired.code == 0, repaired.text
    # The dashboard shows all alarms, so it changes when one is made anew.
    assert {step.name for step in repaired.changes()} - {"bill-e-dashboard-page"} == set(DRIFTS)
    assert stack.refresh(NO_CHANGES).code == 0


def test_destroy_leaves_nothing_of_an_unprotected_stack(stack: Stack) -> None:
    bucket = stack.outputs()["uploads_bucket"]
    stack.engine.aws.client("s3").put_object(Bucket=bucket, Key="receipt.png", Body=b"a receipt")

    gone = stack.destroy()

    assert gone.code == 0, gone.text
    assert stack.resources() == []
    assert not any(inventory(stack.engine.aws).values())


def test_destroy_that_stops_at_locked_uploads_leaves_their_entries(new_engine: Callable[..., Engine]) -> None:
    stack = new_engine().stack("locked", {"objectLockDays": 1, "objectLockMode": "compliance"})
    assert stack.up().code == 0
    aws, outputs = stack.engine.aws, stack.outputs()
    aws.client("s3").put_object(Bucket=outputs["uploads_bucket"], Key="receipt.png", Body=b"a receipt")

    stopped = stack.destroy()

    assert stopped.code != 0
    assert "object protected by object lock" in stopped.text
    there = inventory(aws)
    assert outputs["uploads_bucket"] in there["aws:s3/bucket:Bucket"]
    assert outputs["ledger_table"] in there["aws:dynamodb/table:Table"]
