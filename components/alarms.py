"""Alarms: what each watches, when it goes off, and where the runbook says what to do then.

The builders are pure: names of resources and thresholds in, `Alarm`s out, by a label that is unique among the
alarms of one component. `create_alarms` makes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

import pulumi
import pulumi_aws as aws

from components.checks import between, refuse

if TYPE_CHECKING:
    from components.common import CommonArgs

RUNBOOK = "docs/operations.md"

MINUTE, FIVE_MINUTES = 60, 5 * 60
"""Periods in seconds: one minute is the finest of the metrics that AWS services publish."""

Dimensions: TypeAlias = Mapping[str, pulumi.Input[str]]
Missing: TypeAlias = Literal["notBreaching", "ignore"]
"""What a period without data means: that nothing is wrong, or that nothing has changed."""


MOST = 1_000_000
"""The highest count that makes sense to wait for: people who want no alarms don't subscribe."""

THRESHOLD_LIMITS = {
    # A message is gone after four days in the queue.
    "oldest_message_seconds": (60, 4 * 24 * 60 * 60),
    "function_errors": (1, MOST),
    "function_throttles": (1, MOST),
    "timeout_percent": (1, 100),
    "api_errors": (1, MOST),
    # An HTTP API answers within 30 seconds, if only that it has run out of time.
    "api_latency_milliseconds": (1, 30_000),
    "table_throttles": (1, MOST),
}
"""The least and the most that each of the thresholds may be."""


@dataclass(frozen=True, kw_only=True)
class AlarmThresholds:
    """What is reached where an alarm goes off; counts are per five minutes."""

    oldest_message_seconds: int = 1800
    function_errors: int = 1
    function_throttles: int = 1
    timeout_percent: int = 80
    api_errors: int = 1
    api_latency_milliseconds: int = 3000
    table_throttles: int = 10

    def __post_init__(self) -> None:
        limits = THRESHOLD_LIMITS.items()
        refuse("AlarmThresholds", *(between(name, getattr(self, name), *limit) for name, limit in limits))


@dataclass(frozen=True, kw_only=True)
class AlarmArgs:
    """What the alarms of a stack have in common: when they go off, whom they tell, where their runbook is.

    Without a topic they tell nobody: they only show in CloudWatch. With `essential_only`, there are no others
    than those alarms that are `essential`.
    """

    thresholds: AlarmThresholds = field(default_factory=AlarmThresholds)
    topic_arn: pulumi.Input[str] | None = None
    runbook_url: str = RUNBOOK
    essential_only: bool = False


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """One alarm over one metric: it goes off where `statistic` reaches `threshold` in enough periods.

    `section` is the anchor of its section in the runbook, `means` the sentence that whoever is told reads.
    `statistic` is Sum, Maximum or a percentile such as p99. `breaching` of the last `periods` have to reach
    the threshold. An `essential` alarm says that uploads are lost to the ledger or stuck, or that callers get
    no answer; the others say why, or that it may come to that.
    """

    section: str
    means: str
    namespace: str
    metric: str
    dimensions: Dimensions
    statistic: str
    threshold: float
    period_seconds: int = FIVE_MINUTES
    periods: int = 1
    breaching: int = 1
    missing: Missing = "notBreaching"
    essential: bool = False


def queue_alarms(
    queue_name: pulumi.Input[str], dead_letter_queue_name: pulumi.Input[str], thresholds: AlarmThresholds
) -> dict[str, Alarm]:
    """Watch the queue of uploads and its dead-letter queue.

    A queue that nobody asks for six hours publishes no metrics, messages in it or not ("Available CloudWatch
    metrics for Amazon SQS"). For dead letters that is no reason to be calm, so that their alarm stays as it
    is; the queue of uploads is asked all the time, by Lambda.
    """
    return {
        "dead-letters": Alarm(
            section="dead-letters",
            means="Uploads could not be processed and lie in the dead-letter queue.",
            namespace="AWS/SQS",
            metric="ApproximateNumberOfMessagesVisible",
            dimensions={"QueueName": dead_letter_queue_name},
            statistic="Maximum",
            threshold=1,
            period_seconds=MINUTE,
            missing="ignore",
            essential=True,
        ),
        "oldest-message": Alarm(
            section="oldest-message",
            means="Uploads wait too long for their entry in the ledger.",
            namespace="AWS/SQS",
            metric="ApproximateAgeOfOldestMessage",
            dimensions={"QueueName": queue_name},
            statistic="Maximum",
            threshold=thresholds.oldest_message_seconds,
            period_seconds=MINUTE,
            periods=3,
            breaching=3,
            essential=True,
        ),
    }


