"""The embedded AWS gathers batches as Lambda does: until they are full, or their window is over."""

from __future__ import annotations

import io
import json
import threading
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from unittest.mock import Mock

import pytest
from ministack.services import sqs

from local.emulator import batching_window
from local.emulator.batching_window import MOST_AT_ONCE
from tests.local.eventually import eventually
from tests.local.stack import DeployedStack

HANDLER = 'def handle(event, context):\n    print("received", len(event["Records"]))\n'
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
RIGHTS = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["sqs:*", "logs:*"], "Resource": "*"}],
}


class Consumer:
    """A queue, and a function that says how many messages it was given at a time."""

    def __init__(self, stack: DeployedStack, url: str, log_group: str) -> None:
        self._aws, self._url, self._log_group = stack.administrator, url, log_group

    def send(self, count: int) -> None:
        for number in range(count):
            self._aws.client("sqs").send_message(QueueUrl=self._url, MessageBody=str(number))

    def batches(self) -> list[int]:
        events = self._aws.client("logs").filter_log_events(logGroupName=self._log_group)["events"]
        said = (event["message"].split() for event in events)
        return [int(words[1]) for words in said if words[:1] == ["received"]]


@pytest.fixture
def consumer(stack: DeployedStack) -> Iterator[Callable[..., Consumer]]:
    """Makes consumers, each with a mapping of its own, and removes them."""
    aws, name = stack.administrator, f"window-{uuid.uuid4().hex[:8]}"
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("module.py", HANDLER)
    with ExitStack() as cleanup:

        def make(*, batch_size: int, window_seconds: int) -> Consumer:
            role = aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
            aws.client("iam").put_role_policy(
                RoleName=name, PolicyName=name, PolicyDocument=json.dumps(RIGHTS)
            )
            sqs, functions = aws.client("sqs"), aws.client("lambda")
            url = sqs.create_queue(QueueName=name)["QueueUrl"]
            cleanup.callback(sqs.delete_queue, QueueUrl=url)
            arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
            aws.client("logs").create_log_group(logGroupName=f"/aws/lambda/{name}")
            functions.create_function(
                FunctionName=name,
                Runtime="python3.14",
                Handler="module.handle",
                Role=role["Role"]["Arn"],
                Code={"ZipFile": code.getvalue()},
            )
            cleanup.callback(functions.delete_function, FunctionName=name)
            mapping = functions.create_event_source_mapping(
                EventSourceArn=arn["QueueArn"],
                FunctionName=name,
                BatchSize=batch_size,
                MaximumBatchingWindowInSeconds=window_seconds,
            )
            cleanup.callback(functions.delete_event_source_mapping, UUID=mapping["UUID"])
            return Consumer(stack, url, f"/aws/lambda/{name}")

        yield make


def test_a_full_batch_does_not_wait_for_its_window(consumer: Callable[..., Consumer]) -> None:
    made = consumer(batch_size=3, window_seconds=300)

    made.send(3)

    eventually("three messages are received", lambda: sum(made.batches()) == 3)
    assert made.batches() == [3]


def test_messages_within_a_window_are_one_batch(consumer: Callable[..., Consumer]) -> None:
    made = consumer(batch_size=10, window_seconds=2)

    made.send(3)

    eventually("three messages are received", lambda: sum(made.batches()) == 3)
    assert made.batches() == [3]


def test_a_batch_is_full_with_as_many_as_ministack_takes(consumer: Callable[..., Consumer]) -> None:
    made = consumer(batch_size=2 * MOST_AT_ONCE, window_seconds=300)

    made.send(2 * MOST_AT_ONCE)

    eventually("all messages are received", lambda: sum(made.batches()) == 2 * MOST_AT_ONCE)


def test_a_window_ends_with_its_last_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the next message, however much later, would not wait for others."""
    queue: dict[str, list[dict[str, Any]]] = {"messages": [{}]}
    monkeypatch.setattr(sqs, "_queues", {"url": queue})
    monkeypatch.setattr(batching_window, "_opened", {})
    monkeypatch.setattr(threading, "Timer", Mock())
    now = time.time()

    monkeypatch.setattr(time, "time", lambda: now)
    assert not batching_window._is_due("url", 10, 2)
    queue["messages"].clear()
    monkeypatch.setattr(time, "time", lambda: now + 1)
    assert not batching_window._is_due("url", 10, 2)
    queue["messages"].append({})
    monkeypatch.setattr(time, "time", lambda: now + 60)
    assert not batching_window._is_due("url", 10, 2)
    monkeypatch.setattr(time, "time", lambda: now + 62)
    assert batching_window._is_due("url", 10, 2)


def test_without_a_window_the_first_message_does_not_wait(consumer: Callable[..., Consumer]) -> None:
    made = consumer(batch_size=10, window_seconds=0)

    made.send(1)

    eventually("the message is received", lambda: made.batches() == [1])
