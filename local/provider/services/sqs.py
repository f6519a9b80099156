"""SQS: queues and their policies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from local.aws import Aws
from local.provider.patterns import configuration, update_tags
from local.provider.resource_types import ANY, Change, Created, Existing, Inputs, ResourceType, fields
from local.provider.spelling import physical_name, policy_text

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
"""Input properties, and the queue attributes that they set."""

_DEFAULTS = {
    "delaySeconds": 0,
    "kmsDataKeyReusePeriodSeconds": ANY,
    "kmsMasterKeyId": "",
    # 1 MiB since August 2025, so it depends on the queue.
    "maxMessageSize": ANY,
    "messageRetentionSeconds": 345600,
    "receiveWaitTimeSeconds": 0,
    "visibilityTimeoutSeconds": 30,
    # Other resources can set these.
    "policy": ANY,
    "redriveAllowPolicy": ANY,
    "redrivePolicy": ANY,
    "sqsManagedSseEnabled": ANY,
}


def _create(aws: Aws, name: str, inputs: Inputs) -> Created:
    sqs = aws.client("sqs")
    queue_name = physical_name(inputs, name, max_length=QUEUE_NAME_LENGTH)
    # Asked for first: SQS answers a second CreateQueue with the existing queue, so if anything failed later,
    # undoing the creation could delete somebody else's queue.
    arn = aws.arn("sqs", queue_name)
    created = sqs.create_queue(
        QueueName=queue_name, Attributes=_attributes(inputs), tags=inputs.get("tags") or {}
    )
    url = created["QueueUrl"]
    return Created(id=url, outputs={"name": queue_name, "arn": arn, "url": url})


def _read(aws: Aws, resource: Existing) -> Inputs:
    tags = aws.client("sqs").list_queue_tags(QueueUrl=resource.id).get("Tags", {})
    return {**_attributes_as_inputs(aws, resource.id), "tags": tags}


def _update(aws: Aws, change: Change) -> None:
    sqs, url = aws.client("sqs"), change.resource.id
    if attributes := _attributes(change.different):
        sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
    update_tags(change, sqs.tag_queue, sqs.untag_queue, QueueUrl=url)


def _attributes(inputs: Inputs) -> Any:
    """Write queue attributes, which are text: a policy is JSON, a flag is ``true`` or ``false``."""
    return {
        attribute: policy_text(inputs[name]) if "olicy" in name else _text(inputs[name])
        for name, attribute in _ATTRIBUTES.items()
        if inputs.get(name) is not None
    }


def _attributes_as_inputs(aws: Aws, url: str) -> dict[str, Any]:
    found: Mapping[Any, str] = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])[
        "Attributes"
    ]
    return {
        name: _value(found[attribute]) if attribute in found else None
        for name, attribute in _ATTRIBUTES.items()
    }


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _value(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text.isdecimal() else text


def _policy(name: str) -> ResourceType:
    """Build the type of a queue's policy: the attribute that the queue's own input ``name`` also sets."""

    def put(aws: Aws, queue: str, attributes: Any) -> None:
        aws.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes=attributes)

    def get(aws: Aws, queue: str, _written: Inputs) -> Inputs | None:
        policy = _attributes_as_inputs(aws, queue)[name]
        return {name: policy} if policy else None

    return configuration(
        "queueUrl",
        fields(name),
        put=lambda aws, _, inputs: put(aws, inputs["queueUrl"], _attributes({name: inputs[name]})),
        get=get,
        remove=lambda aws, queue: put(aws, queue, {_ATTRIBUTES[name]: ""}),
    )


RESOURCE_TYPES = {
    "aws:sqs/queue:Queue": ResourceType(
        properties=fields("name", "tags", *_ATTRIBUTES),
        create=_create,
        read=_read,
        update=_update,
        delete=lambda aws, queue: aws.client("sqs").delete_queue(QueueUrl=queue.id),
        replaces=frozenset({"name"}),
        defaults=_DEFAULTS,
    ),
    "aws:sqs/queuePolicy:QueuePolicy": _policy("policy"),
    "aws:sqs/redrivePolicy:RedrivePolicy": _policy("redrivePolicy"),
    "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy": _policy("redriveAllowPolicy"),
}
