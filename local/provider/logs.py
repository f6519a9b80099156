"""CloudWatch Logs: log groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local.aws import Aws
from local.provider.schema import (
    Change,
    Created,
    Existing,
    Inputs,
    ResourceType,
    fields,
    physical_name,
    present,
    undone_on_failure,
    update_tags,
)

LOG_GROUP_NAME_LENGTH = 512


def _create(aws: Aws, name: str, inputs: Inputs) -> Created:
    logs = aws.client("logs")
    group = physical_name(inputs, name, max_length=LOG_GROUP_NAME_LENGTH)
    request: Any = {
        "logGroupName": group,
        "tags": inputs.get("tags") or {},
        **present(inputs, kmsKeyId="kmsKeyId", logGroupClass="logGroupClass"),
    }
    arn = aws.arn("logs", f"log-group:{group}")
    logs.create_log_group(**request)
    with undone_on_failure(lambda: logs.delete_log_group(logGroupName=group)):
        if inputs.get("retentionInDays"):
            logs.put_retention_policy(logGroupName=group, retentionInDays=inputs["retentionInDays"])
    return Created(id=group, outputs={"name": group, "arn": arn})


def _read(aws: Aws, resource: Existing) -> Inputs | None:
    logs = aws.client("logs")
    pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=resource.id)
    groups = (group for page in pages for group in page["logGroups"])
    group = next((group for group in groups if group["logGroupName"] == resource.id), None)
    if group is None:
        return None
    tags = logs.list_tags_for_resource(resourceArn=resource.outputs["arn"]).get("tags", {})
    return {
        "kmsKeyId": group.get("kmsKeyId"),
        "logGroupClass": group.get("logGroupClass"),
        "retentionInDays": group.get("retentionInDays"),
        "tags": tags,
    }


def _update(aws: Aws, change: Change) -> Mapping[str, Any]:
    logs, group, different = aws.client("logs"), change.resource.id, change.different
    if days := different.get("retentionInDays"):
        logs.put_retention_policy(logGroupName=group, retentionInDays=days)
    elif "retentionInDays" in different:
        logs.delete_retention_policy(logGroupName=group)
    if key := different.get("kmsKeyId"):
        logs.associate_kms_key(logGroupName=group, kmsKeyId=key)
    elif "kmsKeyId" in different:
        logs.disassociate_kms_key(logGroupName=group)
    arn, names = change.resource.outputs["arn"], ("tags", "tagKeys")
    update_tags(change, logs.tag_resource, logs.untag_resource, names=names, resourceArn=arn)
    return {}


def _delete(aws: Aws, resource: Existing) -> None:
    if not resource.inputs.get("skipDestroy"):
        aws.client("logs").delete_log_group(logGroupName=resource.id)


RESOURCE_TYPES = {
    "aws:cloudwatch/logGroup:LogGroup": ResourceType(
        properties=fields(
            "name", "namePrefix", "kmsKeyId", "logGroupClass", "retentionInDays", "skipDestroy", "tags"
        ),
        create=_create,
        read=_read,
        update=_update,
        delete=_delete,
        replaces=frozenset({"logGroupClass", "name", "namePrefix"}),
        defaults={"logGroupClass": "STANDARD", "retentionInDays": 0},
    ),
}
