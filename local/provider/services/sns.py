"""SNS: topics, their policies and subscriptions."""

from __future__ import annotations

import json

from local.aws import Aws
from local.provider.patterns import configuration, never_updated, update_tags
from local.provider.resource_types import Change, Created, Existing, Inputs, ResourceType, fields
from local.provider.spelling import camel, key_value_tags, physical_name, policy_text, request, tags_of

TOPIC_NAME_LENGTH = 256

_ATTRIBUTES = ("displayName", "kmsMasterKeyId")

_DEFAULT_POLICY_ACTIONS = (
    *("AddPermission", "DeleteTopic", "GetTopicAttributes", "ListSubscriptionsByTopic"),
    *("Publish", "RemovePermission", "SetTopicAttributes", "Subscribe"),
)


def _create(aws: Aws, name: str, inputs: Inputs) -> Created:
    topic, tags = (
        physical_name(inputs, name, max_length=TOPIC_NAME_LENGTH),
        key_value_tags(inputs.get("tags")),
    )
    attributes = request(inputs, _ATTRIBUTES)
    arn = aws.client("sns").create_topic(Name=topic, Attributes=attributes, Tags=tags)["TopicArn"]
    return Created(id=arn, outputs={"name": topic, "arn": arn})


def _read(aws: Aws, topic: Existing) -> Inputs:
    sns = aws.client("sns")
    found = sns.get_topic_attributes(TopicArn=topic.id)["Attributes"]
    tags = sns.list_tags_for_resource(ResourceArn=topic.id).get("Tags")
    return {**camel(found, fields(*_ATTRIBUTES)), "tags": tags_of(tags)}


def _update(aws: Aws, change: Change) -> None:
    sns, arn = aws.client("sns"), change.resource.id
    for attribute, value in request(change.different, _ATTRIBUTES).items():
        _set_attribute(aws, arn, attribute, value)
    update_tags(change, sns.tag_resource, sns.untag_resource, spell=key_value_tags, ResourceArn=arn)


def _set_attribute(aws: Aws, topic: str, name: str, value: str) -> None:
    aws.client("sns").set_topic_attributes(TopicArn=topic, AttributeName=name, AttributeValue=value)


def _default_policy(topic: str) -> str:
    """Return the policy of a new topic, which the Terraform provider puts too: a topic always has one."""
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [f"SNS:{action}" for action in _DEFAULT_POLICY_ACTIONS],
        "Resource": topic,
        "Condition": {"StringEquals": {"AWS:SourceOwner": topic.split(":")[4]}},
    }
    return json.dumps({"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]})


def _subscribe(aws: Aws, _name: str, inputs: Inputs) -> Created:
    asked = request(inputs, ("protocol", "endpoint"))
    sns = aws.client("sns")
    arn = sns.subscribe(TopicArn=inputs["topic"], ReturnSubscriptionArn=True, **asked)["SubscriptionArn"]
    return Created(id=arn, outputs={"arn": arn})


def _read_subscription(aws: Aws, subscription: Existing) -> Inputs:
    found = aws.client("sns").get_subscription_attributes(SubscriptionArn=subscription.id)["Attributes"]
    return {"topic": found["TopicArn"], "protocol": found["Protocol"], "endpoint": found["Endpoint"]}


RESOURCE_TYPES = {
    "aws:sns/topic:Topic": ResourceType(
        properties=fields("name", "tags", *_ATTRIBUTES),
        create=_create,
        read=_read,
        update=_update,
        delete=lambda aws, topic: aws.client("sns").delete_topic(TopicArn=topic.id),
        replaces=frozenset({"name"}),
        defaults={"displayName": "", "kmsMasterKeyId": ""},
    ),
    "aws:sns/topicPolicy:TopicPolicy": configuration(
        "arn",
        fields("policy"),
        put=lambda aws, _, inputs: _set_attribute(
            aws, inputs["arn"], "Policy", policy_text(inputs["policy"])
        ),
        get=lambda aws, topic, _: camel(
            aws.client("sns").get_topic_attributes(TopicArn=topic)["Attributes"], fields("policy")
        ),
        remove=lambda aws, topic: _set_attribute(aws, topic, "Policy", _default_policy(topic)),
    ),
    "aws:sns/topicSubscription:TopicSubscription": ResourceType(
        properties=fields("endpoint", "protocol", "topic"),
        create=_subscribe,
        read=_read_subscription,
        update=never_updated,
        delete=lambda aws, one: aws.client("sns").unsubscribe(SubscriptionArn=one.id),
        replaces=frozenset({"endpoint", "protocol", "topic"}),
    ),
}
