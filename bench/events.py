"""Events as AWS sends them to the functions, and the context that comes with an invocation."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus

BUCKET = "bill-e-uploads-1234567"


@dataclass(frozen=True, kw_only=True)
class UploadedFile:
    """An object version as its event names it."""

    key: str
    version_id: str = "3sL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY"
    event_time: str = "2026-11-21T10:00:00.000Z"


def s3_message(*files: UploadedFile) -> str:
    """Return the message body in which S3 sends uploads, all the fields that it has: mostly one of them."""
    return json.dumps(
        {
            "Records": [
                {
                    "eventVersion": "2.1",
                    "eventSource": "aws:s3",
                    "awsRegion": "us-east-1",
                    "eventTime": file.event_time,
                    "eventName": "ObjectCreated:Put",
                    "userIdentity": {"principalId": "AWS:AIDAJDPLRKLG7UEXAMPLE"},
                    "requestParameters": {"sourceIPAddress": "192.0.2.7"},
                    "responseElements": {
                        "x-amz-request-id": "C3D13FE58DE4C810",
                        "x-amz-id-2": "FMyUVURIY8/IgAtTv8xRjskZQpcIZ9KG4V5Wp6S7S/JRWeUWerMUE5JgHvANOjpD",
                    },
                    "s3": {
                        "s3SchemaVersion": "1.0",
                        "configurationId": "uploads",
                        "bucket": {
                            "name": BUCKET,
                            "ownerIdentity": {"principalId": "A3NL1KOZZKExample"},
                            "arn": f"arn:aws:s3:::{BUCKET}",
                        },
                        "object": {
                            "key": quote_plus(file.key),
                            "size": 204800,
                            "eTag": "d41d8cd98f00b204e9800998ecf8427e",
                            "versionId": file.version_id,
                            "sequencer": "0055AED6DCD90281E5",
                        },
                    },
                }
                for file in files
            ]
        }
    )


def sqs_batch(files: Sequence[UploadedFile]) -> dict[str, Any]:
    """Return the event with which Lambda delivers one message per file."""
    return sqs_event([s3_message(file) for file in files])


def sqs_event(bodies: Sequence[str]) -> dict[str, Any]:
    """Return the event with which Lambda delivers messages."""
    return {
        "Records": [
            {
                "messageId": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
                "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
                "body": body,
                "attributes": {"ApproximateReceiveCount": "1"},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:uploads",
                "awsRegion": "us-east-1",
            }
            for body in bodies
        ]
    }


def http_get(path: str, query: str = "") -> dict[str, Any]:
    """Return the event of a GET request to the HTTP API (payload format 2.0)."""
    return {
        "version": "2.0",
        "routeKey": f"GET {path}",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"accept": "application/json"},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "api-id",
            "domainName": "id.execute-api.us-east-1.amazonaws.com",
            "domainPrefix": "id",
            "http": {
                "method": "GET",
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.7",
                "userAgent": "bench",
            },
            "requestId": "id",
            "routeKey": f"GET {path}",
            "stage": "$default",
            "time": "21/Nov/2026:10:00:00 +0000",
            "timeEpoch": 1795255200000,
        },
        "isBase64Encoded": False,
    }


@dataclass(frozen=True, kw_only=True)
class Context:
    """What Lambda tells a function about an invocation, with the product's time-out of a minute."""

    function_name: str = "processor"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:processor"
    aws_request_id: str = "9a5b3c1e-0000-4000-8000-000000000000"
    started: float = field(default_factory=time.monotonic)

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the time-out."""
        return round(60_000 - (time.monotonic() - self.started) * 1000)
