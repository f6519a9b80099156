"""Dead letters: messages in the dead-letter queue, looked at without taking them out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from botocore.exceptions import BotoCoreError, ClientError

from cli.operations import Operator, explained
from functions.contract.entry import Entry, Upload, format_time
from functions.ledger.store import LedgerStore
from functions.processor.s3_events import UnreadableMessageError, parse_body

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import MessageTypeDef

HIDDEN_SECONDS = 60
"""How long a letter that is looked at stays hidden from others, should this end without showing it again."""

WAIT_SECONDS = 1
"""A wait makes SQS ask all of its servers: an empty answer is then the end."""

LETTERS_AT_ONCE = 10
"""The most that ReceiveMessage gives, and ChangeMessageVisibilityBatch takes."""

State = Literal["unreadable", "test event", "not recorded", "recorded", "event"]


@dataclass(frozen=True, kw_only=True)
class Letter:
    """A dead letter. `first_sent_at` is when it came to the first queue, until it is redriven."""

    id: str
    first_sent_at: str
    receive_count: int
    body: str


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """An upload that a letter tells of, and its ledger entry; None where it has none, or wasn't looked up."""

    upload: Upload
    entry: Entry | None


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What can be known of why a letter is dead."""

    state: State
    reason: str
    uploads: Sequence[Recorded] = ()


@contextmanager
def looked_at(sqs: SQSClient, queue_url: str) -> Iterator[Iterator[Letter]]:
    """Yield the letters of a queue, each once. They are hidden while this lasts, and shown again at its end.

    A queue has no other way to be read. Each look counts as a receive, which does nothing in a dead-letter
    queue. What another reader hides meanwhile is left out.
    """
    handles: list[str] = []
    try:
        yield _letters(sqs, queue_url, handles)
    finally:
        _show_again(sqs, queue_url, handles)


def _letters(sqs: SQSClient, queue_url: str, handles: list[str]) -> Iterator[Letter]:
    seen: set[str] = set()
    while True:
        with explained(f"reading queue {queue_url.rpartition('/')[2]} (sqs:ReceiveMessage)"):
            answer = sqs.receive_message(
                QueueUrl=queue_url,
                MaxNumberOfMessages=LETTERS_AT_ONCE,
                VisibilityTimeout=HIDDEN_SECONDS,
                WaitTimeSeconds=WAIT_SECONDS,
                MessageSystemAttributeNames=["SentTimestamp", "ApproximateReceiveCount"],
            )
        messages = answer.get("Messages", [])
        handles += [message["ReceiptHandle"] for message in messages]
        new = [message for message in messages if message["MessageId"] not in seen]
        if not new:
            return
        seen.update(message["MessageId"] for message in new)
        yield from map(_letter, new)


def _letter(message: MessageTypeDef) -> Letter:
    sent = datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC)
    return Letter(
        id=message["MessageId"],
        first_sent_at=format_time(sent),
        receive_count=int(message["Attributes"]["ApproximateReceiveCount"]),
        body=message["Body"],
    )


def _show_again(sqs: SQSClient, queue_url: str, handles: Sequence[str]) -> None:
    """End the hiding. Where that fails it ends by itself, so nothing is to be said about it."""
    for start in range(0, len(handles), LETTERS_AT_ONCE):
        batch = handles[start : start + LETTERS_AT_ONCE]
        try:
            sqs.change_message_visibility_batch(
                QueueUrl=queue_url,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": 0}
                    for number, handle in enumerate(batch)
                ],
            )
        except (BotoCoreError, ClientError):
            return


def diagnose(letter: Letter, operator: Operator) -> Diagnosis:
    """Find out what can be known: whether the processor can read it, and whether its uploads have entries."""
    try:
        uploads = parse_body(letter.body)
    except UnreadableMessageError as error:
        return Diagnosis(state="unreadable", reason=f"the processor cannot read it: {error}")
    if not uploads:
        return Diagnosis(state="test event", reason="S3's test of the queue, which holds no upload")
    if operator.ledger_shards is None:
        recorded = [Recorded(upload=upload, entry=None) for upload in uploads]
        return Diagnosis(state="event", reason="the stack has no output 'ledger_shards'", uploads=recorded)
    ledger = LedgerStore(operator.dynamodb, operator.ledger_table, operator.ledger_shards)
    with explained(f"reading the ledger table {operator.ledger_table} (dynamodb:Query)"):
        recorded = [
            Recorded(
                upload=upload,
                entry=ledger.find(upload.version, since=upload.uploaded_at, until=datetime.now(UTC)),
            )
            for upload in uploads
        ]
    if all(found.entry for found in recorded):
        return Diagnosis(
            state="recorded",
            reason="nothing is lost: it has its entry; a redrive clears it",
            uploads=recorded,
        )
    return Diagnosis(
        state="not recorded",
        reason="it has no entry: the processor's log says why under message_id",
        uploads=recorded,
    )
