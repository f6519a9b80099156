"""A stack's bucket, ledger table and queues in moto, and a file with their names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import boto3
from moto import mock_aws

from cli.operator.consistency import WITHOUT_CONTENT
from functions.contract import schema
from functions.contract.entry import Entry, ObjectVersion, Outcome, Upload, Uploader
from functions.sealing.leaf import leaf_of
from tests.cli.auditor.packages import Log
from tests.ledger_table import create_ledger_table

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_logs import CloudWatchLogsClient
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient

REGION, BUCKET, TABLE, SHARDS = "eu-central-1", "uploads", "ledger", 4
LOG_BUCKET = "log"
OPERATIONS = "operations"
LONG_AGO = datetime(2026, 11, 2, 12, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class OperatedStack:
    outputs: Path
    s3: S3Client
    dynamodb: DynamoDBClient
    sqs: SQSClient
    logs: CloudWatchLogsClient
    queue_url: str
    resend_queue_url: str
    dead_letter_queue_url: str
    uploaded_at: dict[ObjectVersion, datetime] = field(default_factory=dict)

    def upload(self, key: str, content: bytes = b"receipt", **options: Any) -> ObjectVersion:
        stored = self.s3.put_object(Bucket=BUCKET, Key=key, Body=content, **options)
        version = ObjectVersion(bucket=BUCKET, key=key, version_id=stored["VersionId"])
        head = self.s3.head_object(Bucket=BUCKET, Key=key, VersionId=version.version_id)
        self.uploaded_at[version] = head["LastModified"]
        return version

    def record(self, version: ObjectVersion, **changes: Any) -> Entry:
        """Put the entry of an object version, by default a true one, and return it."""
        entry = entry_of(version, **{"uploaded_at": self.uploaded_at.get(version, LONG_AGO), **changes})
        self.dynamodb.put_item(TableName=TABLE, Item=schema.to_item(entry, SHARDS))
        return entry

    def seal(self, folder: Path, *entries: Entry) -> None:
        """Give the stack a log of these entries."""
        self.rewrite_outputs(log_bucket=LOG_BUCKET)
        log = Log(folder)
        log.seal(leaf_of(entry, entry.recorded_at) for entry in entries)
        for path in log.folder.rglob("*"):
            if path.is_file():
                key = path.relative_to(log.folder).as_posix()
                self.s3.put_object(Bucket=LOG_BUCKET, Key=key, Body=path.read_bytes())

    def sent(self) -> list[dict[str, Any]]:
        """The records of all messages in the resend queue, which are taken out."""
        records: list[dict[str, Any]] = []
        url = self.resend_queue_url
        while messages := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                records += json.loads(message["Body"])["Records"]
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return records

    def logged(self) -> list[dict[str, Any]]:
        """The lines in the log of operations, without their times, of which there must be one each."""
        lines = [
            json.loads(event["message"])
            for event in self.logs.filter_log_events(logGroupName=OPERATIONS)["events"]
        ]
        assert all(line.pop("time").endswith("Z") for line in lines)
        return lines

    def rewrite_outputs(self, **changed: Any) -> None:
        outputs = json.loads(self.outputs.read_text()) | changed
        self.outputs.write_text(json.dumps({name: value for name, value in outputs.items() if value}))


def entry_of(
    version: ObjectVersion, *, uploaded_at: datetime = LONG_AGO, resent: bool = False, **changes: Any
) -> Entry:
    """The entry of an object version, with bytes of its own; REJECTED if it has a reason."""
    reason = changes.get("reason")
    uploader = Uploader(principal="AWS:AIDAEXAMPLE", source_ip="192.0.2.1")
    entry = Entry(
        outcome=Outcome.REJECTED if reason else Outcome.ACCEPTED,
        upload=Upload(version=version, uploaded_at=uploaded_at, uploader=uploader, resent=resent),
        recorded_at=uploaded_at + timedelta(seconds=1),
        fingerprint=None if reason else version.object_id,
        size_bytes=None if reason else 7,
        media_type=None if reason else "image/png",
    )
    if reason in WITHOUT_CONTENT:
        entry = replace(entry, fingerprint=hashlib.sha256().hexdigest(), size_bytes=0)
    return replace(entry, **changes)


@contextmanager
def operated_stack(folder: Path) -> Iterator[OperatedStack]:
    with mock_aws(), ExitStack() as opened:

        def client(service: str) -> Any:
            return opened.enter_context(closing(cast("Any", boto3.client)(service, region_name=REGION)))

        s3, dynamodb, sqs, logs = map(client, ("s3", "dynamodb", "sqs", "logs"))
        logs.create_log_group(logGroupName=OPERATIONS)
        for bucket in (BUCKET, LOG_BUCKET):
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        create_ledger_table(dynamodb, TABLE)
        dead_letters = sqs.create_queue(QueueName="dead-letters")["QueueUrl"]
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": "*",
            "Condition": {"ArnEquals": {"aws:SourceArn": f"arn:aws:s3:::{BUCKET}"}},
        }
        policy = json.dumps({"Statement": [statement]})
        queue = sqs.create_queue(QueueName="queue", Attributes={"Policy": policy})["QueueUrl"]
        resends = sqs.create_queue(QueueName="resends")["QueueUrl"]
        outputs = folder / "outputs.json"
        document = {
            "uploads_bucket": BUCKET,
            "upload_prefix": "",
            "api_url": "https://abc.execute-api.eu-central-1.amazonaws.com",
            "api_auth": "jwt",
            "region": REGION,
            "ledger_table": TABLE,
            "ledger_shards": SHARDS,
            "queue_url": queue,
            "resend_queue_url": resends,
            "dead_letter_queue_url": dead_letters,
            "log_groups": {"operations": OPERATIONS},
        }
        outputs.write_text(json.dumps(document))
        yield OperatedStack(
            outputs=outputs,
            s3=s3,
            dynamodb=dynamodb,
            sqs=sqs,
            logs=logs,
            queue_url=queue,
            resend_queue_url=resends,
            dead_letter_queue_url=dead_letters,
        )
