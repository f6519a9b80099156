"""SNS: topics, their policies and subscriptions."""

from __future__ import annotations

from typing import Any

from local.aws import Aws
from local.provider.schema import (
    Created,
    Inputs,
    ResourceType,
    fields,
    key_value_tags,
    physical_name,
    policy_text,
    present,
)

TOPIC_NAME_LENGTH = 256


def _topic(aws: Aws, name: str, inputs: Inputs) -> Created:
    topic = physical_name(inputs, name, max_length=TOPIC_NAME_LENGTH)
    tags: Any = key_value_tags(inputs)
    attributes = present(inputs, DisplayName="displayName", KmsMasterKeyId="kmsMasterKeyId")
    arn = aws.client("sns").create_topic(Name=topic, Attributes=attributes, Tags=tags)["TopicArn"]
    return Created(id=arn, outputs={"name": topic, "arn": arn})


def _topic_policy(aws: Aws, _name: str, inputs: Inputs) -> Created:
    aws.client("sns").set_topic_attributes(
        TopicArn=inputs["arn"], AttributeName="Policy", AttributeValue=policy_text(inputs["policy"])
    )
    return Created(id=inputs["arn"])


def _subscription(aws: Aws, _name: str, inputs: Inputs) -> Created:
    created = aws.client("sns").subscribe(
        TopicArn=inputs["topic"],
        Protocol=inputs["protocol"],
        Endpoint=inputs["endpoint"],
        ReturnSubscriptionArn=True,
    )
    arn = created["SubscriptionArn"]
    return Created(id=arn, outputs={"arn": arn})


RESOURCE_TYPES = {
    "aws:sns/topic:Topic": ResourceType(
        properties=fields("displayName", "kmsMasterKeyId", "name", "tags"), create=_topic
    ),
    "aws:sns/topicPolicy:TopicPolicy": ResourceType(properties=fields("arn", "policy"), create=_topic_policy),
    "aws:sns/topicSubscription:TopicSubscription": ResourceType(
        properties=fields("endpoint", "protocol", "topic"), create=_subscription
    ),
}
