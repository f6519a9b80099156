"""SQS: queues and their policies."""

from __future__ import annotations

import json
from typing import Any

from local.aws import Aws
from local.provider.schema import Created, Inputs, ResourceType, fields, physical_name, policy_text

QUEUE_NAME_LENGTH = 80

_ATTRIBUTES = {
    "delaySeconds": "DelaySeconds",
    "kmsDataKeyReusePeriodSeconds": "KmsDataKeyReusePeriodSeconds",
    "kmsMasterKeyId": "KmsMasterKeyId",
    "maxMessageSize": "MaximumMessageSize",
    "messageRetentionSeconds": "MessageRetentionPeriod",
    "policy": "Policy",
    "receiveWaitTimeSeconds": "ReceiveMessageWaitTimeSeconds",
    "redriveAllowPolicy": "RedriveAllowPolicy",
    "redrivePolicy": "RedrivePolicy",
    "sqsManagedSseEnabled": "SqsManagedSseEnabled",
    "visibilityTimeoutSeconds": "VisibilityTimeout",
}
"""Input property to queue attribute."""


def _queue(aws: Aws, name: str, inputs: Inputs) -> Created:
    sqs = aws.client("sqs")
    queue_name = physical_name(inputs, name, max_length=QUEUE_NAME_LENGTH)
    attributes: Any = _attributes(inputs)
    url = sqs.create_queue(QueueName=queue_name, Attributes=attributes, tags=inputs.get("tags") or {})[
        "QueueUrl"
    ]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return Created(id=url, outputs={"name": queue_name, "arn": arn, "url": url})


def _queue_attributes(aws: Aws, _name: str, inputs: Inputs) -> Created:
    attributes: Any = _attributes(inputs)
    aws.client("sqs").set_queue_attributes(QueueUrl=inputs["queueUrl"], Attributes=attributes)
    return Created(id=inputs["queueUrl"])


def _attributes(inputs: Inputs) -> dict[str, str]:
    """Queue attributes are text; a policy is JSON text, a flag is ``true`` or ``false``."""
    return {
        attribute: policy_text(inputs[name]) if "olicy" in name else _text(inputs[name])
        for name, attribute in _ATTRIBUTES.items()
        if inputs.get(name) is not None
    }


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


RESOURCE_TYPES = {
    "aws:sqs/queue:Queue": ResourceType(properties=fields("name", "tags", *_ATTRIBUTES), create=_queue),
    "aws:sqs/queuePolicy:QueuePolicy": ResourceType(
        properties=fields("queueUrl", "policy"), create=_queue_attributes
    ),
    "aws:sqs/redrivePolicy:RedrivePolicy": ResourceType(
        properties=fields("queueUrl", "redrivePolicy"), create=_queue_attributes
    ),
    "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy": ResourceType(
        properties=fields("queueUrl", "redriveAllowPolicy"), create=_queue_attributes
    ),
}
