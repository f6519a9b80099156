"""CloudWatch Logs: log groups."""

from __future__ import annotations

from typing import Any

from local.aws import Aws
from local.provider.patterns import undone_on_failure, update_tags
from local.provider.resource_types import Change, Created, Existing, Inputs, ResourceType, fields
from local.provider.spelling import physical_name, present

LOG_GROUP_NAME_LENGTH = 512


def _create(aws: Aws, name: str, inputs: Inputs) -> Created:
    logs = aws.client("logs")
    group = physical_name(inputs, name, max_length=LOG_GROUP_NAME_LENGTH)
    # Unlike those of other services, its parameters are in camel case.
    options: Any = present(inputs, kmsKeyId="kmsKeyId", logGroupClass="logGroupClass")
    arn = aws.arn("logs", f"log-group:{group}")
    logs.create_log_group(logGroupName=group, tags=inputs.get("tags") or {}, **options)
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
        **{name: group.get(name) for name in ("kmsKeyId", "logGroupClass", "retentionInDays")},
        "tags": tags,
    }


def _update(aws: Aws, change: Change) -> None:
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


def _delete(aws: Aws, group: Existing) -> None:
    if not group.inputs.get("skipDestroy"):
        aws.client("logs").delete_log_group(logGroupName=group.id)


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
    )
}
