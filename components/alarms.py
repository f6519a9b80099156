"""Alarms: what each one watches, when it goes off, and which section of the runbook says what to do.

The functions whose names end in `_alarms` are pure. They return `Alarm`s by labels that are unique within a
component, and `create_alarms` makes the resources.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import pulumi
import pulumi_aws as aws

from components.common import ESSENTIAL_ALARMS, CommonArgs

MINUTE, FIVE_MINUTES = 60, 5 * 60
"""In seconds. AWS services publish metrics once a minute at most."""

Dimensions: TypeAlias = Mapping[str, pulumi.Input[str]]
Missing: TypeAlias = Literal["notBreaching", "ignore"]
"""What a period without data means: nothing is wrong, or nothing has changed."""


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """One alarm over one metric. It goes off if `statistic` reaches `threshold` in `breaching` of `periods`.

    `section` is the anchor of the alarm's section in the runbook, and `means` is the sentence in its message.
    `statistic` is Sum, Maximum or a percentile such as p99. An `essential` alarm says that uploads are stuck
    or get no entry, or that the API fails; the others say why, or warn earlier.
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
    queue_name: pulumi.Input[str], dead_letter_queue_name: pulumi.Input[str], common: CommonArgs
) -> dict[str, Alarm]:
    """Watch the queue of uploads and its dead-letter queue.

    A queue that nobody calls for six hours publishes no metrics, even if it has messages ("Available
    CloudWatch metrics for Amazon SQS"). The alarm over dead letters then stays as it is. Lambda calls the
    queue of uploads all the time.
    """
    return {
        "dead-letters": Alarm(
            section="dead-letters",
            means="Uploads could not be processed and are in the dead-letter queue.",
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
            means="Uploads have been waiting too long for their entries in the ledger.",
            namespace="AWS/SQS",
            metric="ApproximateAgeOfOldestMessage",
            dimensions={"QueueName": queue_name},
            statistic="Maximum",
            threshold=common.alarm_oldest_message_seconds,
            period_seconds=MINUTE,
            periods=3,
            breaching=3,
            essential=True,
        ),
    }


def function_alarms(
    function_name: pulumi.Input[str],
    timeout_seconds: int,
    common: CommonArgs,
    *,
    essential_errors: bool = False,
) -> dict[str, Alarm]:
    """Watch a function. A function that isn't invoked publishes no metrics, which is not an error.

    `essential_errors` is for a function whose errors don't also set off another essential alarm.
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
            threshold=common.alarm_function_errors,
            essential=essential_errors,
        ),
        "throttles": Alarm(
            section="function-throttles",
            means="Lambda refused to run a function, because the account's concurrency was used up.",
            namespace="AWS/Lambda",
            metric="Throttles",
            dimensions=dimensions,
            statistic="Sum",
            threshold=common.alarm_function_throttles,
        ),
        "duration": Alarm(
            section="function-near-its-time-out",
            means="A function nearly ran out of time.",
            namespace="AWS/Lambda",
            metric="Duration",
            dimensions=dimensions,
            # Among many invocations, a percentile would hide those that were cut off.
            statistic="Maximum",
            threshold=timeout_seconds * 1000 * common.alarm_timeout_percent / 100,
            periods=3,
            breaching=2,
        ),
    }


def api_alarms(api_id: pulumi.Input[str], stage: pulumi.Input[str], common: CommonArgs) -> dict[str, Alarm]:
    """Watch an HTTP API. Without requests it publishes no metrics, which is not an error.

    REST APIs have other metrics and dimensions ("Working with metrics for HTTP APIs").
    """
    dimensions: Dimensions = {"ApiId": api_id, "Stage": stage}
    return {
        "5xx": Alarm(
            section="api-errors",
            means="The API returned server errors (5xx).",
            namespace="AWS/ApiGateway",
            metric="5xx",
            dimensions=dimensions,
            statistic="Sum",
            threshold=common.alarm_api_errors,
            essential=True,
        ),
        "latency": Alarm(
            section="api-latency",
            means="The slowest 1 % of requests to the API took too long.",
            namespace="AWS/ApiGateway",
            metric="Latency",
            dimensions=dimensions,
            statistic="p99",
            threshold=common.alarm_api_latency_milliseconds,
            # If there are few requests, a single slow one, such as a cold start, is the p99 of its period.
            periods=3,
            breaching=3,
        ),
    }


def table_alarms(table_name: pulumi.Input[str], index_name: str, common: CommonArgs) -> dict[str, Alarm]:
    """Watch a table and its index for throttling. Each of them only publishes these metrics if it throttles.

    `ThrottledRequests` counts reads and writes, but for each operation separately ("DynamoDB metrics and
    dimensions"), so an operation that a function starts to use would not be watched.
    """
    of_table: Dimensions = {"TableName": table_name}
    of_index: Dimensions = {**of_table, "GlobalSecondaryIndexName": index_name}
    return {
        label: Alarm(
            section="table-throttles",
            means=f"DynamoDB throttled {what}.",
            namespace="AWS/DynamoDB",
            metric=metric,
            dimensions=dimensions,
            statistic="Sum",
            threshold=common.alarm_table_throttles,
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

    An alarm sends a message with its description when it goes off, and another one when it is over.
    """
    topics = [common.alarm_topic_arn] if common.alarm_topic_arn else []
    region = aws.get_region_output(opts=pulumi.InvokeOutputOptions(parent=parent)).region
    stack = pulumi.Output.concat("Stack ", pulumi.get_stack(), " in ", region)
    return [
        aws.cloudwatch.MetricAlarm(
            f"{name}-{label}-alarm",
            alarm_description=pulumi.Output.concat(
                stack, f": {alarm.means} What to do: {common.runbook_url}#{alarm.section}"
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
            alarm_actions=topics,
            ok_actions=topics,
            tags=common.tags,
            opts=pulumi.ResourceOptions(parent=parent),
        ).arn
        for label, alarm in alarms.items()
        if alarm.essential or common.alarms != ESSENTIAL_ALARMS
    ]


def _is_percentile(alarm: Alarm) -> bool:
    return alarm.statistic.startswith("p")
