"""The person on call sees a stack's queues, dead letters and alarms, as far as they may."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError

from cli.console.app import open_console
from cli.stack import read_outputs_file
from functions.contract import metric_names
from functions.contract.entry import ObjectVersion
from local.in_process.events import s3_event
from tests.cli.conftest import ChangeCall, denied
from tests.cli.conftest import change_call as change_call
from tests.cli.conftest import operated as operated
from tests.cli.fake_stack import TOKEN
from tests.cli.operated_stack import BUCKET, REGION, OperatedStack, entry_of
from tests.console.served import Served, served

if TYPE_CHECKING:
    from types_boto3_cloudwatch import CloudWatchClient

TOPIC = f"arn:aws:sns:{REGION}:123456789012:alarms"
LOST = ObjectVersion(bucket=BUCKET, key="lost.png", version_id="l")


@pytest.fixture
def cloudwatch(operated: OperatedStack) -> Iterator[CloudWatchClient]:
    """An account with three of the stack's alarms, and one that isn't the stack's."""
    operated.rewrite_outputs(alarm_topic=TOPIC)
    with closing(boto3.client("cloudwatch", region_name=REGION)) as client:
        for name, metric, topic in (
            ("missing", metric_names.MISSING, TOPIC),
            ("unsealed", metric_names.UNSEALED_AGE, TOPIC),
            ("errors", "Errors", TOPIC),
            ("foreign", metric_names.UNBACKED, f"{TOPIC}-of-another-stack"),
        ):
            client.put_metric_alarm(
                AlarmName=name,
                AlarmDescription=f"What to do: docs/operations.md#{name}",
                Namespace=metric_names.NAMESPACE,
                MetricName=metric,
                Dimensions=[{"Name": metric_names.STACK, "Value": "dev"}],
                AlarmActions=[topic],
                Statistic="Maximum",
                Period=300,
                EvaluationPeriods=1,
                Threshold=1,
                ComparisonOperator="GreaterThanOrEqualToThreshold",
            )
        yield client


@contextmanager
def opened(operated: OperatedStack) -> Iterator[Served]:
    access = read_outputs_file(operated.outputs)
    with open_console(access, name="prod", token=TOKEN, pinned=None) as console, served(console) as made:
        made.sign_in()
        yield made


@pytest.fixture
def page(operated: OperatedStack, cloudwatch: CloudWatchClient) -> Iterator[Served]:  # noqa: ARG001
    with opened(operated) as made:
        yield made


@pytest.fixture
def _nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.console.operations.FRESH_SECONDS", 0)


def publish(cloudwatch: CloudWatchClient, metric: str, stack: str, *values: tuple[float, timedelta]) -> None:
    for value, age in values:
        cloudwatch.put_metric_data(
            Namespace=metric_names.NAMESPACE,
            MetricData=[
                {
                    "MetricName": metric,
                    "Dimensions": [{"Name": metric_names.STACK, "Value": stack}],
                    "Timestamp": datetime.now(UTC) - age,
                    "Value": value,
                }
            ],
        )


def leave_letters(operated: OperatedStack, *bodies: str) -> None:
    for body in bodies:
        operated.sqs.send_message(QueueUrl=operated.dead_letter_queue_url, MessageBody=body)


def seen(page: Served) -> dict[str, Any]:
    answer = page.get("/api/operations")
    assert answer.status == 200
    items: dict[str, Any] = answer.json
    return items


def test_queues_and_dead_letters_are_shown(page: Served, operated: OperatedStack) -> None:
    operated.sqs.send_message(QueueUrl=operated.queue_url, MessageBody="waiting")
    leave_letters(operated, "not JSON", s3_event(entry_of(LOST).upload))

    items = seen(page)

    none = {"waiting": 0, "in_work": 0}
    assert items["backlog"] == {"value": {"uploads": {"waiting": 1, "in_work": 0}, "resends": none}}
    letters = {letter["state"]: letter for letter in items["dead_letters"]["value"]}
    assert items["dead_letters"]["about"] == 2
    assert "must be JSON" in letters["unreadable"]["reason"]
    assert [upload["key"] for upload in letters["not recorded"]["uploads"]] == ["lost.png"]
    assert not {"body", "handle"} & letters["unreadable"].keys()
    assert page.get("/api/session").json["can"]["operate"] is True


def test_alarms_and_the_newest_figures_are_shown(page: Served, cloudwatch: CloudWatchClient) -> None:
    cloudwatch.set_alarm_state(AlarmName="missing", StateValue="ALARM", StateReason="3 >= 1")
    publish(
        *(cloudwatch, metric_names.MISSING, "dev"),
        *((7, timedelta(hours=9)), (3, timedelta(minutes=30)), (9, timedelta(days=3))),
    )
    publish(cloudwatch, metric_names.MISSING, "another stack", (99, timedelta(minutes=1)))
    publish(cloudwatch, metric_names.UNBACKED, "dev", (99, timedelta(minutes=1)))

    items = seen(page)

    alarms = items["alarms"]["value"]
    assert [(alarm["name"], alarm["state"] == "ALARM") for alarm in alarms] == [
        *(("missing", True), ("errors", False), ("unsealed", False))
    ]
    assert (alarms[0]["reason"], alarms[0]["metric"]) == ("3 >= 1", metric_names.MISSING)
    assert alarms[0]["description"] == "What to do: docs/operations.md#missing"
    assert items["missing"]["value"] == 3
    assert items["unsealed"] == {"unavailable": "nothing has been published yet"}
    assert items["unbacked"] == {"unavailable": "no alarm of the stack watches it"}


