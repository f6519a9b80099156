"""The embedded AWS gathers batches as Lambda does: until they are full, or their window is over."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from unittest.mock import Mock

import pytest
from ministack.services import sqs

from local.aws import Aws
from local.emulator import ministack_batching
from local.emulator.ministack_batching import MOST_AT_ONCE
from local.provider import provider
from local.provider.resource_types import Existing
from tests.local.account import Account, code, policy
from tests.local.eventually import eventually
from tests.local.stack import DeployedStack

HANDLER = 'def handler(event, context):\n    print("received", len(event["Records"]))\n'
MAPPING = "aws:lambda/eventSourceMapping:EventSourceMapping"


@dataclass(frozen=True, kw_only=True)
class Consumer:
    """A queue, and a function that says how many messages it was given at a time."""

    aws: Aws
    queue: Existing
    log_group: str

    def send(self, count: int) -> None:
        for number in range(count):
            self.aws.client("sqs").send_message(QueueUrl=self.queue.id, MessageBody=str(number))

    def batches(self) -> list[int]:
        events = self.aws.client("logs").filter_log_events(logGroupName=self.log_group)["events"]
        said = (event["message"].split() for event in events)
        return [int(words[1]) for words in said if words[:1] == ["received"]]


@pytest.fixture
def consumer(stack: DeployedStack) -> Iterator[Callable[..., Consumer]]:
    """Makes consumers, each with a mapping of its own, and stops them."""
    account = Account(aws=stack.administrator)
    with ExitStack() as cleanup:

        def make(*, batch_size: int, window_seconds: int) -> Consumer:
            role, queue = account.role(), account.queue()
            rights = policy(Action=["sqs:*", "logs:*"], Resource="*")
            account.make("aws:iam/rolePolicy:RolePolicy", {"role": role.id, "policy": rights})
            function = account.function(code=code(HANDLER), role=role.outputs["arn"], runtime="python3.14")
            group = account.make("aws:cloudwatch/logGroup:LogGroup", {"name": f"/aws/lambda/{function.id}"})
            inputs = {
                "batchSize": batch_size,
                "eventSourceArn": queue.outputs["arn"],
                "functionName": function.id,
                "maximumBatchingWindowInSeconds": window_seconds,
            }
            mapping = account.make(MAPPING, inputs)
            cleanup.callback(provider.delete, account.aws, MAPPING, mapping)
            return Consumer(aws=account.aws, queue=queue, log_group=group.id)

        yield make


@pytest.mark.parametrize(
    ("batch_size", "window_seconds", "batches"),
    [(3, 300, [3]), (2 * MOST_AT_ONCE, 300, [MOST_AT_ONCE] * 2), (10, 2, [3]), (10, 0, [1])],
    ids=["full", "full with as many as ministack takes", "window over", "no window"],
)
def test_batch_ends_when_it_is_full_or_its_window_is_over(
    consumer: Callable[..., Consumer], batch_size: int, window_seconds: int, batches: list[int]
) -> None:
    made = consumer(batch_size=batch_size, window_seconds=window_seconds)

    made.send(sum(batches))

    eventually("all messages are received", lambda: sum(made.batches()) == sum(batches))
    assert made.batches() == batches


def test_a_window_ends_with_its_last_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the next message, however much later, would not wait for others."""
    queue: dict[str, list[dict[str, Any]]] = {"messages": [{}]}
    monkeypatch.setattr(sqs, "_queues", {"url": queue})
    monkeypatch.setattr(ministack_batching, "_opened", {})
    monkeypatch.setattr(threading, "Timer", Mock())
    now = time.time()

    monkeypatch.setattr(time, "time", lambda: now)
    assert not ministack_batching._is_due("url", 10, 2)
    queue["messages"].clear()
    monkeypatch.setattr(time, "time", lambda: now + 1)
    assert not ministack_batching._is_due("url", 10, 2)
    queue["messages"].append({})
    monkeypatch.setattr(time, "time", lambda: now + 60)
    assert not ministack_batching._is_due("url", 10, 2)
    monkeypatch.setattr(time, "time", lambda: now + 62)
    assert ministack_batching._is_due("url", 10, 2)
