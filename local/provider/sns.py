"""SNS: topics, their policies and subscriptions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from local.aws import Aws
from local.provider.schema import (
    Change,
    Created,
    Existing,
    Inputs,
    ResourceType,
    configuration,
    fields,
    key_value_tags,
    never_updated,
    physical_name,
    policy_text,
    present,
    tags_of,
    update_tags,
)

TOPIC_NAME_LENGTH = 256

_ATTRIBUTES = {"displayName": "DisplayName", "kmsMasterKeyId": "KmsMasterKeyId"}
"""Input properties, and the topic attributes that they set."""

_DEFAULT_POLICY_ACTIONS = (
    *("AddPermission", "DeleteTopic", "GetTopicAttributes", "ListSubscriptionsByTopic"),
    *("Publish", "RemovePermission", "SetTopicAttributes", "Subscribe"),
)


def _create(aws: Aws, name: str, inputs: Inputs) -> Created:
    topic = physical_name(inputs, name, max_length=TOPIC_NAME_LENGTH)
    tags = key_value_tags(inputs.get("tags"))
    attributes = present(inputs, **{attribute: given for given, attribute in _ATTRIBUTES.items()})
    arn = aws.client("sns").create_topic(Name=topic, Attributes=attributes, Tags=tags)["TopicArn"]
    return Created(id=arn, outputs={"name": topic, "arn": arn})


def _read(aws: Aws, resource: Existing) -> Inputs:
    sns = aws.client("sns")
    found = sns.get_topic_attributes(TopicArn=resource.id)["Attributes"]
    tags = sns.list_tags_for_resource(ResourceArn=resource.id).get("Tags")
    return {**{name: found.get(attribute) for name, attribute in _ATTRIBUTES.items()}, "tags": tags_of(tags)}


def _update(aws: Aws, change: Change) -> Mapping[str, Any]:
    sns, arn = aws.client("sns"), change.resource.id
    for name, attribute in _ATTRIBUTES.items():
        if name in change.different:
            sns.set_topic_attributes(
                TopicArn=arn, AttributeName=attribute, AttributeValue=change.different[name]
            )
    update_tags(change, sns.tag_resource, sns.untag_resource, spell=key_value_tags, ResourceArn=arn)
    return {}


def _delete(aws: Aws, resource: Existing) -> None:
    aws.client("sns").delete_topic(TopicArn=resource.id)


def _put_policy(aws: Aws, _name: str, inputs: Inputs) -> None:
    aws.client("sns").set_topic_attributes(
        TopicArn=inputs["arn"], AttributeName="Policy", AttributeValue=policy_text(inputs["policy"])
    )


def _get_policy(aws: Aws, arn: str, _written: Inputs) -> Inputs:
    return {"policy": aws.client("sns").get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"]}


def _put_default_policy(aws: Aws, arn: str) -> None:
    """Put the policy of a new topic, as the Terraform provider does, since a topic always has a policy."""
    owner = arn.split(":")[4]
    policy = {
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [
            {
                "Sid": "__default_statement_ID",
                "Effect": "Allow",
                "Principal": {"AWS": "*"},
                "Action": [f"SNS:{action}" for action in _DEFAULT_POLICY_ACTIONS],
                "Resource": arn,
                "Condition": {"StringEquals": {"AWS:SourceOwner": owner}},
            }
        ],
    }
    aws.client("sns").set_topic_attributes(
        TopicArn=arn, AttributeName="Policy", AttributeValue=json.dumps(policy)
    )


def _subscribe(aws: Aws, _name: str, inputs: Inputs) -> Created:
    created = aws.client("sns").subscribe(
        TopicArn=inputs["topic"],
        Protocol=inputs["protocol"],
        Endpoint=inputs["endpoint"],
        ReturnSubscriptionArn=True,
    )
    arn = created["SubscriptionArn"]
    return Created(id=arn, outputs={"arn": arn})


def _read_subscription(aws: Aws, resource: Existing) -> Inputs:
    found = aws.client("sns").get_subscription_attributes(SubscriptionArn=resource.id)["Attributes"]
    return {"topic": found["TopicArn"], "protocol": found["Protocol"], "endpoint": found["Endpoint"]}


def _unsubscribe(aws: Aws, resource: Existing) -> None:
    aws.client("sns").unsubscribe(SubscriptionArn=resource.id)


RESOURCE_TYPES = {
    "aws:sns/topic:Topic": ResourceType(
        properties=fields("displayName", "kmsMasterKeyId", "name", "tags"),
        create=_create,
        read=_read,
        update=_update,
        delete=_delete,
        replaces=frozenset({"name"}),
        defaults={"displayName": "", "kmsMasterKeyId": ""},
    ),
    "aws:sns/topicPolicy:TopicPolicy": configuration(
        "arn", fields("policy"), _put_policy, _get_policy, _put_default_policy
    ),
    "aws:sns/topicSubscription:TopicSubscription": ResourceType(
        properties=fields("endpoint", "protocol", "topic"),
        create=_subscribe,
        read=_read_subscription,
        update=never_updated,
        delete=_unsubscribe,
        replaces=frozenset({"endpoint", "protocol", "topic"}),
    ),
}