def test_a_figure_that_is_not_published_any_more_is_told_from_a_new_one(
    page: Served, cloudwatch: CloudWatchClient
) -> None:
    age = timedelta(days=12)
    publish(cloudwatch, metric_names.UNSEALED_AGE, "dev", (4, age))

    day = (datetime.now(UTC) - age).date()
    assert seen(page)["unsealed"] == {"unavailable": f"the last value was published on {day}"}


@pytest.mark.claim(
    "the console shows nobody what their own permissions don't let them see",
    section="The console",
)
def test_what_the_person_may_not_see_is_said_to_be_unavailable(page: Served, change_call: ChangeCall) -> None:
    change_call("sqs", "get_queue_attributes", denied)
    change_call("cloudwatch", "describe_alarms", denied)

    items = seen(page)

    assert {name: item.get("missing_right") for name, item in items.items()} == {
        **dict.fromkeys(("backlog", "dead_letters"), "operator_policy"),
        **dict.fromkeys(("alarms", "missing", "unbacked", "unsealed"), "ReadOnlyAccess"),
    }
    assert "(sqs:GetQueueAttributes): access denied" in items["backlog"]["unavailable"]
    assert page.get("/api/session").json["can"]["operate"] is False


def test_a_person_who_may_not_redrive_is_told_what_is_missing(
    page: Served, operated: OperatedStack, change_call: ChangeCall
) -> None:
    change_call("sqs", "receive_message", denied)
    leave_letters(operated, "stays")

    refused = page.ask("POST", "/api/operations/redrive", page.own, b'{"ids": ["x"]}')

    assert refused.problem == (403, "missing-right")
    assert (refused.json["missing_right"], refused.json["redriven"]) == ("operator_policy", [])


def test_what_could_not_be_reached_is_not_taken_for_forbidden(page: Served, change_call: ChangeCall) -> None:
    calls = count()

    def unreachable_once(ask: Any, **parameters: Any) -> Any:
        if next(calls) == 0:
            raise EndpointConnectionError(endpoint_url="https://sqs.example")
        return ask(**parameters)

    change_call("sqs", "get_queue_attributes", unreachable_once)

    assert [page.get("/api/session").json["can"]["operate"] for _ in range(2)] == [False, True]


def test_a_stack_without_the_outputs_for_operators_has_nothing_to_show(operated: OperatedStack) -> None:
    operated.rewrite_outputs(queue_url=None)

    with opened(operated) as page:
        items = seen(page)

        assert "no output 'queue_url'" in items["backlog"]["unavailable"]
        assert "no output 'alarm_topic'" in items["alarms"]["unavailable"]
        assert page.get("/api/session").json["can"]["operate"] is False


@pytest.mark.usefixtures("_nothing_is_kept")
def test_a_redrive_moves_the_letters_that_are_named_and_is_logged(
    page: Served, operated: OperatedStack
) -> None:
    leave_letters(operated, s3_event(entry_of(LOST).upload), "stays")
    letters = {letter["state"]: letter["id"] for letter in seen(page)["dead_letters"]["value"]}
    body = json.dumps({"ids": [letters["not recorded"]]}).encode()

    moved = page.ask("POST", "/api/operations/redrive", page.own, body)

    assert moved.json == {"redriven": [letters["not recorded"]]}
    assert [record["s3"]["object"]["key"] for record in operated.sent()] == ["lost.png"]
    assert [letter["id"] for letter in seen(page)["dead_letters"]["value"]] == [letters["unreadable"]]
    assert [line["message"] for line in operated.logged()] == [
        "dead letter will be redriven",
        "dead letter redriven",
    ]


def test_a_redrive_makes_what_was_seen_before_void(page: Served, operated: OperatedStack) -> None:
    leave_letters(operated, s3_event(entry_of(LOST).upload))
    (letter,) = seen(page)["dead_letters"]["value"]

    page.ask("POST", "/api/operations/redrive", page.own, json.dumps({"ids": [letter["id"]]}).encode())

    assert seen(page)["dead_letters"]["value"] == []


def test_an_answer_is_kept_for_a_while_since_looking_hides_letters(
    page: Served, operated: OperatedStack
) -> None:
    assert seen(page)["dead_letters"]["value"] == []
    leave_letters(operated, "later")

    assert seen(page)["dead_letters"]["value"] == []


def test_a_redrive_that_fails_says_what_was_done(
    page: Served, operated: OperatedStack, change_call: ChangeCall
) -> None:
    sent = count()

    def once(send: Any, **parameters: Any) -> Any:
        return denied() if next(sent) else send(**parameters)

    change_call("sqs", "send_message", once)
    leave_letters(operated, "one", "two")
    ids = [letter["id"] for letter in seen(page)["dead_letters"]["value"]]

    failed = page.ask("POST", "/api/operations/redrive", page.own, json.dumps({"ids": ids}).encode())

    assert failed.problem == (403, "missing-right")
    assert len(failed.json["redriven"]) == 1
    assert set(failed.json["redriven"]) < set(ids)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"ids": []}', b'{"ids": "x"}', b'{"ids": [1]}', b'{"ids": %b}']
)
def test_a_redrive_needs_ids(page: Served, operated: OperatedStack, body: bytes) -> None:
    if b"%b" in body:
        body = body % json.dumps(["x"] * 101).encode()
    leave_letters(operated, "stays")

    refused = page.ask("POST", "/api/operations/redrive", page.own, body)

    assert refused.problem == (400, "invalid-request")
    assert operated.logged() == []


def test_another_site_cannot_redrive(page: Served, operated: OperatedStack) -> None:
    leave_letters(operated, "stays")
    (letter,) = seen(page)["dead_letters"]["value"]
    body = json.dumps({"ids": [letter["id"]]}).encode()

    refused = page.ask(
        "POST", "/api/operations/redrive", {**page.cookie, "Origin": "https://evil.example"}, body
    )

    assert refused.problem == (403, "not-from-page")
    assert operated.sent() == []
