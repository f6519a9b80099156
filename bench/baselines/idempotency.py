"""Powertools' batch and idempotency utilities around the same work.

They are used as Powertools documents them ("Idempotency", section "Batch integration"): the key is the
message id, and clients are made once.
"""

from __future__ import annotations

import hashlib
import json
import os
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_plus

import boto3
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.typing import LambdaContext

processor = BatchProcessor(event_type=EventType.SQS)
persistence = DynamoDBPersistenceLayer(table_name=os.environ["IDEMPOTENCY_TABLE"])
config = IdempotencyConfig(event_key_jmespath="messageId")
s3 = boto3.client("s3")
dynamodb = boto3.client("dynamodb")


@idempotent_function(  # type: ignore[untyped-decorator]
    data_keyword_argument="record", config=config, persistence_store=persistence
)
def record_handler(record: SQSRecord) -> dict[str, str]:
    """Fingerprint the receipts of one message."""
    fingerprint = ""
    for s3_record in json.loads(record.body)["Records"]:
        bucket = s3_record["s3"]["bucket"]["name"]
        key = unquote_plus(s3_record["s3"]["object"]["key"])
        data = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        fingerprint = hashlib.sha256(data).hexdigest()
        dynamodb.put_item(
            TableName=os.environ["NAIVE_TABLE"],
            Item={
                "id": {"S": fingerprint},
                "bucket": {"S": bucket},
                "key": {"S": key},
                "size": {"N": str(len(data))},
                "processed_at": {"S": datetime.now(UTC).isoformat()},
            },
        )
    return {"fingerprint": fingerprint}


def handle(event: dict[str, Any], context: LambdaContext) -> Any:
    """Process the messages of a batch one after another, each of them once."""
    config.register_lambda_context(context)
    return process_partial_response(
        event=event, record_handler=record_handler, processor=processor, context=context
    )
