"""Processes a batch of SQS messages, and returns those that have to come back."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from functions.contract import metric_names as names
from functions.contract.s3_events import UnreadableMessageError, parse_body
from functions.ledger.backing import LiveVersions
from functions.ledger.store import LedgerStore, Recorded
from functions.log import logger
from functions.processor.examination import DamagedReadError, Rules
from functions.processor.invocation import MAX_WORKERS, OutOfTimeError, messages_of, process_batch
from functions.processor.metrics import ReceiptMetrics
from functions.processor.objects import ObjectMissingError, S3Objects
from functions.processor.recorder import ForeignUploadError, MissingTooRecentlyError, Recorder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from functions.contract.entry import Upload
    from functions.contract.environment import ProcessorEnvironment
    from functions.processor.invocation import BatchResponse, Deadline, Message

CLIENT_CONFIG = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=MAX_WORKERS,
)
"""Time-outs in seconds. If three attempts time out, that takes 21 s, less than the function has."""

EXPECTED_FAILURES = (
    BotoCoreError,
    ClientError,
    DamagedReadError,
    ForeignUploadError,
    MissingTooRecentlyError,
    ObjectMissingError,
    OutOfTimeError,
    UnreadableMessageError,
)
"""Failures that need no stack trace, because their message says everything."""

MAX_REASONS = 5
"""How many different failures of one message its log line names."""


class Processor:
    """Records every upload of every message. There is one for each execution environment.

    Only S3 can send to the queue ``queue_arn``. Operators send through another queue, and can write anything
    they like into their messages.
    """

    def __init__(self, recorder: Recorder, queue_arn: str, dimensions: Mapping[str, str]) -> None:
        """Write metrics with these dimensions about what `recorder` records."""
        self._recorder = recorder
        self._queue_arn = queue_arn
        self._dimensions = dimensions

    @classmethod
    def connected(cls, environment: ProcessorEnvironment) -> Self:
        """Connect a processor to S3 and DynamoDB."""
        s3 = boto3.client("s3", config=CLIENT_CONFIG)
        recorder = Recorder(
            location=environment.location,
            form_signer=environment.form_signer,
            objects=S3Objects(s3, environment.account_id, environment.readable_encryption),
            ledger=LedgerStore(
                boto3.client("dynamodb", config=CLIENT_CONFIG),
                environment.ledger_table,
                environment.ledger_shards,
                LiveVersions(s3, environment.location).has,
            ),
            rules=Rules(accepted_types=environment.accepted_types, max_bytes=environment.max_receipt_bytes),
            now=lambda: datetime.now(UTC),
        )
        dimensions = {names.STACK: environment.stack, names.SERVICE: environment.service}
        return cls(recorder, environment.queue_arn, dimensions)

    def process(self, event: object, deadline: Deadline) -> BatchResponse:
        """Process a batch, and report the messages that have to come back.

        Raise UnreadableBatchError for anything but a batch of SQS messages, so that everything comes back.
        Without failures in the answer, Lambda would delete everything.
        """
        messages = messages_of(event)
        metrics = ReceiptMetrics(self._dimensions)
        try:
            return process_batch(messages, partial(self._process, deadline=deadline, metrics=metrics))
        finally:
            metrics.write()

    def _process(self, message: Message, *, deadline: Deadline, metrics: ReceiptMetrics) -> None:
        """Record every upload of a message, or raise. Log one line for each, and one if the message fails."""
        try:
            uploads = parse_body(message["body"])
            if message["eventSourceARN"] != self._queue_arn:
                uploads = [replace(upload, resent=True) for upload in uploads]
            self._record_all(uploads, deadline, metrics)
        except Exception as error:
            _log_failure(message, error)
            raise

    def _record_all(self, uploads: Sequence[Upload], deadline: Deadline, metrics: ReceiptMetrics) -> None:
        """Record one upload after another. At the end, raise an ExceptionGroup if any failed."""
        failures: list[Exception] = []
        for upload in uploads:
            started = time.perf_counter()
            try:
                deadline.allow_call()
                recorded = self._recorder.record(upload, deadline=deadline)
            except Exception as error:  # noqa: BLE001 - raised below, after the other uploads
                failures.append(error)
            else:
                metrics.add(recorded)
                log_entry(recorded, duration_ms=round((time.perf_counter() - started) * 1000, 1))
        if failures:
            raise ExceptionGroup(f"{len(failures)} of {len(uploads)} uploads failed", failures)


def log_entry(recorded: Recorded, *, duration_ms: float) -> None:
    """Log what the ledger says about an upload, without its key, its content or its uploader."""
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
            "resent": entry.upload.resent or None,
            "restores": entry.restores or None,
            "duration_ms": duration_ms,
        },
    )


def _log_failure(message: Message, error: Exception) -> None:
    causes = error.exceptions if isinstance(error, ExceptionGroup) else (error,)
    reasons = list(dict.fromkeys(f"{type(cause).__name__}: {cause}" for cause in causes))
    if len(reasons) > MAX_REASONS:
        reasons[MAX_REASONS:] = [f"and {len(reasons) - MAX_REASONS} more"]
    expected = all(isinstance(cause, EXPECTED_FAILURES) for cause in causes)
    log = logger.warning if expected else logger.exception
    log(
        "message failed and will come back",
        extra={"message_id": message["messageId"], "reason": "; ".join(reasons)},
    )
