"""What all components of a stack stand on: libraries, the customer's key, and whom alarms tell."""

from __future__ import annotations

from dataclasses import replace

import pulumi

from components.alarm_topic import AlarmTopic, AlarmTopicArgs
from components.alarms import AlarmArgs
from components.common import CommonArgs
from components.encryption_key import EncryptionKey
from components.python_layer import PythonLayer, PythonLayerArgs
from components.settings import StackSettings


def lay_foundation(name: str, settings: StackSettings, opts: pulumi.ResourceOptions) -> CommonArgs:
    """Make what every component of a stack needs, as components of their own, named after `name`."""
    common = CommonArgs(
        log_retention_days=settings.log_retention_days,
        protect=settings.protect_data,
        layers=[PythonLayer(f"{name}-libraries", PythonLayerArgs(), opts).arn],
        former_key_arns=settings.former_key_arns,
        tags={"project": pulumi.get_project(), "stack": pulumi.get_stack()},
    )
    if settings.customer_key:
        common = replace(common, key_arn=EncryptionKey(f"{name}-encryption", common, opts).arn)
    if settings.protect_data and not settings.alarm_email:
        pulumi.log.warn("alarms tell nobody: set bill-e:alarmEmail, or subscribe to the output alarm_topic")
    topic = AlarmTopic(f"{name}-alarms", AlarmTopicArgs(common=common, email=settings.alarm_email), opts)
    return replace(
        common,
        alarms=AlarmArgs(
            thresholds=settings.alarm_thresholds,
            topic_arn=topic.arn,
            runbook_url=settings.runbook_url,
        ),
    )
