"""The API that goes with the naive pattern: a full scan, sorted in memory."""

from __future__ import annotations

import json
import os
from typing import Any

import boto3


def handle(_event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return the newest 50 receipts."""
    dynamodb = boto3.client("dynamodb")
    table = os.environ["NAIVE_TABLE"]
    answer = dynamodb.scan(TableName=table)
    items = answer["Items"]
    while "LastEvaluatedKey" in answer:
        answer = dynamodb.scan(TableName=table, ExclusiveStartKey=answer["LastEvaluatedKey"])
        items += answer["Items"]
    items.sort(key=lambda item: item["processed_at"]["S"], reverse=True)
    return {"statusCode": 200, "body": json.dumps(items[:50])}
