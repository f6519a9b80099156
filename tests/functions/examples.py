"""What the function tests upload: bytes, the events that S3 sends about them, and SQS's batches of those."""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote_plus

from functions.contract.entry import ObjectVersion, Upload, Uploader

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.invocation import LambdaContext

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01"
PDF = b"%PDF-1.7\n"
TEXT = b"Total: 12.00 EUR"


def upload(key: str = "lunch.png", version_id: str = "v1", uploaded_at: datetime | None = None) -> Upload:
    """An upload to the bucket "uploads", a minute ago unless told otherwise."""
    return Upload(
        version=ObjectVersion(bucket="uploads", key=key, version_id=version_id),
        uploaded_at=uploaded_at or datetime.now(UTC) - timedelta(minutes=1),
        uploader=Uploader(principal="AWS:AIDAEXAMPLE", source_ip="192.0.2.7"),
    )


def s3_record(made: Upload) -> dict[str, Any]:
    """The event record that S3 sends about an upload; the key in it is form-encoded."""
    version = made.version
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-central-1",
        "eventTime": made.uploaded_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": made.uploader.principal},
        "requestParameters": {"sourceIPAddress": made.uploader.source_ip},
        "responseElements": {"x-amz-request-id": "EXAMPLE123456789"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "uploads",
            "bucket": {"name": version.bucket, "arn": f"arn:aws:s3:::{version.bucket}"},
            "object": {
                "key": quote_plus(version.key),
                "size": 1024,
                "eTag": "d41d8cd98f00b204e9800998ecf8427e",
                "versionId": version.version_id,
                "sequencer": "0055AED6DCD90281E5",
            },
        },
    }


def s3_event(*made: Upload) -> str:
    """The message body in which S3 sends uploads."""
    return json.dumps({"Records": [s3_record(one) for one in made]})


S3_TEST_EVENT = json.dumps(
    {"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-11-22T10:00:00.000Z", "Bucket": "uploads"}
)


def sqs_batch(*bodies: str, receive_count: int = 1) -> dict[str, Any]:
    """The event with which Lambda delivers message bodies, numbered "m0", "m1" and so on."""
    return {
        "Records": [
            {
                "messageId": f"m{index}",
                "receiptHandle": f"handle-{index}",
                "body": body,
                "attributes": {"ApproximateReceiveCount": str(receive_count)},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:uploads",
                "awsRegion": "eu-central-1",
            }
            for index, body in enumerate(bodies)
        ]
    }


def failed(response: object) -> list[str]:
    """The messages that a response gives back, sorted."""
    assert isinstance(response, dict)
    return sorted(failure["itemIdentifier"] for failure in response["batchItemFailures"])


def context(remaining_ms: int = 60_000) -> LambdaContext:
    """What Lambda tells a function about an invocation."""
    return cast("LambdaContext", _Context(remaining_ms=remaining_ms))


@dataclass
class _Context:
    """The part of Lambda's context that the functions use."""

    remaining_ms: int
    aws_request_id: str = "9a5b3c1e-0000-4000-8000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms


def entry_point(function: str) -> Callable[..., Any]:
    """The entry point of a function in a new execution environment: its handler, imported anew."""
    name = f"functions.{function}.handler"
    sys.modules.pop(name, None)
    handle: Callable[..., Any] = importlib.import_module(name).handle
    return handle
