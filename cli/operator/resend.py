"""Sending events about object versions through a stack's resend queue."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from cli.errors import BillEError, explained
from cli.operator.inventory import StoredVersion
from cli.operator.pace import Counting, concurrently
from cli.operator.resources import StackResources
from functions.contract.entry import ObjectVersion
from functions.contract.s3_events import record_of

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

BATCH_MESSAGES = 10
"""The most that SendMessageBatch takes."""

SENDERS = 4
"""How many batches are sent at the same time."""

ATTEMPTS = 5
"""How many times a message is sent if the queue doesn't take it."""

MakeEvent = Callable[[StoredVersion], dict[str, Any]]
"""Makes the event that tells the processor about an object version."""


def event_maker(resources: StackResources, source: str) -> MakeEvent:
    """Return the function that makes events for the command `source`, on behalf of the operator who runs it.

    The events are like S3's (S3 User Guide, "Event message structure"). The processor only takes the object
    version from them. The rest is for whoever reads a dead letter: the `eventSource` is the command, and the
    principal is ``bill-e:reconcile:AIDA…``, the command and the operator who sent the event.
    """
    bucket, region, principal = resources.bucket, resources.region, f"{source}:{resources.user_id()}"

    def event(version: StoredVersion) -> dict[str, Any]:
        record = record_of(
            ObjectVersion(bucket=bucket, key=version.key, version_id=version.version_id),
            source=source,
            name="ObjectCreated:Resent",
            time=version.modified,
            region=region,
            size_bytes=version.size_bytes,
            principal=principal,
        )
        return {"Records": [record]}

    return event


def send_events(
    resources: StackResources, events: Iterable[dict[str, Any]], total: int, counting: Counting
) -> int:
    """Send events, roughly in order, and return how many; an error says how many were sent."""
    sent = 0
    bodies = (json.dumps(event, separators=(",", ":")) for event in events)
    with counting("sent", total) as advance:
        try:
            for count in send_messages(resources.sqs, resources.resend_queue_url, bodies):
                sent += count
                advance(count)
        except BillEError as error:
            raise BillEError(
                f"{error}; at least {sent:,} of {total:,} were sent. "
                "Run it again: it sends what still has no entry"
            ) from error
    return sent


def send_messages(sqs: SQSClient, queue_url: str, bodies: Iterable[str]) -> Iterator[int]:
    """Send messages in batches, a few at the same time; yield the size of each batch that was sent."""
    return concurrently(lambda batch: _send_batch(sqs, queue_url, batch), _batches(bodies), SENDERS)


def _batches(bodies: Iterable[str]) -> Iterator[list[str]]:
    source = iter(bodies)
    while batch := list(islice(source, BATCH_MESSAGES)):
        yield batch


def _send_batch(sqs: SQSClient, queue_url: str, bodies: Sequence[str]) -> int:
    """Send a batch, and send again what the queue didn't take."""
    waiting: dict[str, SendMessageBatchRequestEntryTypeDef] = {
        str(number): {"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)
    }
    failed: list[str] = []
    for _ in range(ATTEMPTS):
        with explained("sending to the queue (sqs:SendMessage)", granted_by="operator_policy"):
            answer = sqs.send_message_batch(QueueUrl=queue_url, Entries=list(waiting.values()))
        for entry in answer.get("Successful", ()):
            del waiting[entry["Id"]]
        if not waiting:
            return len(bodies)
        failed = [f"{entry.get('Message', '')} ({entry['Code']})" for entry in answer.get("Failed", ())]
    reason = failed[0] if failed else "no reason given"
    raise BillEError(f"the queue did not take {len(waiting)} messages: {reason}")
