"""The pattern that public samples copy: the first record of a message, all in memory, a plain put."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_plus

import boto3


def handle(event: dict[str, Any], _context: object) -> None:
    """Fingerprint the receipt of the first record of each message, one message after another."""
    s3 = boto3.client("s3")
    dynamodb = boto3.client("dynamodb")
    for message in event["Records"]:
        record = json.loads(message["body"])["Records"][0]
        bucket = record["s3"]["bucket"]["name"]
        key = unquote_plus(record["s3"]["object"]["key"])
        data = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        dynamodb.put_item(
            TableName=os.environ["NAIVE_TABLE"],
            Item={
                "id": {"S": hashlib.sha256(data).hexdigest()},
                "bucket": {"S": bucket},
                "key": {"S": key},
                "size": {"N": str(len(data))},
                "processed_at": {"S": datetime.now(UTC).isoformat()},
            },
        )
