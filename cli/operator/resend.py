"""Sending events about object versions through a stack's resend queue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from cli.errors import BillEError, explained
from cli.operator.pace import Counting, concurrently
from cli.operator.resources import StackResources
from functions.reconciliation.inventory import StoredVersion
from functions.reconciliation.resends import (
    BATCH_MESSAGES,
    NotTakenError,
    message_body,
    resend_event,
    send_batch,
)

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

SENDERS = 4
"""How many batches are sent at the same time."""

MakeEvent = Callable[[StoredVersion], dict[str, Any]]
"""Makes the event that tells the processor about an object version."""


def event_maker(resources: StackResources, source: str) -> MakeEvent:
    """Return the function that makes events for the command `source`, on behalf of the operator who runs it.

    The `eventSource` of the events is the command. The principal is ``bill-e:reconcile:AIDA…``, the command
    and the operator who sent the event.
    """
    return partial(
        resend_event,
        bucket=resources.bucket,
        region=resources.region,
        source=source,
        principal=f"{source}:{resources.user_id()}",
    )


def send_events(
    resources: StackResources, events: Iterable[dict[str, Any]], total: int, counting: Counting
) -> int:
    """Send events, roughly in order, and return how many; an error says how many were sent."""
    sent = 0
    bodies = map(message_body, events)
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
    with explained("sending to the queue (sqs:SendMessage)", granted_by="operator_policy"):
        try:
            send_batch(sqs, queue_url, bodies)
        except NotTakenError as error:
            raise BillEError(str(error)) from error
    return len(bodies)
