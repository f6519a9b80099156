"""The events that S3 sends to a queue and that Lambda passes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from functions.contract.entry import Upload
from functions.contract.s3_events import record_of


def s3_record(upload: Upload) -> dict[str, Any]:
    """Make the record of an event that S3 sends about an upload; the key in it is form-encoded."""
    return record_of(
        upload.version,
        source="aws:s3",
        name="ObjectCreated:Put",
        time=upload.uploaded_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        region="eu-central-1",
        size_bytes=1024,
        principal=upload.uploader.principal,
        source_ip=upload.uploader.source_ip,
    )


def s3_event(*uploads: Upload) -> str:
    """Make the body of a message from S3 about uploads."""
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
