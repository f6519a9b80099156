"""AlarmTopic: whom the alarms of a stack tell."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components import policies
from components.checks import Problem, matches, refuse
from components.common import CommonArgs, plain_name

EMAIL_PATTERN = r"[^@\s<>]+@[^@\s<>]+\.[^@\s<>.]+"
EMAIL_ALLOWED = "an e-mail address, such as on-call@example.com"

KEY_DELETION_DAYS = 7
"""The least that KMS knows: no message stays on the topic, so that nothing needs the key for longer."""

DISPLAY_NAME_LENGTH = 100
"""Amazon SNS Developer Guide, "Creating an Amazon SNS topic"."""


@dataclass(frozen=True, kw_only=True)
class AlarmTopicArgs:
    """What a topic is made of.

    `email` is told of every alarm, once it has confirmed the subscription; empty is nobody.
    """

    common: CommonArgs
    email: str = ""

    def __post_init__(self) -> None:
        refuse("AlarmTopicArgs", email_or_nothing("email", self.email))


def email_or_nothing(name: str, value: str) -> Problem | None:
    """Check that a text is empty, or looks like an e-mail address."""
    return matches(name, value, EMAIL_PATTERN, f"empty, or {EMAIL_ALLOWED}") if value else None


def display_name(project: str, stack: str, region: str) -> str:
    """Name the sender of the alarms' e-mails, with the region at the end even if the rest is too long."""
    rest = f"{plain_name(project)} {plain_name(stack)}"
    return f"{rest[: DISPLAY_NAME_LENGTH - len(region) - 1]} {region}"


class AlarmTopic(pulumi.ComponentResource):
    """An encrypted SNS topic that takes messages of this account's CloudWatch alarms only, over TLS only.

    It has a key of its own, with `encryption: customer-key` as well: a key that came and went with that
    setting would be deleted by a change of it. SNS could encrypt with the account's key for it
    (`alias/aws/sns`) at no cost, but CloudWatch can't publish to such a topic, since nobody can let it into
    that key's policy ("Why didn't I receive an SNS notification for my CloudWatch alarm trigger?"). Output:
    `arn`.
    """

    def __init__(self, name: str, args: AlarmTopicArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("bill-e:alarms:AlarmTopic", name, None, opts)
        child, invoke = pulumi.ResourceOptions(parent=self), pulumi.InvokeOutputOptions(parent=self)
        here = {
            "account_id": aws.get_caller_identity_output(opts=invoke).account_id,
            "region": aws.get_region_output(opts=invoke).region,
        }
        topic = aws.sns.Topic(
            f"{name}-topic",
            display_name=here["region"].apply(
                functools.partial(display_name, pulumi.get_project(), pulumi.get_stack())
            ),
            kms_master_key_id=self._key(name, args.common, here),
            tags=args.common.tags,
            opts=child,
        )
        aws.sns.TopicPolicy(
            f"{name}-topic-policy",
            arn=topic.arn,
            policy=policies.to_json(
                policies.resolve(policies.alarm_topic_statements, topic_arn=topic.arn, **here)
            ),
            opts=child,
        )
        if args.email:
            aws.sns.TopicSubscription(
                f"{name}-email", topic=topic.arn, protocol="email", endpoint=args.email, opts=child
            )
        self.arn = topic.arn
        self.register_outputs({"arn": self.arn})

    def _key(
        self, name: str, common: CommonArgs, here: Mapping[str, pulumi.Output[str]]
    ) -> pulumi.Output[str]:
        return aws.kms.Key(
            f"{name}-key",
            description="Encrypts the messages of alarms",
            enable_key_rotation=True,
            deletion_window_in_days=KEY_DELETION_DAYS,
            policy=policies.to_json(policies.resolve(policies.alarm_key_statements, **here)),
            tags=common.tags,
            opts=pulumi.ResourceOptions(parent=self),
        ).arn
