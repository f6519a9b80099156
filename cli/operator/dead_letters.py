"""Dead letters: messages in the dead-letter queue, read without taking them out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from botocore.exceptions import BotoCoreError, ClientError

from cli.errors import explained
from cli.operator.resources import StackResources, queue_name
from functions.contract.entry import Entry, Upload, format_time
from functions.contract.s3_events import UnreadableMessageError, parse_body
from functions.ledger.store import LedgerStore

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import MessageTypeDef

HIDDEN_SECONDS = 60
"""How long a letter stays hidden from others if this process ends without showing it again."""

WAIT_SECONDS = 1
"""With a wait, SQS asks all of its servers, so that an empty answer means the end."""

LETTERS_AT_ONCE = 10
"""The most that ReceiveMessage returns and ChangeMessageVisibilityBatch takes."""

State = Literal["unreadable", "test event", "not recorded", "recorded", "event"]


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """A message that the processor gave up on. `first_sent_at` is when it was first sent, or redriven.

    The `handle` is for calls about the message while it is hidden from others.
    """

    id: str
    first_sent_at: str
    receive_count: int
    body: str
    handle: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class LetterUpload:
    """An upload that a letter is about, and its entry; None if it has none or wasn't looked up."""

    upload: Upload
    entry: Entry | None


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """Why a letter is dead, as far as can be known."""

    state: State
    reason: str
    uploads: Sequence[LetterUpload] = ()


@contextmanager
def looked_at(sqs: SQSClient, queue_url: str) -> Iterator[Iterator[DeadLetter]]:
    """Yield the letters of a queue, each once. They stay hidden from others until the end.

    Receiving is the only way to read a queue. It raises a letter's receive count, which has no effect in a
    dead-letter queue. Letters that another reader has received are left out.
    """
    handles: list[str] = []
    try:
        yield _letters(sqs, queue_url, handles)
    finally:
        _show_again(sqs, queue_url, handles)


def _letters(sqs: SQSClient, queue_url: str, handles: list[str]) -> Iterator[DeadLetter]:
    seen: set[str] = set()
    while True:
        with explained(
            f"reading queue {queue_name(queue_url)} (sqs:ReceiveMessage)", granted_by="operator_policy"
        ):
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


def _letter(message: MessageTypeDef) -> DeadLetter:
    sent = datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC)
    return DeadLetter(
        id=message["MessageId"],
        first_sent_at=format_time(sent),
        receive_count=int(message["Attributes"]["ApproximateReceiveCount"]),
        body=message["Body"],
        handle=message["ReceiptHandle"],
    )


def _show_again(sqs: SQSClient, queue_url: str, handles: Sequence[str]) -> None:
    """Make letters visible to others. If that fails, they become visible again after a while."""
    with suppress(BotoCoreError, ClientError):
        for start in range(0, len(handles), LETTERS_AT_ONCE):
            batch = handles[start : start + LETTERS_AT_ONCE]
            sqs.change_message_visibility_batch(
                QueueUrl=queue_url,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": 0}
                    for number, handle in enumerate(batch)
                ],
            )


def diagnose(letter: DeadLetter, resources: StackResources) -> Diagnosis:
    """Find out whether the processor can read a letter, and whether its uploads have entries."""
    try:
        uploads = parse_body(letter.body)
    except UnreadableMessageError as error:
        return Diagnosis(state="unreadable", reason=f"the processor cannot read it: {error}")
    if not uploads:
        return Diagnosis(state="test event", reason="S3's test of the queue, which isn't about an upload")
    if resources.ledger_shards is None:
        unknown = [LetterUpload(upload=upload, entry=None) for upload in uploads]
        return Diagnosis(state="event", reason="the stack has no output 'ledger_shards'", uploads=unknown)
    ledger = LedgerStore(resources.dynamodb, resources.ledger_table, resources.ledger_shards)
    with explained(
        f"reading the ledger table {resources.ledger_table} (dynamodb:Query)", granted_by="operator_policy"
    ):
        found = [
            LetterUpload(
                upload=upload,
                entry=ledger.find(upload.version, since=upload.uploaded_at, until=datetime.now(UTC)),
            )
            for upload in uploads
        ]
    if all(one.entry for one in found):
        return Diagnosis(
            state="recorded",
            reason="nothing is lost: it has its entry; a redrive clears it",
            uploads=found,
        )
    return Diagnosis(
        state="not recorded",
        reason="it has no entry: the processor's log says why, under message_id",
        uploads=found,
    )
