"""The least that a ledger could do: one GET and one indexed write per receipt, all at the same time.

It checks nothing and logs nothing, so it only shows the limit and couldn't be used as a ledger.
"""

from __future__ import annotations

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote_plus

import boto3
from botocore.config import Config

s3 = boto3.client("s3", config=Config(max_pool_connections=10))
dynamodb = boto3.client("dynamodb", config=Config(max_pool_connections=10))
threads = ThreadPoolExecutor(max_workers=10)


def handle(event: dict[str, Any], _context: object) -> dict[str, list[str]]:
    """Fingerprint the receipt of the first record of each message."""
    list(threads.map(record_receipt, event["Records"]))
    return {"batchItemFailures": []}


def record_receipt(message: dict[str, Any]) -> None:
    """Read one object, and write one item."""
    record = json.loads(message["body"])["Records"][0]
    key = unquote_plus(record["s3"]["object"]["key"])
    data = s3.get_object(Bucket=record["s3"]["bucket"]["name"], Key=key)["Body"].read()
    dynamodb.put_item(
        TableName=os.environ["LIMIT_TABLE"],
        Item={
            "fingerprint": {"S": hashlib.sha256(data).hexdigest()},
            "entry": {"S": "RECEIPT"},
            "month_shard": {"S": f"{record['eventTime'][:7]}#0"},
            "recorded": {"S": f"{record['eventTime']}#{key}"},
        },
    )
