"""What S3 sends to a queue, and what Lambda hands over of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus

from functions.contract.entry import Upload


def s3_record(upload: Upload) -> dict[str, Any]:
    """Make the record of an event that S3 sends about an upload; the key in it is form-encoded."""
    version = upload.version
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-central-1",
        "eventTime": upload.uploaded_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": upload.uploader.principal},
        "requestParameters": {"sourceIPAddress": upload.uploader.source_ip},
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


def s3_event(*uploads: Upload) -> str:
    """Make the body of a message in which S3 tells of uploads."""
    return json.dumps({"Records": [s3_record(upload) for upload in uploads]})


def sqs_event(messages: Mapping[str, str], *, receives: int = 1) -> dict[str, Any]:
    """Make the event with which Lambda delivers messages, which are bodies by their ids."""
    return {
        "Records": [
            {
                "messageId": name,
                "receiptHandle": f"{name}-{receives}",
                "body": body,
                "attributes": {"ApproximateReceiveCount": str(receives)},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:uploads",
                "awsRegion": "eu-central-1",
            }
            for name, body in messages.items()
        ]
    }
