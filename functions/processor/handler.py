"""Lambda entry point of the processor: a batch of SQS messages in, the ones that have to come back out."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from functions.ledger.store import LedgerStore, Recorded
from functions.log import begin_invocation, logger
from functions.processor.batch import MAX_WORKERS, process_batch
from functions.processor.deadline import Deadline, OutOfTimeError
from functions.processor.metrics import ReceiptMetrics
from functions.processor.objects import S3Objects
from functions.processor.receipts import DamagedReadError, Rules
from functions.processor.recording import MissingTooRecentlyError, Recorder
from functions.processor.s3_events import UnreadableMessageError, parse_body
from functions.processor.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.invocation import LambdaContext
    from functions.ledger.entry import Upload
    from functions.processor.batch import BatchResponse, Message

CLIENT_CONFIG = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=MAX_WORKERS,
)
"""Time-outs in seconds. Three attempts, 21 s with all of them timed out, end before the function does."""

EXPECTED_FAILURES = (
    BotoCoreError,
    ClientError,
    DamagedReadError,
    MissingTooRecentlyError,
    OutOfTimeError,
    UnreadableMessageError,
)
"""Failures that say all in one sentence, without a stack trace."""


class UnreadableEventError(Exception):
    """The function was invoked with something else than a batch of SQS messages."""


def handle(event: dict[str, Any], context: LambdaContext) -> BatchResponse:
    """Process a batch, and report the messages that have to come back.

    An event that isn't a batch of SQS messages raises, so that everything in it comes back: Lambda takes any
    answer without failures for "all done".
    """
    begin_invocation(context.aws_request_id)
    messages = require_messages(event)
    deadline = Deadline(context.get_remaining_time_in_millis)
    # Read anew, in microseconds: kept in a cache of their own, they could differ from the recorder's.
    settings = read_settings(os.environ)
    metrics = ReceiptMetrics(dimensions={"stack": settings.stack, "service": settings.service})
    process = partial(process_message, recorder=shared_recorder(), deadline=deadline, metrics=metrics)
    try:
        return process_batch(messages, process)
    finally:
        metrics.write()


@cache
def shared_recorder() -> Recorder:
    """Make what outlives an invocation, once per execution environment: settings and clients."""
    settings = read_settings(os.environ)
    return Recorder(
        objects=S3Objects(boto3.client("s3", config=CLIENT_CONFIG)),
        ledger=LedgerStore(
            boto3.client("dynamodb", config=CLIENT_CONFIG), settings.ledger_table, settings.ledger_shards
        ),
        rules=Rules(accepted_types=settings.accepted_types, max_bytes=settings.max_receipt_bytes),
        now=partial(datetime.now, UTC),
    )


def require_messages(event: object) -> Sequence[Message]:
    """Return an event's messages; raise UnreadableEventError unless each can be read, and be named."""
    messages = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(messages, list) or not messages:
        raise UnreadableEventError("the event has no list of messages in Records")
    for index, message in enumerate(messages):
        for name in ("messageId", "body"):
            value = message.get(name) if isinstance(message, dict) else None
            if not isinstance(value, str) or not value:
                raise UnreadableEventError(f"Records[{index}].{name} is not text: this is no SQS message")
    return messages


def process_message(
    message: Message, *, recorder: Recorder, deadline: Deadline, metrics: ReceiptMetrics
) -> None:
    """Record every upload of a message, or raise. One log line per receipt, and one for a failed message."""
    try:
        deadline.allow_call()
        record_all(parse_body(message["body"]), recorder, deadline, metrics)
    except Exception as error:
        causes = error.exceptions if isinstance(error, ExceptionGroup) else (error,)
        expected = all(isinstance(cause, EXPECTED_FAILURES) for cause in causes)
        report = logger.warning if expected else logger.exception
        report(
            "message failed and will come back",
            extra={
                "message_id": message["messageId"],
                "reason": "; ".join(f"{type(cause).__name__}: {cause}" for cause in causes),
            },
        )
        raise


def record_all(
    uploads: Sequence[Upload], recorder: Recorder, deadline: Deadline, metrics: ReceiptMetrics
) -> None:
    """Record uploads one after the other; raise an ExceptionGroup of what failed once all have been tried."""
    failures: list[Exception] = []
    for upload in uploads:
        started = time.perf_counter()
        try:
            recorded = recorder.record(upload, deadline=deadline)
        except Exception as error:  # noqa: BLE001 - raised below, after the next uploads had their turn
            failures.append(error)
        else:
            metrics.add(recorded)
            log_receipt(recorded, duration_ms=round((time.perf_counter() - started) * 1000, 1))
    if failures:
        raise ExceptionGroup(f"{len(failures)} of {len(uploads)} uploads failed", failures)


def log_receipt(recorded: Recorded, *, duration_ms: float) -> None:
    """Write a receipt's log line: what it is in the ledger, nothing of its content or its uploader."""
    entry = recorded.entry
    logger.info(
        "receipt recorded" if recorded.is_new else "receipt was recorded before",
        extra={
            "object_id": entry.upload.version.object_id,
            "outcome": entry.outcome,
            "reason": entry.reason,
            "fingerprint": entry.fingerprint,
            "size_bytes": entry.size_bytes,
            "media_type": entry.media_type,
            "duration_ms": duration_ms,
        },
    )
