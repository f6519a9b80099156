"""What an operator's commands work on: a stack's bucket, queues and ledger table, called with AWS rights.

They take the rights of the stack's output `operator_policy`, or those of an administrator for what operators
may not do, and don't use its API.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cli.errors import BillEError, from_botocore
from cli.outputs import StackAccess
from cli.session import aws_session

if TYPE_CHECKING:
    import boto3
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.literals import QueueAttributeNameType
    from types_boto3_sts import STSClient

OPERATOR_OUTPUTS = ("ledger_table", "queue_url", "dead_letter_queue_url")
QUEUE_ATTRIBUTES: tuple[QueueAttributeNameType, ...] = (
    "QueueArn",
    "Policy",
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
)


@dataclass(frozen=True, kw_only=True)
class Queue:
    """A queue as it is about now. `policy` is JSON, empty where it has none."""

    url: str
    arn: str
    waiting: int
    hidden: int
    policy: str

    def takes_events_of(self, bucket: str) -> bool:
        """Whether its policy names the bucket, as that of the queue behind a bucket does."""
        return any(text.endswith(f":s3:::{bucket}") for text in _texts(json.loads(self.policy or "{}")))


@dataclass(frozen=True, kw_only=True)
class Operator:
    """An open connection to a stack's resources. `upload_prefix` is where the stack looks for receipts."""

    bucket: str
    upload_prefix: str
    region: str
    ledger_table: str
    ledger_shards: int | None
    queue_url: str
    dead_letter_queue_url: str
    s3: S3Client
    dynamodb: DynamoDBClient
    sqs: SQSClient
    sts: STSClient

    def queue(self) -> Queue:
        """Ask for the queue that the processor takes its messages from."""
        return self._queue(self.queue_url)

    def dead_letter_queue(self) -> Queue:
        """Ask for the dead-letter queue."""
        return self._queue(self.dead_letter_queue_url)

    def user_id(self) -> str:
        """Ask who is calling; such as ``AIDA…`` for a user, ``AROA…:session`` for a role."""
        with explained("asking who calls (sts:GetCallerIdentity)"):
            return self.sts.get_caller_identity()["UserId"]

    def _queue(self, url: str) -> Queue:
        name = url.rpartition("/")[2]
        with explained(f"looking at queue {name} (sqs:GetQueueAttributes)"):
            answer = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(QUEUE_ATTRIBUTES))
        attributes = answer["Attributes"]
        return Queue(
            url=url,
            arn=attributes["QueueArn"],
            waiting=int(attributes["ApproximateNumberOfMessages"]),
            hidden=int(attributes["ApproximateNumberOfMessagesNotVisible"]),
            policy=attributes.get("Policy", ""),
        )


@contextmanager
def operate(access: StackAccess, *, as_administrator: bool = False) -> Iterator[Operator]:
    """Connect to a stack's resources as its operator, and close everything at the end. Calls nothing yet."""
    missing = [name for name in OPERATOR_OUTPUTS if getattr(access, name) is None]
    if missing:
        raise BillEError(
            f"the stack has no output {', '.join(map(repr, missing))}, which this command needs: "
            "deploy the program as it is now, or give all outputs of the stack"
        )
    access = access.as_administrator() if as_administrator else access.as_operator()
    session = aws_session(access)
    with ExitStack() as opened:

        def client(service: Literal["s3", "dynamodb", "sqs", "sts"]) -> Any:
            return opened.enter_context(closing(_client(session, service, access)))

        yield Operator(
            bucket=access.uploads_bucket,
            upload_prefix=access.upload_prefix,
            region=access.region,
            ledger_table=access.ledger_table or "",
            ledger_shards=access.ledger_shards,
            queue_url=access.queue_url or "",
            dead_letter_queue_url=access.dead_letter_queue_url or "",
            s3=client("s3"),
            dynamodb=client("dynamodb"),
            sqs=client("sqs"),
            sts=client("sts"),
        )


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Turn what botocore raises inside into a sentence; `doing` names the permission that it takes."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise from_botocore(error, doing) from error


def _client(session: boto3.Session, service: str, access: StackAccess) -> Any:
    make: Any = session.client
    return make(
        service,
        endpoint_url=access.endpoint_url,
        verify=str(access.ca_bundle) if access.ca_bundle else None,
        config=Config(
            retries={"mode": "standard", "total_max_attempts": 5},
            user_agent_extra=f"bill-e/{version('bill-e')}",
        ),
    )


def _texts(value: Any) -> Iterator[str]:
    """Yield every text in a JSON value, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
