"""The events that S3 sends to a queue and that Lambda passes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from functions.contract.entry import Upload, Via
from functions.contract.processing import S3_KEY
from functions.contract.s3_events import S3_ITSELF, VIA, record_of

BUCKET = "uploads"
QUEUE_ARN = "arn:aws:sqs:eu-central-1:123456789012:uploads"
RESEND_QUEUE_ARN = "arn:aws:sqs:eu-central-1:123456789012:resends"

FORM_SIGNER = "AROAEXAMPLEOFTHEFORMS"
"""The unique id of the upload-forms function's role."""

EVENT_NAMES = {via: name for name, via in VIA.items()} | {Via.FORM: "ObjectCreated:Post"}

SOURCE: Mapping[str, str] = {
    "queue_arn": QUEUE_ARN,
    "account_id": "123456789012",
    "location": f"{BUCKET}/",
    "form_signer": FORM_SIGNER,
    "readable_encryption": S3_KEY,
}
"""What the environment of a processor of these events says about where they come from."""


def s3_record(upload: Upload) -> dict[str, Any]:
    """Make the record of an event that S3 sends about an upload; the key in it is form-encoded."""
    return record_of(
        upload.version,
        source=S3_ITSELF,
        name=EVENT_NAMES[upload.uploader.via or Via.PUT],
        time=upload.uploaded_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        region="eu-central-1",
        size_bytes=1024,
        principal=upload.uploader.principal,
        source_ip=upload.uploader.source_ip,
    )


def s3_event(*uploads: Upload) -> str:
    """Make the body of a message from S3 about uploads."""
    return json.dumps({"Records": [s3_record(upload) for upload in uploads]})


def sqs_event(
    messages: Mapping[str, str], *, receives: int = 1, queue_arn: str = QUEUE_ARN
) -> dict[str, Any]:
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
                "eventSourceARN": queue_arn,
                "awsRegion": "eu-central-1",
            }
            for name, body in messages.items()
        ]
    }
