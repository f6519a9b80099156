"""CloudWatch Logs: log groups."""

from __future__ import annotations

from typing import Any

from local.aws import Aws
from local.provider.schema import Created, Inputs, ResourceType, fields, physical_name, present

LOG_GROUP_NAME_LENGTH = 512


def _log_group(aws: Aws, name: str, inputs: Inputs) -> Created:
    logs = aws.client("logs")
    group = physical_name(inputs, name, max_length=LOG_GROUP_NAME_LENGTH)
    request: Any = {
        "logGroupName": group,
        "tags": inputs.get("tags") or {},
        **present(inputs, kmsKeyId="kmsKeyId", logGroupClass="logGroupClass"),
    }
    logs.create_log_group(**request)
    if inputs.get("retentionInDays"):
        logs.put_retention_policy(logGroupName=group, retentionInDays=inputs["retentionInDays"])
    account = aws.client("sts").get_caller_identity()["Account"]
    return Created(
        id=group, outputs={"name": group, "arn": f"arn:aws:logs:{aws.region}:{account}:log-group:{group}"}
    )


RESOURCE_TYPES = {
    "aws:cloudwatch/logGroup:LogGroup": ResourceType(
        # skipDestroy only says how `pulumi destroy` goes about it.
        properties=fields(
            "name", "namePrefix", "kmsKeyId", "logGroupClass", "retentionInDays", "skipDestroy", "tags"
        ),
        create=_log_group,
    ),
}
