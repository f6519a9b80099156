"""A stack's bucket, queues and ledger table, which operators use directly, and not through the API.

This needs the permissions in the stack's output `operator_policy`, or an administrator's for what operators
may not do.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from cli import aws
from cli.errors import BillEError, explained
from cli.stack import StackAccess

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_logs import CloudWatchLogsClient
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.literals import QueueAttributeNameType
    from types_boto3_sts import STSClient

NEEDED_OUTPUTS = ("ledger_table", "queue_url", "resend_queue_url", "dead_letter_queue_url")
QUEUE_ATTRIBUTES: tuple[QueueAttributeNameType, ...] = (
    "QueueArn",
    "Policy",
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
)


@dataclass(frozen=True, kw_only=True)
class Queue:
    """A queue, and about how many messages it holds. `policy` is JSON, empty if it has none.

    A message that was received and not deleted yet is in work, and hidden from others.
    """

    url: str
    arn: str
    waiting: int
    in_work: int
    policy: str

    @property
    def messages(self) -> int:
        """About how many messages it holds."""
        return self.waiting + self.in_work

    def takes_events_of(self, bucket: str) -> bool:
        """Whether its policy names the bucket, as the policy of the queue behind a bucket does."""
        return any(text.endswith(f":s3:::{bucket}") for text in _texts(json.loads(self.policy or "{}")))


@dataclass(frozen=True, kw_only=True)
class StackResources:
    """An open connection to a stack's resources. The stack takes receipts below `upload_prefix`.

    `operations_log` is a log group, and `log_bucket` has the log that seals the ledger. A stack that was
    deployed before there was one has None.
    """

    bucket: str
    upload_prefix: str
    region: str
    ledger_table: str
    ledger_shards: int | None
    queue_url: str
    resend_queue_url: str
    dead_letter_queue_url: str
    operations_log: str | None
    log_bucket: str | None
    s3: S3Client
    dynamodb: DynamoDBClient
    sqs: SQSClient
    sts: STSClient
    logs: CloudWatchLogsClient

    def queue(self) -> Queue:
        """Ask SQS about the queue that S3 sends its events to."""
        return self._queue(self.queue_url)

    def resend_queue(self) -> Queue:
        """Ask SQS about the queue for what operators send again."""
        return self._queue(self.resend_queue_url)

    def dead_letter_queue(self) -> Queue:
        """Ask SQS about the dead-letter queue."""
        return self._queue(self.dead_letter_queue_url)

    def shards(self) -> int:
        """Return the number of shards of a month in the time index; raise BillEError if it isn't known."""
        if self.ledger_shards is None:
            raise _lacks(["ledger_shards"])
        return self.ledger_shards

    def user_id(self) -> str:
        """Ask AWS who is calling: ``AIDA…`` is a user, ``AROA…:session`` a role."""
        with explained("asking AWS who is calling (sts:GetCallerIdentity)"):
            return self.sts.get_caller_identity()["UserId"]

    def caller_arn(self) -> str:
        """Ask AWS who is calling: the ARN of a user, or of a role's session."""
        with explained("asking AWS who is calling (sts:GetCallerIdentity)"):
            return self.sts.get_caller_identity()["Arn"]

    def _queue(self, url: str) -> Queue:
        with explained(
            f"looking at queue {queue_name(url)} (sqs:GetQueueAttributes)", granted_by="operator_policy"
        ):
            answer = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(QUEUE_ATTRIBUTES))
        attributes = answer["Attributes"]
        return Queue(
            url=url,
            arn=attributes["QueueArn"],
            waiting=int(attributes["ApproximateNumberOfMessages"]),
            in_work=int(attributes["ApproximateNumberOfMessagesNotVisible"]),
            policy=attributes.get("Policy", ""),
        )


@contextmanager
def open_resources(access: StackAccess, *, as_administrator: bool = False) -> Iterator[StackResources]:
    """Connect to a stack's resources, as its operator by default, and close everything at the end.

    No call is made yet.
    """
    missing = [name for name in NEEDED_OUTPUTS if getattr(access, name) is None]
    if missing:
        raise _lacks(missing)
    key = access.administrator_key if as_administrator else access.operator_key
    session = aws.session_for(access, key or access.caller_key)
    with ExitStack() as opened:

        def client(service: Literal["s3", "dynamodb", "sqs", "sts", "logs"]) -> Any:
            return opened.enter_context(closing(aws.client(session, service, access)))

        yield StackResources(
            bucket=access.uploads_bucket,
            upload_prefix=access.upload_prefix,
            region=access.region,
            ledger_table=access.ledger_table or "",
            ledger_shards=access.ledger_shards,
            queue_url=access.queue_url or "",
            resend_queue_url=access.resend_queue_url or "",
            dead_letter_queue_url=access.dead_letter_queue_url or "",
            operations_log=access.operations_log,
            log_bucket=access.log_bucket,
            s3=client("s3"),
            dynamodb=client("dynamodb"),
            sqs=client("sqs"),
            sts=client("sts"),
            logs=client("logs"),
        )


def _lacks(outputs: Sequence[str]) -> BillEError:
    return BillEError(
        f"the stack has no output {', '.join(map(repr, outputs))}, which this command needs: "
        "deploy the current program, or give all outputs of the stack"
    )


def queue_name(url: str) -> str:
    """Return the name of the queue at a URL."""
    return url.rpartition("/")[2]


def _texts(value: Any) -> Iterator[str]:
    """Yield every text in a JSON value, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
