"""The reconciler on the whole stack, under its own role and by its own schedule."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from functions.contract.metric_names import CHANGED_CONFIGURATION, MISSING
from functions.contract.reconciliation import BEGIN_WITH_AGE
from local.queues import depth
from tests.local.eventually import eventually
from tests.local.stack import DeployedStack, deployed_stack, events_lost, png


@pytest.fixture(scope="module")
def own_stack() -> Iterator[DeployedStack]:
    """A stack without other tests' lost uploads."""
    with deployed_stack() as stack:
        yield stack


def reconcile(stack: DeployedStack) -> dict[str, Any]:
    """Have the reconciler judge every upload, and return what it says."""
    queues = ("queue_url", "resend_queue_url")
    eventually("queues are empty", lambda: not any(depth(stack, queue).total for queue in queues))
    answer = stack.administrator.client("lambda").invoke(
        FunctionName=stack.outputs["reconciler"], Payload=json.dumps({BEGIN_WITH_AGE: 0}).encode()
    )
    told: dict[str, Any] = json.loads(answer["Payload"].read())
    assert told.get("complete"), told
    return told


def logged(stack: DeployedStack) -> list[dict[str, Any]]:
    group = stack.outputs["log_groups"]["reconciler"]
    events = stack.administrator.client("logs").filter_log_events(logGroupName=group)["events"]
    return [json.loads(event["message"]) for event in events if event["message"].startswith("{")]


@pytest.mark.claim(
    "an upload that S3 told nobody about gets its entry, and the alarms over missing uploads and a changed "
    "configuration go off",
    section="Only what is true enters the ledger",
)
def test_an_upload_without_a_notification_is_found_and_recorded(own_stack: DeployedStack) -> None:
    recorded = own_stack.upload(f"{uuid.uuid4()}.png", png())
    own_stack.entry_of(recorded)
    with events_lost(own_stack):
        lost = own_stack.upload(f"Öl + 100%/{uuid.uuid4()}.png", png())
        # S3's times are whole seconds.
        eventually("the upload is old enough", lambda: reconcile(own_stack)["missing"] == 1)

    entry = own_stack.entry_of(lost)
    assert (entry["outcome"], entry["key"], entry["resent"]) == ("ACCEPTED", lost.key, True)
    assert own_stack.entries_of(recorded, lost)
    after = reconcile(own_stack)
    assert (after["versions"], after["missing"], after["in_flight"]) == (2, 0, 0)
    lines = logged(own_stack)
    assert {line["part"] for line in lines if "part" in line} == {"notification"}
    assert {line[MISSING] for line in lines if MISSING in line} >= {0, 1}
    assert [line[CHANGED_CONFIGURATION] for line in lines if CHANGED_CONFIGURATION in line][-1] == 0


def test_the_schedule_invokes_it(own_stack: DeployedStack) -> None:
    events: Any = own_stack.administrator.client("events")
    (rule,) = (each for each in events.list_rules()["Rules"] if "reconciler" in each["Name"])
    assert rule["ScheduleExpression"] == "rate(15 minutes)"
    before = len(logged(own_stack))
    # The same rule, sooner.
    events.put_rule(Name=rule["Name"], ScheduleExpression="rate(1 minute)", State="ENABLED")

    eventually("it ran by itself", lambda: len(logged(own_stack)) > before, timeout_seconds=90)
