"""Sending object versions through a stack's queue, as the events that S3 would have sent."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from cli.errors import BillEError
from cli.inventory import StoredVersion
from cli.operations import Operator, explained
from cli.progress import Advance, count_bar
from cli.terminal import Terminal

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

BATCH_MESSAGES = 10
"""The most that SendMessageBatch takes."""

SENDERS = 4
"""How many batches are sent at the same time."""

ATTEMPTS = 5
"""How often a message is sent that the queue couldn't take."""


@dataclass(frozen=True, kw_only=True)
class Events:
    """Makes events that tell the processor of object versions.

    They are S3's (S3 User Guide, "Event message structure") but for what nobody knows afterwards. `source`,
    the command, stands in `eventSource` in place of ``aws:s3``, and before the operator's id in the principal
    that the ledger keeps as the uploader: ``bill-e:reconcile:AIDA…`` sent it, and who uploaded it is unknown.
    """

    source: str
    bucket: str
    region: str
    user_id: str

    def event(self, version: StoredVersion) -> dict[str, Any]:
        """Make the event about one object version."""
        stored = {
            # As a form writes it, but with slashes: so S3 does.
            "key": quote_plus(version.key, safe="/"),
            "size": version.size_bytes,
            "versionId": version.version_id,
        }
        record = {
            "eventVersion": "2.1",
            "eventSource": self.source,
            "eventName": "ObjectCreated:Resent",
            "eventTime": version.modified,
            "awsRegion": self.region,
            "userIdentity": {"principalId": f"{self.source}:{self.user_id}"},
            "s3": {"s3SchemaVersion": "1.0", "bucket": {"name": self.bucket}, "object": stored},
        }
        return {"Records": [record]}


def events_of(operator: Operator, source: str) -> Events:
    """Make the events of a command, which `source` names, in the name of who calls it."""
    return Events(source=source, bucket=operator.bucket, region=operator.region, user_id=operator.user_id())


def send_with_progress(
    operator: Operator, events: Iterable[dict[str, Any]], total: int, terminal: Terminal
) -> int:
    """Send events, about in their order, and return how many; raise BillEError, saying how many were sent."""
    sent = 0
    with count_bar(terminal.err, "sent", total) as show:

        def advance(count: int) -> None:
            nonlocal sent
            sent += count
            show(count)

        try:
            send_messages(operator.sqs, operator.queue_url, map(_body, events), advance)
        except BillEError as error:
            raise BillEError(
                f"{error}; at least {sent:,} of {total:,} were sent. "
                "Run it again: it sends what has no entry by then"
            ) from error
    return sent


def send_messages(sqs: SQSClient, queue_url: str, bodies: Iterable[str], on_sent: Advance) -> None:
    """Send messages in batches, several at a time, telling of each batch; any number fits into memory."""
    batches = _batches(bodies)
    with ThreadPoolExecutor(SENDERS) as pool:
        sending: set[Future[int]] = set()
        while True:
            sending |= {
                pool.submit(_send_batch, sqs, queue_url, batch)
                for batch in islice(batches, SENDERS - len(sending))
            }
            if not sending:
                return
            done, sending = wait(sending, return_when=FIRST_COMPLETED)
            for future in done:
                on_sent(future.result())


def _send_batch(sqs: SQSClient, queue_url: str, bodies: Sequence[str]) -> int:
    """Send a batch, and again what of it the queue couldn't take."""
    waiting: dict[str, SendMessageBatchRequestEntryTypeDef] = {
        str(number): {"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)
    }
    failed: list[str] = []
    for _ in range(ATTEMPTS):
        with explained("sending to the queue (sqs:SendMessage)"):
            answer = sqs.send_message_batch(QueueUrl=queue_url, Entries=list(waiting.values()))
        for entry in answer.get("Successful", ()):
            del waiting[entry["Id"]]
        if not waiting:
            return len(bodies)
        failed = [f"{entry.get('Message', '')} ({entry['Code']})" for entry in answer.get("Failed", ())]
    reason = failed[0] if failed else "no reason given"
    raise BillEError(f"the queue did not take {len(waiting)} messages: {reason}")


def _batches(bodies: Iterable[str]) -> Iterator[list[str]]:
    source = iter(bodies)
    while batch := list(islice(source, BATCH_MESSAGES)):
        yield batch


def _body(event: dict[str, Any]) -> str:
    return json.dumps(event, separators=(",", ":"))
