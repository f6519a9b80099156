"""AlarmTopic: the SNS topic that a stack's alarms are sent to."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import pulumi
import pulumi_aws as aws

from components.policies.documents import resolve, to_json
from components.policies.keys import alarm_key_statements
from components.policies.resources import alarm_topic_statements
from components.stack_args import plain_name

KEY_DELETION_DAYS = 7
"""The shortest that KMS waits. The topic keeps no messages, so nothing needs the key for longer."""

DISPLAY_NAME_LENGTH = 100
"""Amazon SNS Developer Guide, "Creating an Amazon SNS topic"."""


def display_name(project: str, stack: str, region: str) -> str:
    """Name the sender of the e-mails. A name that is too long is cut before the region."""
    rest = f"{plain_name(project)} {plain_name(stack)}"
    return f"{rest[: DISPLAY_NAME_LENGTH - len(region) - 1]} {region}"


class AlarmTopic(pulumi.ComponentResource):
    """An encrypted SNS topic that only accepts messages from this account's alarms, over TLS. Output: `arn`.

    The topic has its own key even if the stack has a customer's key, because a change of the setting
    `encryption` must not take the key away. The account's key for SNS (`alias/aws/sns`) would cost nothing,
    but CloudWatch can't publish to a topic under that key, since the key's policy can't be changed ("Why
    didn't I receive an SNS notification for my CloudWatch alarm trigger?").
    """

    def __init__(
        self, name: str, email: str, tags: Mapping[str, str], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("bill-e:alarms:AlarmTopic", name, None, opts)
        child, invoke = pulumi.ResourceOptions(parent=self), pulumi.InvokeOutputOptions(parent=self)
        here: Mapping[str, pulumi.Output[str]] = {
            "account_id": aws.get_caller_identity_output(opts=invoke).account_id,
            "region": aws.get_region_output(opts=invoke).region,
        }
        key = aws.kms.Key(
            f"{name}-key",
            description="Encrypts the messages of alarms",
            enable_key_rotation=True,
            deletion_window_in_days=KEY_DELETION_DAYS,
            policy=to_json(resolve(alarm_key_statements, **here)),
            tags=tags,
            opts=child,
        )
        topic = aws.sns.Topic(
            f"{name}-topic",
            display_name=here["region"].apply(
                functools.partial(display_name, pulumi.get_project(), pulumi.get_stack())
            ),
            kms_master_key_id=key.arn,
            tags=tags,
            opts=child,
        )
        aws.sns.TopicPolicy(
            f"{name}-topic-policy",
            arn=topic.arn,
            policy=to_json(resolve(alarm_topic_statements, topic_arn=topic.arn, **here)),
            opts=child,
        )
        if email:
            aws.sns.TopicSubscription(
                f"{name}-email", topic=topic.arn, protocol="email", endpoint=email, opts=child
            )
        self.arn = topic.arn
        self.register_outputs({"arn": self.arn})
