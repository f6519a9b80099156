"""The ledger's table in moto, with the keys and the index that the program gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.contract import schema

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

TABLE_KEYS = schema.FINGERPRINT, schema.ENTRY
INDEX_KEYS = schema.MONTH_SHARD, schema.RECORDED


def create_ledger_table(dynamodb: DynamoDBClient, name: str) -> None:
    index: Any = {
        "IndexName": schema.TIME_INDEX,
        "KeySchema": _key_schema(INDEX_KEYS),
        "Projection": {"ProjectionType": "ALL"},
    }
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": key, "AttributeType": "S"} for key in (*TABLE_KEYS, *INDEX_KEYS)
        ],
        KeySchema=_key_schema(TABLE_KEYS),
        GlobalSecondaryIndexes=[index],
    )


def _key_schema(keys: tuple[str, str]) -> Any:
    kinds = zip(keys, ("HASH", "RANGE"), strict=True)
    return [{"AttributeName": key, "KeyType": kind} for key, kind in kinds]
