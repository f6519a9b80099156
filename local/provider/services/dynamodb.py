"""DynamoDB: tables with their indexes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from local.aws import Aws
from local.provider.patterns import undone_on_failure, update_tags
from local.provider.resource_types import ANY, Change, Created, Existing, Inputs, ResourceType, fields
from local.provider.spelling import camel, key_value_tags, pascal, physical_name, present, request, tags_of

TABLE_NAME_LENGTH = 255

_WAIT: Any = {"Delay": 1, "MaxAttempts": 30}
_THROUGHPUT = fields("maxReadRequestUnits", "maxWriteRequestUnits")
_NO_LIMIT = {"maxReadRequestUnits": -1, "maxWriteRequestUnits": -1}
_ONE_BY_ONE = ("billingMode", "deletionProtectionEnabled", "tableClass", "onDemandThroughput")
"""The inputs that DynamoDB calls the same, each of which takes an update of its own."""


def _create(aws: Aws, name: str, inputs: Inputs) -> Created:
    dynamodb = aws.client("dynamodb")
    table = physical_name(inputs, name, max_length=TABLE_NAME_LENGTH)
    indexes = [_index(index) for index in inputs.get("globalSecondaryIndexes") or []]
    asked: Any = {
        "TableName": table,
        "AttributeDefinitions": _attribute_definitions(inputs),
        "KeySchema": _key_schema(inputs),
        "Tags": key_value_tags(inputs.get("tags")),
        **({"GlobalSecondaryIndexes": indexes} if indexes else {}),
        **({"SSESpecification": _encryption(inputs)} if inputs.get("serverSideEncryption") else {}),
        **request(inputs, _ONE_BY_ONE),
    }
    arn = dynamodb.create_table(**asked)["TableDescription"]["TableArn"]
    with undone_on_failure(lambda: _undo(aws, table, inputs)):
        _wait_until_active(aws, table)
        if recovery := inputs.get("pointInTimeRecovery"):
            _put_recovery(aws, table, recovery)
    return Created(id=table, outputs={"name": table, "arn": arn})


def _undo(aws: Aws, table: str, inputs: Inputs) -> None:
    """Delete a table whose creation failed, once it is active and no longer protected."""
    _wait_until_active(aws, table)
    if inputs.get("deletionProtectionEnabled"):
        aws.client("dynamodb").update_table(TableName=table, DeletionProtectionEnabled=False)
    _delete(aws, Existing(id=table, inputs=inputs, outputs={}))


def _read(aws: Aws, resource: Existing) -> Inputs:
    dynamodb = aws.client("dynamodb")
    table: Any = dynamodb.describe_table(TableName=resource.id)["Table"]
    keys = {key["KeyType"]: key["AttributeName"] for key in table["KeySchema"]}
    return {
        "hashKey": keys["HASH"],
        "rangeKey": keys.get("RANGE"),
        "attributes": [
            {"name": one["AttributeName"], "type": one["AttributeType"]}
            for one in table["AttributeDefinitions"]
        ],
        "billingMode": table.get("BillingModeSummary", {}).get("BillingMode"),
        "deletionProtectionEnabled": table.get("DeletionProtectionEnabled"),
        "tableClass": table.get("TableClassSummary", {}).get("TableClass"),
        "globalSecondaryIndexes": [
            _index_as_input(index, resource.inputs) for index in table.get("GlobalSecondaryIndexes", [])
        ],
        "onDemandThroughput": camel(table.get("OnDemandThroughput"), _THROUGHPUT),
        "pointInTimeRecovery": _recovery(aws, resource.id),
        "serverSideEncryption": _encryption_as_input(table.get("SSEDescription", {})),
        "tags": tags_of(dynamodb.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]),
    }


def _update(aws: Aws, change: Change) -> None:
    dynamodb, table = aws.client("dynamodb"), change.resource.id
    for update in _table_updates(change):
        dynamodb.update_table(TableName=table, **update)
        _wait_until_active(aws, table)
    if "pointInTimeRecovery" in change.different:
        _put_recovery(aws, table, change.different["pointInTimeRecovery"])
    arn, spell = change.resource.outputs["arn"], key_value_tags
    update_tags(change, dynamodb.tag_resource, dynamodb.untag_resource, spell=spell, ResourceArn=arn)


def _table_updates(change: Change) -> Iterator[Any]:
    """Yield the requests that make an update: DynamoDB does one thing at a time."""
    different = change.different
    for name, value in request(different, _ONE_BY_ONE).items():
        yield {name: value}
    if "serverSideEncryption" in different:
        yield {"SSESpecification": _encryption(different)}
    if {"attributes", "globalSecondaryIndexes"} & set(different):
        definitions = _attribute_definitions(change.inputs)
        for update in _index_updates(change):
            yield {"AttributeDefinitions": definitions, "GlobalSecondaryIndexUpdates": [update]}


def _index_updates(change: Change) -> Iterator[dict[str, Any]]:
    """Yield the change of each index. Only its throughput can change in place; otherwise it is rebuilt."""
    old, new = (
        {index["name"]: index for index in inputs.get("globalSecondaryIndexes") or []}
        for inputs in (change.resource.inputs, change.inputs)
    )
    rebuilt = {name for name in old if name not in new or not _is_same_index(old[name], new[name])}
    for name in sorted(rebuilt):
        yield {"Delete": {"IndexName": name}}
    for name, index in new.items():
        if name not in old or name in rebuilt:
            yield {"Create": _index(index)}
        elif index.get("onDemandThroughput") != old[name].get("onDemandThroughput"):
            limit = index.get("onDemandThroughput") or _NO_LIMIT
            yield {"Update": {"IndexName": name, "OnDemandThroughput": pascal(limit)}}


def _is_same_index(one: Inputs, other: Inputs) -> bool:
    return _index({**one, "onDemandThroughput": None}) == _index({**other, "onDemandThroughput": None})


def _delete(aws: Aws, resource: Existing) -> None:
    dynamodb = aws.client("dynamodb")
    dynamodb.delete_table(TableName=resource.id)
    dynamodb.get_waiter("table_not_exists").wait(TableName=resource.id, WaiterConfig=_WAIT)


def _wait_until_active(aws: Aws, table: str) -> None:
    aws.client("dynamodb").get_waiter("table_exists").wait(TableName=table, WaiterConfig=_WAIT)


def _attribute_definitions(inputs: Inputs) -> Any:
    return [{"AttributeName": one["name"], "AttributeType": one["type"]} for one in inputs["attributes"]]


def _key_schema(keys: Inputs) -> list[dict[str, str]]:
    named = {"HASH": keys["hashKey"], "RANGE": keys.get("rangeKey")}
    return [{"AttributeName": name, "KeyType": kind} for kind, name in named.items() if name is not None]


def _index(index: Inputs) -> dict[str, Any]:
    keys = index.get("keySchemas")
    return {
        "IndexName": index["name"],
        "KeySchema": [pascal(key) for key in keys] if keys else _key_schema(index),
        "Projection": request(index, ("projectionType", "nonKeyAttributes")),
        **request(index, ("onDemandThroughput",)),
    }


def _index_as_input(index: Any, inputs: Inputs) -> Inputs:
    """Name the keys of an index in the way that the program does; it has two."""
    written = (one for one in inputs.get("globalSecondaryIndexes") or [] if one["name"] == index["IndexName"])
    if any(one.get("keySchemas") for one in written):
        keys: dict[str, Any] = {"keySchemas": camel(index["KeySchema"], fields("attributeName", "keyType"))}
    else:
        by_type = {key["KeyType"]: key["AttributeName"] for key in index["KeySchema"]}
        keys = {"hashKey": by_type["HASH"], "rangeKey": by_type.get("RANGE")}
    return {
        "name": index["IndexName"],
        **keys,
        "projectionType": index["Projection"]["ProjectionType"],
        "nonKeyAttributes": index["Projection"].get("NonKeyAttributes"),
        "onDemandThroughput": camel(index.get("OnDemandThroughput"), _THROUGHPUT),
    }


def _encryption(inputs: Inputs) -> dict[str, Any]:
    key = present(inputs["serverSideEncryption"], Enabled="enabled", KMSMasterKeyId="kmsKeyArn")
    return {**key, **({"SSEType": "KMS"} if "KMSMasterKeyId" in key else {})}


def _encryption_as_input(described: Mapping[str, Any]) -> Inputs:
    is_enabled = described.get("Status") in ("ENABLING", "ENABLED", "UPDATING")
    return {"enabled": is_enabled, "kmsKeyArn": described.get("KMSMasterKeyArn") if is_enabled else None}


def _put_recovery(aws: Aws, table: str, recovery: Inputs) -> None:
    specification: Any = present(
        recovery, PointInTimeRecoveryEnabled="enabled", RecoveryPeriodInDays="recoveryPeriodInDays"
    )
    aws.client("dynamodb").update_continuous_backups(
        TableName=table, PointInTimeRecoverySpecification=specification
    )


def _recovery(aws: Aws, table: str) -> Inputs:
    described: Any = aws.client("dynamodb").describe_continuous_backups(TableName=table)
    recovery = described["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    return {
        "enabled": recovery["PointInTimeRecoveryStatus"] == "ENABLED",
        "recoveryPeriodInDays": recovery.get("RecoveryPeriodInDays"),
    }


RESOURCE_TYPES = {
    "aws:dynamodb/table:Table": ResourceType(
        properties=fields(
            *(
                "name",
                "billingMode",
                "hashKey",
                "rangeKey",
                "deletionProtectionEnabled",
                "tableClass",
                "tags",
            ),
            attributes=fields("name", "type"),
            globalSecondaryIndexes=fields(
                *("name", "hashKey", "rangeKey", "projectionType", "nonKeyAttributes"),
                keySchemas=fields("attributeName", "keyType"),
                onDemandThroughput=_THROUGHPUT,
            ),
            onDemandThroughput=_THROUGHPUT,
            pointInTimeRecovery=fields("enabled", "recoveryPeriodInDays"),
            serverSideEncryption=fields("enabled", "kmsKeyArn"),
        ),
        create=_create,
        read=_read,
        update=_update,
        delete=_delete,
        replaces=frozenset({"hashKey", "name", "rangeKey"}),
        defaults={
            "billingMode": "PROVISIONED",
            "deletionProtectionEnabled": False,
            "tableClass": "STANDARD",
            "globalSecondaryIndexes": {"onDemandThroughput": _NO_LIMIT},
            "onDemandThroughput": _NO_LIMIT,
            "pointInTimeRecovery": {"enabled": False, "recoveryPeriodInDays": ANY},
            "serverSideEncryption": {"enabled": False, "kmsKeyArn": ANY},
        },
    )
}