def function_alarms(
    function_name: pulumi.Input[str],
    timeout_seconds: int,
    thresholds: AlarmThresholds,
    *,
    essential_errors: bool = False,
) -> dict[str, Alarm]:
    """Watch a function. One that isn't invoked publishes nothing, and nothing is wrong with it.

    `essential_errors` is for a function whose errors no other essential alarm tells of at once.
    """
    dimensions: Dimensions = {"FunctionName": function_name}
    return {
        "errors": Alarm(
            section="function-errors",
            means="A function failed: it raised an error, ran out of time or memory, or could not start.",
            namespace="AWS/Lambda",
            metric="Errors",
            dimensions=dimensions,
            statistic="Sum",
            threshold=thresholds.function_errors,
            essential=essential_errors,
        ),
        "throttles": Alarm(
            section="function-throttles",
            means="Lambda refused to run a function: the account's concurrency is used up.",
            namespace="AWS/Lambda",
            metric="Throttles",
            dimensions=dimensions,
            statistic="Sum",
            threshold=thresholds.function_throttles,
        ),
        "duration": Alarm(
            section="function-near-its-time-out",
            means="A function takes nearly as long as it may.",
            namespace="AWS/Lambda",
            metric="Duration",
            dimensions=dimensions,
            # Not a percentile: of few invocations it is the longest as well, of many it hides those cut off.
            statistic="Maximum",
            threshold=timeout_seconds * 1000 * thresholds.timeout_percent / 100,
            periods=3,
            breaching=2,
        ),
    }


def api_alarms(
    api_id: pulumi.Input[str], stage: pulumi.Input[str], thresholds: AlarmThresholds
) -> dict[str, Alarm]:
    """Watch an HTTP API. Without requests it publishes nothing, and nothing is wrong with it.

    Metrics and dimensions are those of HTTP APIs ("Working with metrics for HTTP APIs"), not of REST APIs.
    """
    dimensions: Dimensions = {"ApiId": api_id, "Stage": stage}
    return {
        "5xx": Alarm(
            section="api-errors",
            means="The API answered with errors of its own (5xx).",
            namespace="AWS/ApiGateway",
            metric="5xx",
            dimensions=dimensions,
            statistic="Sum",
            threshold=thresholds.api_errors,
            essential=True,
        ),
        "latency": Alarm(
            section="api-latency",
            means="The slowest of a hundred requests to the API take too long.",
            namespace="AWS/ApiGateway",
            metric="Latency",
            dimensions=dimensions,
            statistic="p99",
            threshold=thresholds.api_latency_milliseconds,
            # A single slow request among few, such as a cold start, is the p99 of its period.
            periods=3,
            breaching=3,
        ),
    }


def table_alarms(
    table_name: pulumi.Input[str], index_name: str, thresholds: AlarmThresholds
) -> dict[str, Alarm]:
    """Watch a table and its index for throttling; each counts its own, and an unthrottled one nothing.

    `ThrottledRequests` would add up both, but exists for each operation only ("DynamoDB metrics and
    dimensions"): an operation that a function takes up later would go unwatched.
    """
    of_table: Dimensions = {"TableName": table_name}
    of_index: Dimensions = {**of_table, "GlobalSecondaryIndexName": index_name}
    return {
        label: Alarm(
            section="table-throttles",
            means=f"DynamoDB refused {what}.",
            namespace="AWS/DynamoDB",
            metric=metric,
            dimensions=dimensions,
            statistic="Sum",
            threshold=thresholds.table_throttles,
        )
        for label, what, metric, dimensions in (
            ("table-reads", "reads of the ledger's table", "ReadThrottleEvents", of_table),
            ("table-writes", "writes to the ledger's table", "WriteThrottleEvents", of_table),
            ("index-reads", "reads of the ledger's time index", "ReadThrottleEvents", of_index),
            ("index-writes", "writes to the ledger's time index", "WriteThrottleEvents", of_index),
        )
    }


def create_alarms(
    name: str, alarms: Mapping[str, Alarm], common: CommonArgs, parent: pulumi.Resource
) -> list[pulumi.Output[str]]:
    """Make the alarms of the component `parent`, called `name`, and return their ARNs.

    They tell when it is over, too. Their descriptions, which are in their messages, say which stack it is.
    """
    told = [common.alarms.topic_arn] if common.alarms.topic_arn else []
    region = aws.get_region_output(opts=pulumi.InvokeOutputOptions(parent=parent)).region
    stack = pulumi.Output.concat("Stack ", pulumi.get_stack(), " in ", region)
    wanted = {
        label: alarm for label, alarm in alarms.items() if alarm.essential or not common.alarms.essential_only
    }
    return [
        aws.cloudwatch.MetricAlarm(
            f"{name}-{label}-alarm",
            alarm_description=pulumi.Output.concat(
                stack, f": {alarm.means} What to do: {common.alarms.runbook_url}#{alarm.section}"
            ),
            namespace=alarm.namespace,
            metric_name=alarm.metric,
            dimensions=alarm.dimensions,
            statistic=None if _is_percentile(alarm) else alarm.statistic,
            extended_statistic=alarm.statistic if _is_percentile(alarm) else None,
            comparison_operator="GreaterThanOrEqualToThreshold",
            threshold=alarm.threshold,
            period=alarm.period_seconds,
            evaluation_periods=alarm.periods,
            datapoints_to_alarm=alarm.breaching,
            treat_missing_data=alarm.missing,
            alarm_actions=told,
            ok_actions=told,
            tags=common.tags,
            opts=pulumi.ResourceOptions(parent=parent),
        ).arn
        for label, alarm in wanted.items()
    ]


def _is_percentile(alarm: Alarm) -> bool:
    return alarm.statistic.startswith("p")
