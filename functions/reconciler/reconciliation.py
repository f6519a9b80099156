"""The reconciler: what one invocation does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from functions.contract import metric_names
from functions.contract.entry import format_time, parse_time
from functions.log import logger, write_metrics
from functions.reconciler.configuration import changed_parts
from functions.reconciler.progress import AnotherInvocationError, LostRunError, Progress, ProgressStore, Round
from functions.reconciler.slice import Slice

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.literals import QueueAttributeNameType

    from functions.contract.environment import ReconcilerEnvironment
    from functions.contract.reconciliation import ConfigurationPart

CLIENT_CONFIG = Config(
    connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 5}
)
"""Nobody waits for an answer, so a call may take a few minutes, as long as the slice can still be saved."""


class Reconciliation:
    """Checks the bucket's configuration, takes a slice of a round if one is due, and reports both."""

    def __init__(
        self,
        s3: S3Client,
        dynamodb: DynamoDBClient,
        sqs: SQSClient,
        environment: ReconcilerEnvironment,
        now: Callable[[], datetime],
    ) -> None:
        self._s3, self._dynamodb, self._sqs = s3, dynamodb, sqs
        self._environment = environment
        self._now = now

    @classmethod
    def connected(cls, environment: ReconcilerEnvironment) -> Reconciliation:
        """Make one with clients for AWS."""
        s3: S3Client = boto3.client("s3", config=CLIENT_CONFIG)
        dynamodb: DynamoDBClient = boto3.client("dynamodb", config=CLIENT_CONFIG)
        sqs: SQSClient = boto3.client("sqs", config=CLIENT_CONFIG)
        return cls(s3, dynamodb, sqs, environment, lambda: datetime.now(UTC))

    def run(
        self,
        may_go_on: Callable[[], bool],
        time_left: timedelta,
        age_seconds: int | None = None,
    ) -> dict[str, Any]:
        """Do what is due within ``time_left``, and say how far the round has come.

        With ``age_seconds``, begin a new round in any case, which judges all uploads that are older.
        """
        self._check_configuration()
        now = self._now()
        store = ProgressStore(self._s3, self._environment.progress_bucket)
        progress = store.load(now)
        if format_time(now) < progress.claimed_until:
            logger.info("another invocation is taking a slice")
        elif age_seconds is not None or progress.is_due(now, timedelta(hours=self._environment.every_hours)):
            try:
                self._take_slice(store, progress, now + time_left, may_go_on, age_seconds)
            except AnotherInvocationError:
                logger.info("another invocation has changed the progress")
        age = (self._now() - parse_time(progress.complete_since)).total_seconds()
        self._write({metric_names.ROUND_AGE: round(age)})
        return _told(progress)

    def _check_configuration(self) -> None:
        environment = self._environment
        changed = changed_parts(
            self._s3, environment.location, environment.queue_arn, environment.policy_digest
        )
        for part, found in changed.items():
            log_change(part, found)
        self._write({metric_names.CHANGED_CONFIGURATION: len(changed)})

    def _take_slice(
        self,
        store: ProgressStore,
        progress: Progress,
        ends_at: datetime,
        may_go_on: Callable[[], bool],
        age_seconds: int | None,
    ) -> None:
        if progress.round is None or progress.round.is_complete or age_seconds is not None:
            last = progress.round
            before = max(last.entries, last.entries_before) if last else 0
            progress.round = self._new_round(age_seconds, before)
        progress.claimed_until = format_time(ends_at)
        store.save(progress)
        part = Slice(self._s3, self._dynamodb, self._sqs, store, self._environment)
        try:
            part.take(progress, progress.round, may_go_on)
        except LostRunError as error:
            # It expires like an access log, if a round takes longer than those are kept.
            logger.warning("a round begins anew", extra={"lost": str(error)})
            progress.round, progress.claimed_until = None, ""
            store.save(progress)
            return
        if progress.round.is_complete:
            # Before it is saved: a report that is repeated does no harm, but one that is lost does.
            self._report(progress.round, part.unbacked())
            progress.complete_since = progress.round.began_at
        progress.claimed_until = ""
        part.save(progress, progress.round)

    def _new_round(self, age_seconds: int | None, entries_before: int) -> Round:
        environment = self._environment
        dead_letters = self._messages(environment.dead_letter_queue_url)
        resends = self._messages(environment.resend_queue_url)
        return Round(
            began_at=format_time(self._now()),
            age_seconds=environment.age_seconds if age_seconds is None else age_seconds,
            queue_was_empty=self._messages(environment.queue_url) == 0,
            # What is missing may be among these: sending it once more would not help.
            may_send=dead_letters == 0 and resends == 0,
            entries_before=entries_before,
        )

    def _messages(self, queue_url: str) -> int:
        """Ask about how many messages a queue holds."""
        counts: list[QueueAttributeNameType] = [
            *("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        ]
        answer = self._sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=counts)
        return sum(map(int, answer["Attributes"].values()))

    def _report(self, done: Round, unbacked: int) -> None:
        log_round(done, unbacked)
        self._write({metric_names.MISSING: done.missing, metric_names.UNBACKED: unbacked})

    def _write(self, values: dict[str, float]) -> None:
        environment = self._environment
        dimensions = {metric_names.STACK: environment.stack, metric_names.SERVICE: environment.service}
        write_metrics(dimensions, values)


def log_change(part: ConfigurationPart, found: str) -> None:
    """Write the line about a part of the bucket's configuration."""
    logger.error("the bucket isn't configured as it was deployed", extra={"part": part, "found": found})


def log_round(done: Round, unbacked: int) -> None:
    """Write the line about a complete round."""
    logger.info("round complete", extra={**_counts(done), "unbacked": unbacked})


def _told(progress: Progress) -> dict[str, Any]:
    if progress.round is None:
        return {"complete": False}
    return {"complete": progress.round.is_complete, **_counts(progress.round)}


def _counts(of: Round) -> dict[str, Any]:
    names = ("began_at", "versions", "missing", "sent", "in_flight")
    return {name: getattr(of, name) for name in names}
