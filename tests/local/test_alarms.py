"""Alarms of the deployed stack: each goes off at its threshold, and tells the topic.

The emulator evaluates alarms when a datapoint is put, so these tests put the services' metrics. It ignores
dimensions, which `tests/components` check.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.local.account import policy
from tests.local.eventually import eventually
from tests.local.stack import DeployedStack


@pytest.fixture
def told(stack: DeployedStack) -> Iterator[str]:
    """A queue that receives what the alarms send."""
    sqs, sns = stack.administrator.client("sqs"), stack.administrator.client("sns")
    url = sqs.create_queue(QueueName="told-by-alarms")["QueueUrl"]
    arn = stack.administrator.arn("sqs", "told-by-alarms")
    rights = policy(Principal={"Service": "sns.amazonaws.com"}, Action="sqs:SendMessage", Resource=arn)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": rights})
    subscription = sns.subscribe(
        TopicArn=stack.outputs["alarm_topic"], Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True
    )["SubscriptionArn"]
    yield url
    sns.unsubscribe(SubscriptionArn=subscription)
    sqs.delete_queue(QueueUrl=url)


def alarms(stack: DeployedStack) -> list[Any]:
    pages = stack.administrator.client("cloudwatch").get_paginator("describe_alarms").paginate()
    return [alarm for page in pages for alarm in page["MetricAlarms"]]


def measure(stack: DeployedStack, alarm: Any, value: float) -> str:
    """Put a datapoint of the alarm's metric, and return the alarm's state after that."""
    cloudwatch = stack.administrator.client("cloudwatch")
    cloudwatch.put_metric_data(
        Namespace=alarm["Namespace"],
        MetricData=[{"MetricName": alarm["MetricName"], "Dimensions": alarm["Dimensions"], "Value": value}],
    )
    (found,) = cloudwatch.describe_alarms(AlarmNames=[alarm["AlarmName"]])["MetricAlarms"]
    return found["StateValue"]


def test_every_alarm_goes_off_at_its_threshold_and_not_below(stack: DeployedStack) -> None:
    seen: set[tuple[str, float]] = set()
    for alarm in sorted(alarms(stack), key=lambda alarm: alarm["Threshold"]):
        reached = (alarm["MetricName"], alarm["Threshold"])
        if reached in seen:
            continue
        seen.add(reached)
        # A percentile lies between the values, so the higher one has to be beyond the threshold.
        factor = 2 if alarm.get("ExtendedStatistic") else 1
        assert measure(stack, alarm, 0) != "ALARM", alarm["AlarmName"]
        assert measure(stack, alarm, alarm["Threshold"] * factor) == "ALARM", alarm["AlarmName"]
    assert len(seen) >= 9


def test_a_dead_letter_tells_the_topic_with_a_link_to_the_runbook(stack: DeployedStack, told: str) -> None:
    sqs = stack.administrator.client("sqs")
    (alarm,) = (alarm for alarm in alarms(stack) if "dead-letters" in alarm["AlarmName"])
    stack.administrator.client("cloudwatch").set_alarm_state(
        AlarmName=alarm["AlarmName"], StateValue="OK", StateReason="to begin with"
    )

    assert measure(stack, alarm, 1) == "ALARM"

    def message() -> Any:
        for received in sqs.receive_message(QueueUrl=told, WaitTimeSeconds=1).get("Messages", []):
            told_of = json.loads(json.loads(received["Body"])["Message"])
            if told_of["NewStateValue"] == "ALARM":
                return told_of
        return None

    heard = eventually("a message from the alarm", message)
    assert heard["AlarmName"] == alarm["AlarmName"]
    assert "docs/operations.md#dead-letters" in heard["AlarmDescription"]


def test_the_topic_is_encrypted_and_has_the_program_s_policy(stack: DeployedStack) -> None:
    topic = stack.outputs["alarm_topic"]
    attributes = stack.administrator.client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]
    key = stack.administrator.client("kms").describe_key(KeyId=attributes["KmsMasterKeyId"])["KeyMetadata"]
    statements = json.loads(attributes["Policy"])["Statement"]

    assert key["KeyManager"] == "CUSTOMER"
    assert {statement["Sid"] for statement in statements} == {"AlarmsNotify", "TlsOnly"}
