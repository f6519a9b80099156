"""Adds to ministack's SQS: move tasks, the permissions of batches, and repeated deliveries.

A batch needs the permission for its single action, as on AWS ("Amazon SQS API permissions"). Move tasks
follow the SQS API Reference ("StartMessageMoveTask", "ListMessageMoveTasks"): each dead-letter queue has one
at a time, which moves the messages that were there when it began. A moved message is a new one, with a new id
and a receive count of zero. Whoever moves messages has to be allowed to receive and delete them here, and to
send them there ("Configure a dead-letter queue redrive"), also by the queues' policies.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
import uuid
from collections.abc import Mapping, Set
from typing import Any

from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_region
from ministack.services import sqs

NEEDED_AT_SOURCE = ("sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage")

REPEATED_SHARE = 0.1
"""The share of the processed messages that are delivered once more, as a queue may do at any time ("Amazon
SQS standard queues", at-least-once delivery)."""

PAUSE_SECONDS = 0.05
"""The time between two messages, so that a task can be seen running."""

_tasks: dict[str, list[dict[str, Any]]] = {}
"""Each dead-letter queue's ARN, and its tasks as ListMessageMoveTasks returns them, newest first."""

_running: set[asyncio.Task[None]] = set()


def install() -> None:
    """Add the actions to ministack's SQS, and tell its IAM which permission and which resource they need."""
    sqs._HANDLERS.update(StartMessageMoveTask=_start, ListMessageMoveTasks=_list)
    action_of, resource_of = iam_actions.extract_iam_action, iam_actions.extract_resource_arn

    def single_action(service: str, *request: Any) -> str | None:
        found: str | None = action_of(service, *request)
        return found.removesuffix("Batch") if service == "sqs" and found else found

    def resource_or_source(service: str, *request: Any) -> str:
        found: str = resource_of(service, *request)
        return _source_arn(request) if service == "sqs" and found == "*" else found

    iam_actions.extract_iam_action, iam_actions.extract_resource_arn = single_action, resource_or_source


def repeat_deliveries(dice: random.Random) -> Set[str]:
    """Have ministack's Lambda leave some processed messages in their queue, and return the ids of those.

    Each comes back once, like a message that failed: after the visibility time-out.
    """
    delete, repeated = sqs._delete_messages_for_esm, set[str]()

    def delete_most(queue_url: str, receipt_handles: set[str]) -> None:
        kept = set()
        for message in list(sqs._queues[queue_url]["messages"]):
            handle, name = message["receipt_handle"], message["id"]
            if handle in receipt_handles and name not in repeated and dice.random() < REPEATED_SHARE:
                kept.add(handle)
                repeated.add(name)
        delete(queue_url, receipt_handles - kept)

    sqs._delete_messages_for_esm = delete_most
    return repeated


def _source_arn(request: tuple[Any, ...]) -> str:
    """Return the ARN in a request's JSON body; the arguments are those of `extract_resource_arn`."""
    try:
        body = json.loads(request[3] or b"{}")
    except ValueError:
        return "*"
    return str(body.get("SourceArn", "*")) if isinstance(body, dict) else "*"


def _start(data: Mapping[str, Any], _url: str) -> dict[str, Any]:
    source, destination = _queue(data["SourceArn"]), _queue(data["DestinationArn"])
    for action in NEEDED_AT_SOURCE:
        _check_permission(action, data["SourceArn"])
    _check_permission("sqs:SendMessage", data["DestinationArn"])
    tasks = _tasks.setdefault(data["SourceArn"], [])
    if tasks and tasks[0]["Status"] == "RUNNING":
        raise _refusal("UnsupportedOperation", "There is already a task running.")
    task = {
        "Status": "RUNNING",
        "SourceArn": data["SourceArn"],
        "DestinationArn": data["DestinationArn"],
        "TaskHandle": uuid.uuid4().hex,
        "ApproximateNumberOfMessagesMoved": 0,
        "ApproximateNumberOfMessagesToMove": len(source["messages"]),
        "StartedTimestamp": int(time.time() * 1000),
    }
    tasks.insert(0, task)
    moving = asyncio.get_running_loop().create_task(_move(task, source, destination))
    _running.add(moving)
    moving.add_done_callback(_running.discard)
    return {"TaskHandle": task["TaskHandle"]}


def _check_permission(action: str, arn: str) -> None:
    """Ask the caller's policies, then the queue's own, whose Deny binds root as well."""
    key = iam_evaluator._verified_key.get()
    if iam_evaluator.enforce(key, action, "sqs", get_region(), resource_arn=arn):
        raise _refusal("AccessDenied", f"Not authorized to perform: {action} on resource: {arn}", 403)
    sqs._enforce_queue_policy(_queue(arn), action)


async def _move(task: dict[str, Any], source: dict[str, Any], destination: dict[str, Any]) -> None:
    for message in list(source["messages"]):
        await asyncio.sleep(PAUSE_SECONDS)
        if message in source["messages"] and message["visible_at"] <= time.time():
            source["messages"].remove(message)
            destination["messages"].append(_anew(message))
            sqs.esm_wake.set()
            task["ApproximateNumberOfMessagesMoved"] += 1
    task["Status"] = "COMPLETED"


def _anew(message: Mapping[str, Any]) -> dict[str, Any]:
    now = time.time()
    system = {name: value for name, value in message["sys"].items() if name != "DeadLetterQueueSourceArn"}
    return {
        **message,
        "id": str(uuid.uuid4()),
        "sent_at": now,
        "visible_at": now,
        "receipt_handle": None,
        "receive_count": 0,
        "first_receive_at": None,
        "sys": {**system, "SentTimestamp": str(int(now * 1000))},
    }


def _list(data: Mapping[str, Any], _url: str) -> dict[str, Any]:
    _queue(data["SourceArn"])
    return {"Results": _tasks.get(data["SourceArn"], [])[: data.get("MaxResults", 1)]}


def _queue(arn: str) -> dict[str, Any]:
    queue: dict[str, Any] | None = sqs._queue_by_arn(arn)
    if queue is None:
        raise _refusal("ResourceNotFoundException", "The resource that you specified doesn't exist.")
    return queue


def _refusal(code: str, message: str, status: int = 400) -> Exception:
    error: Exception = sqs._Err(code, message, status)
    return error
