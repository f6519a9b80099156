"""DynamoDB: tables with their indexes."""

from __future__ import annotations

from typing import Any

from local.aws import Aws
from local.provider.schema import (
    Created,
    Inputs,
    ResourceType,
    fields,
    key_value_tags,
    pascal,
    physical_name,
    present,
)

TABLE_NAME_LENGTH = 255


def _table(aws: Aws, name: str, inputs: Inputs) -> Created:
    dynamodb = aws.client("dynamodb")
    table = physical_name(inputs, name, max_length=TABLE_NAME_LENGTH)
    indexes = [_index(index) for index in inputs.get("globalSecondaryIndexes") or []]
    request: Any = {
        "TableName": table,
        "AttributeDefinitions": [
            {"AttributeName": attribute["name"], "AttributeType": attribute["type"]}
            for attribute in inputs["attributes"]
        ],
        "KeySchema": _key_schema(inputs),
        "Tags": key_value_tags(inputs),
        **({"GlobalSecondaryIndexes": indexes} if indexes else {}),
        **({"SSESpecification": _encryption(inputs)} if inputs.get("serverSideEncryption") else {}),
        **_throughput(inputs),
        **present(
            inputs,
            BillingMode="billingMode",
            DeletionProtectionEnabled="deletionProtectionEnabled",
            TableClass="tableClass",
        ),
    }
    arn = dynamodb.create_table(**request)["TableDescription"]["TableArn"]
    dynamodb.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    if recovery := inputs.get("pointInTimeRecovery"):
        specification: Any = present(
            recovery, PointInTimeRecoveryEnabled="enabled", RecoveryPeriodInDays="recoveryPeriodInDays"
        )
        dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=specification)
    return Created(id=table, outputs={"name": table, "arn": arn})


def _key_schema(keys: Inputs) -> list[dict[str, str]]:
    named = {"HASH": keys["hashKey"], "RANGE": keys.get("rangeKey")}
    return [{"AttributeName": name, "KeyType": kind} for kind, name in named.items() if name is not None]


def _index(index: Inputs) -> dict[str, Any]:
    keys = index.get("keySchemas")
    return {
        "IndexName": index["name"],
        "KeySchema": [pascal(key) for key in keys] if keys else _key_schema(index),
        "Projection": present(index, ProjectionType="projectionType", NonKeyAttributes="nonKeyAttributes"),
        **_throughput(index),
    }


def _throughput(inputs: Inputs) -> dict[str, Any]:
    limit = inputs.get("onDemandThroughput")
    return {"OnDemandThroughput": pascal(limit)} if limit else {}


def _encryption(inputs: Inputs) -> dict[str, Any]:
    key = present(inputs["serverSideEncryption"], Enabled="enabled", KMSMasterKeyId="kmsKeyArn")
    return {**key, **({"SSEType": "KMS"} if "KMSMasterKeyId" in key else {})}


_THROUGHPUT = fields("maxReadRequestUnits", "maxWriteRequestUnits")

RESOURCE_TYPES = {
    "aws:dynamodb/table:Table": ResourceType(
        properties=fields(
            "name",
            "billingMode",
            "hashKey",
            "rangeKey",
            "deletionProtectionEnabled",
            "tableClass",
            "tags",
            attributes=fields("name", "type"),
            globalSecondaryIndexes=fields(
                "name",
                "hashKey",
                "rangeKey",
                "projectionType",
                "nonKeyAttributes",
                keySchemas=fields("attributeName", "keyType"),
                onDemandThroughput=_THROUGHPUT,
            ),
            onDemandThroughput=_THROUGHPUT,
            pointInTimeRecovery=fields("enabled", "recoveryPeriodInDays"),
            serverSideEncryption=fields("enabled", "kmsKeyArn"),
        ),
        create=_table,
    ),
}
