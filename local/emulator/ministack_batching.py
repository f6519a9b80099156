"""Adds the batching window of a queue's mapping to ministack's Lambda.

Lambda invokes a function as soon as a batch is full or its window, which begins with the first message, is
over (AWS Lambda Developer Guide, "Using Lambda with Amazon SQS", "Batching behavior").
"""

from __future__ import annotations

import threading
import time
from itertools import islice
from typing import Any

from ministack.core.concurrency import esm_wake
from ministack.services import lambda_svc, sqs

MOST_AT_ONCE = 10
"""The most that ministack's poller takes, whatever the mapping's batch size: such a batch counts as full."""

_opened: dict[str, float] = {}
"""Each queue's URL, and the time when its window began. Only the poller's thread reads this."""


def install() -> None:
    """Make ministack's poller leave messages in the queue until their batch is full or its window is over."""
    receive = sqs._receive_messages_for_esm

    def receive_when_due(queue_url: str, max_number: int) -> list[dict[str, Any]]:
        window = _window_seconds(queue_url)
        if window and not _is_due(queue_url, min(max_number, MOST_AT_ONCE), window):
            return []
        _opened.pop(queue_url, None)
        batch: list[dict[str, Any]] = receive(queue_url, max_number)
        return batch

    sqs._receive_messages_for_esm = receive_when_due


def _window_seconds(queue_url: str) -> int:
    arn = sqs._queues[queue_url]["attributes"]["QueueArn"]
    windows = (
        mapping["MaximumBatchingWindowInSeconds"]
        for _account, _region, mapping in lambda_svc._iter_all_esms()
        if mapping["EventSourceArn"] == arn
    )
    return next(windows, 0)


def _is_due(queue_url: str, batch_size: int, window_seconds: int) -> bool:
    now = time.time()
    waiting = (
        message for message in sqs._queues[queue_url]["messages"] if message.get("visible_at", 0) <= now
    )
    count = sum(1 for _ in islice(waiting, batch_size))
    if count == 0:
        _opened.pop(queue_url, None)  # the message that opened it is gone
        return False
    if count >= batch_size:
        return True
    if queue_url not in _opened:
        _opened[queue_url] = now
        ending = threading.Timer(window_seconds, esm_wake.set)
        ending.daemon = True
        ending.start()
    return now - _opened[queue_url] >= window_seconds
