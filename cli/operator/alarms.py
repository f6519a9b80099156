"""A stack's alarms, and the newest values of the metrics that they watch, as CloudWatch has them.

Both are an account's to read, so they aren't among an operator's own permissions: AWS's managed policy
`ReadOnlyAccess` has them, which people on call have anyway.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cli import aws
from cli.errors import BillEError, explained
from functions.contract.entry import format_time

if TYPE_CHECKING:
    from types_boto3_cloudwatch import CloudWatchClient
    from types_boto3_cloudwatch.type_defs import DimensionTypeDef

    from cli.stack import StackAccess

LOOKING_BACK = timedelta(days=2)
PERIOD_SECONDS = 300
KEPT = timedelta(days=455)
"""How long CloudWatch keeps what was published, by the hour in the end."""

DAY_SECONDS = 86_400
GONE_OFF = "ALARM"


@dataclass(frozen=True, kw_only=True)
class WatchedMetric:
    """The metric that an alarm watches."""

    namespace: str
    name: str
    dimensions: tuple[DimensionTypeDef, ...]


@dataclass(frozen=True, kw_only=True)
class AlarmState:
    """An alarm: OK, ALARM or INSUFFICIENT_DATA since a time. `description` says what to do about it."""

    name: str
    state: str
    since: str
    reason: str
    description: str
    metric: WatchedMetric


@dataclass(frozen=True, kw_only=True)
class LatestValue:
    """The newest value of a metric."""

    value: float
    at: str


@contextmanager
def open_cloudwatch(access: StackAccess) -> Iterator[CloudWatchClient]:
    """Connect to CloudWatch. Make no call yet."""
    # The operator who comes with an embedded AWS has no ReadOnlyAccess.
    session = aws.session_for(access, access.administrator_key or access.operator_key)
    with closing(aws.client(session, "cloudwatch", access)) as cloudwatch:
        yield cloudwatch


def read_alarms(cloudwatch: CloudWatchClient, access: StackAccess) -> list[AlarmState]:
    """Return the alarms that send their messages to the stack's topic, those that have gone off first."""
    topic = access.alarm_topic
    if topic is None:
        raise BillEError("the stack has no output 'alarm_topic': give all outputs of the stack")
    with explained("reading alarms (cloudwatch:DescribeAlarms)"):
        states = [
            AlarmState(
                name=alarm["AlarmName"],
                state=alarm["StateValue"],
                since=format_time(alarm["StateUpdatedTimestamp"]),
                reason=alarm.get("StateReason", ""),
                description=alarm.get("AlarmDescription", ""),
                metric=WatchedMetric(
                    namespace=alarm.get("Namespace", ""),
                    name=alarm.get("MetricName", ""),
                    dimensions=tuple(alarm.get("Dimensions", ())),
                ),
            )
            for page in cloudwatch.get_paginator("describe_alarms").paginate(ActionPrefix=topic)
            for alarm in page["MetricAlarms"]
            if topic in alarm.get("AlarmActions", ())
        ]
    return sorted(states, key=lambda alarm: (alarm.state != GONE_OFF, alarm.state, alarm.name))


def latest_value(cloudwatch: CloudWatchClient, metric: WatchedMetric) -> LatestValue | None:
    """Return the newest value of a metric; None if it has had none for `LOOKING_BACK`."""
    return _newest(cloudwatch, metric, datetime.now(UTC) - LOOKING_BACK, PERIOD_SECONDS)


def last_day(cloudwatch: CloudWatchClient, metric: WatchedMetric) -> str | None:
    """Return the last day on which a metric had a value, as YYYY-MM-DD; None if it never had one."""
    # Points begin where the period does, so it begins with a day.
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    newest = _newest(cloudwatch, metric, midnight - KEPT, DAY_SECONDS)
    return newest.at.partition("T")[0] if newest else None


def _newest(
    cloudwatch: CloudWatchClient, metric: WatchedMetric, start: datetime, period_seconds: int
) -> LatestValue | None:
    with explained("reading a metric (cloudwatch:GetMetricStatistics)"):
        points = cloudwatch.get_metric_statistics(
            Namespace=metric.namespace,
            MetricName=metric.name,
            Dimensions=metric.dimensions,
            StartTime=start,
            EndTime=datetime.now(UTC),
            Period=period_seconds,
            Statistics=["Maximum"],
        )["Datapoints"]
    newest = max(points, key=lambda point: point["Timestamp"], default=None)
    return LatestValue(value=newest["Maximum"], at=format_time(newest["Timestamp"])) if newest else None
