"""What all components of a stack stand on: libraries, the customer's key, and whom alarms tell."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import pulumi

from components.alarm_topic import AlarmTopic, AlarmTopicArgs
from components.alarms import AlarmArgs
from components.common import CommonArgs
from components.encryption_key import EncryptionKey
from components.python_layer import PythonLayer, PythonLayerArgs
from components.settings import StackSettings

SUFFIX_DIGITS = 7
"""As many as Pulumi puts behind the names that it makes."""


def lay_foundation(name: str, settings: StackSettings, opts: pulumi.ResourceOptions) -> CommonArgs:
    """Make what every component of a stack needs, as components of their own, named after `name`."""
    common = CommonArgs(
        log_retention_days=settings.log_retention_days,
        protect=settings.protect_data,
        former_key_arns=settings.former_key_arns,
        tags={"project": pulumi.get_project(), "stack": pulumi.get_stack()},
    )
    if settings.customer_key:
        common = replace(common, key_arn=EncryptionKey(f"{name}-encryption", common, opts).arn)
    if settings.protect_data and not settings.alarm_email:
        pulumi.log.warn("alarms tell nobody: set bill-e:alarmEmail, or subscribe to the output alarm_topic")
    topic = AlarmTopic(f"{name}-alarms", AlarmTopicArgs(common=common, email=settings.alarm_email), opts)
    instance = topic.arn.apply(_instance_of(pulumi.get_stack()))
    libraries = PythonLayer(f"{name}-libraries", PythonLayerArgs(instance=instance), opts)
    return replace(
        common,
        instance=instance,
        layers=[libraries.arn],
        alarms=AlarmArgs(
            thresholds=settings.alarm_thresholds,
            topic_arn=topic.arn,
            runbook_url=settings.runbook_url,
            essential_only=settings.essential_alarms_only,
        ),
    )


def _instance_of(stack: str) -> Callable[[str], str]:
    """Name the instance of a stack after a topic that only it has, and that no change of a setting replaces.

    Two state folders can each hold a stack of the same name, deployed to the same account and region.
    """
    return lambda topic_arn: f"{stack}-{hashlib.sha256(topic_arn.encode()).hexdigest()[:SUFFIX_DIGITS]}"
