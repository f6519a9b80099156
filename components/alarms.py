"""Alarms: what each one watches, when it goes off, and which section of the runbook says what to do.

The functions whose names end in `_alarms` are pure. They return `Alarm`s by labels that are unique within a
component, and `create_alarms` makes the resources.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, TypeAlias

import pulumi
import pulumi_aws as aws

from components.validation import Checked, argument, between, matching, one_of, setting
from functions.contract import metric_names
from functions.contract.entry import Reason
from functions.contract.sealing import MAX_DELAY

RESEND_SECONDS = 24 * 60 * 60
"""How old a message in the resend queue can get. A backfill takes its time, but SQS deletes a message after
four days."""

ALL_ALARMS, ESSENTIAL_ALARMS = "all", "essential"
RUNBOOK = "docs/operations.md"

A_COUNT = between(1, 1_000_000)

ROUND_SECONDS = 24 * 60 * 60
"""How long a round of the reconciler may take. With 100 million object versions, it takes half of that."""

MINUTE, FIVE_MINUTES, HOUR = 60, 5 * 60, 60 * 60
"""In seconds. AWS services publish metrics once a minute at most."""

Dimensions: TypeAlias = Mapping[str, pulumi.Input[str]]
Missing: TypeAlias = Literal["notBreaching", "ignore", "missing"]
"""What a period without data means: nothing is wrong, nothing has changed, or nobody knows, which is a reason
for a message of its own."""


@dataclass(frozen=True, kw_only=True)
class AlarmSettings(Checked):
    """Alarms."""

    alarms: str = setting(
        ALL_ALARMS,
        'Which alarms to create: "all", or only the "essential" ones (for lost or stuck uploads, and for a '
        "failing API), which cost less",
        one_of(ALL_ALARMS, ESSENTIAL_ALARMS),
    )
    alarm_email: str = setting(
        "",
        "The e-mail address that gets the alarms, once its owner has confirmed it; empty for none",
        matching(
            r"([^@\s<>]+@[^@\s<>]+\.[^@\s<>.]+)?", "empty, or an e-mail address, such as on-call@example.com"
        ),
    )
    runbook_url: str = setting(
        RUNBOOK,
        "The https URL of the runbook that alarms link to: a copy of docs/operations.md on a website",
        matching(
            rf"{re.escape(RUNBOOK)}|https://[^\s#]{{1,300}}",
            f"{RUNBOOK}, or the https URL of a copy of it, without #",
        ),
    )
    alarm_oldest_message_seconds: int = setting(
        1800,
        "How many seconds an upload may wait for its entry before the alarm goes off",
        # The queue keeps a message for four days.
        between(60, 4 * 24 * 60 * 60),
    )
    alarm_function_errors: int = setting(
        1, "How many errors of a function in five minutes set off the alarm", A_COUNT
    )
    alarm_unbacked_receipts: int = setting(
        1,
        "How many receipts without an object version set off the alarm: one more than were erased on purpose",
        A_COUNT,
    )
    alarm_api_errors: int = setting(
        1, "How many server errors (5xx) of the API in five minutes set off the alarm", A_COUNT
    )
    alarm_api_latency_milliseconds: int = setting(
        3000,
        "How many milliseconds the slowest 1 % of requests may take before the alarm goes off",
        # An HTTP API answers within 30 seconds, even if only to say that it has run out of time.
        between(1, 30_000),
    )
    alarm_table_throttles: int = setting(
        10, "How many throttled reads or writes in five minutes set off the alarm", A_COUNT
    )


@dataclass(frozen=True, kw_only=True)
class AlarmArgs(AlarmSettings):
    """The args of alarms: their thresholds, and the topic that they send messages to."""

    alarm_function_throttles: int = argument(A_COUNT, default=1)
    alarm_timeout_percent: int = argument(between(1, 100), default=80)
    alarm_topic_arn: pulumi.Input[str]
    tags: Mapping[str, str]


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
    threshold: float
    statistic: str = "Sum"
    period_seconds: int = FIVE_MINUTES
    periods: int = 1
    breaching: int = 1
    missing: Missing = "notBreaching"
    essential: bool = False


def queue_alarms(
    queue_name: pulumi.Input[str],
    resend_queue_name: pulumi.Input[str],
    dead_letter_queue_name: pulumi.Input[str],
    args: AlarmArgs,
) -> dict[str, Alarm]:
    """Watch the queue of uploads, the resend queue, and their dead-letter queue.

    A queue that nobody calls for six hours publishes no metrics, even if it has messages ("Available
    CloudWatch metrics for Amazon SQS"). The alarm over dead letters then stays as it is. Lambda calls the
    other two all the time.
    """

    def oldest(section: str, means: str, queue: pulumi.Input[str], seconds: int) -> Alarm:
        return Alarm(
            section=section,
            means=means,
            namespace="AWS/SQS",
            metric="ApproximateAgeOfOldestMessage",
            dimensions={"QueueName": queue},
            statistic="Maximum",
            threshold=seconds,
            period_seconds=MINUTE,
            periods=3,
            breaching=3,
            essential=True,
        )

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
        "oldest-message": oldest(
            "oldest-message",
            "Uploads have been waiting too long for their entries in the ledger.",
            queue_name,
            args.alarm_oldest_message_seconds,
        ),
        "oldest-resend": oldest(
            "oldest-resend",
            "What an operator sent again has been waiting for a day.",
            resend_queue_name,
            RESEND_SECONDS,
        ),
    }


def versioning_alarm(stack: pulumi.Input[str], service: str) -> dict[str, Alarm]:
    """Watch for uploads that the processor rejects because somebody turned off the bucket's versioning."""
    return {
        "versioning": Alarm(
            section="versioning-is-off",
            means="Versioning of the bucket is off, so uploads are rejected.",
            namespace=metric_names.NAMESPACE,
            metric=metric_names.REASONS[Reason.UNVERSIONED],
            dimensions={metric_names.STACK: stack, metric_names.SERVICE: service},
            threshold=1,
            essential=True,
        )
    }


def _found(
    stack: pulumi.Input[str],
    service: pulumi.Input[str],
    section: str,
    means: str,
    metric: str,
    **more: Any,
) -> Alarm:
    """Watch one of a function's own metrics, which counts what must not be."""
    return Alarm(
        section=section,
        means=means,
        namespace=metric_names.NAMESPACE,
        metric=metric,
        dimensions={metric_names.STACK: stack, metric_names.SERVICE: service},
        statistic="Maximum",
        threshold=1,
        essential=True,
        **more,
    )


def reconciler_alarms(
    stack: pulumi.Input[str], service: pulumi.Input[str], every_hours: int, args: AlarmArgs
) -> dict[str, Alarm]:
    """Watch what the reconciler finds, and that it goes on.

    The first two metrics have a value at the end of each round, and the others at each invocation.
    """
    found = partial(_found, stack, service, missing="ignore")

    return {
        "missing": found("missing-uploads", "Uploads have no entry in the ledger.", metric_names.MISSING),
        "unbacked": replace(
            found(
                "unbacked-receipts", "Receipts have no object version in the bucket.", metric_names.UNBACKED
            ),
            threshold=args.alarm_unbacked_receipts,
        ),
        "configuration": found(
            "changed-configuration",
            "The bucket isn't configured as it was deployed.",
            metric_names.CHANGED_CONFIGURATION,
        ),
        "round-age": replace(
            found(
                "round-age",
                "The bucket has not been compared with the ledger for too long.",
                metric_names.ROUND_AGE,
            ),
            threshold=every_hours * HOUR + ROUND_SECONDS,
            period_seconds=HOUR,
            missing="missing",
        ),
    }


def sealer_alarms(stack: pulumi.Input[str], service: str) -> dict[str, Alarm]:
    """Watch what the sealer can't seal, and that it goes on.

    The first metric has a value at the end of each run, and the other one only if there is something wrong.
    """
    found = partial(_found, stack, service)

    return {
        "unsealed": replace(
            found(
                "unsealed-entries",
                "Entries have been waiting too long for their place in the log.",
                metric_names.UNSEALED_AGE,
            ),
            threshold=MAX_DELAY.total_seconds(),
            missing="missing",
        ),
        "quarantined": found(
            "quarantined-items", "Items of the ledger can't be sealed.", metric_names.QUARANTINED
        ),
    }


def function_alarms(
    function_name: pulumi.Input[str],
    timeout_seconds: int,
    args: AlarmArgs,
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
            threshold=args.alarm_function_errors,
            essential=essential_errors,
        ),
        "throttles": Alarm(
            section="function-throttles",
            means="Lambda refused to run a function, because the account's concurrency was used up.",
            namespace="AWS/Lambda",
            metric="Throttles",
            dimensions=dimensions,
            threshold=args.alarm_function_throttles,
        ),
        "duration": Alarm(
            section="function-near-its-time-out",
            means="A function nearly ran out of time.",
            namespace="AWS/Lambda",
            metric="Duration",
            dimensions=dimensions,
            # Among many invocations, a percentile would hide those that were cut off.
            statistic="Maximum",
            threshold=timeout_seconds * 1000 * args.alarm_timeout_percent / 100,
            periods=3,
            breaching=2,
        ),
    }


def api_alarms(api_id: pulumi.Input[str], stage: pulumi.Input[str], args: AlarmArgs) -> dict[str, Alarm]:
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
            threshold=args.alarm_api_errors,
            essential=True,
        ),
        "latency": Alarm(
            section="api-latency",
            means="The slowest 1 % of requests to the API took too long.",
            namespace="AWS/ApiGateway",
            metric="Latency",
            dimensions=dimensions,
            statistic="p99",
            threshold=args.alarm_api_latency_milliseconds,
            # If there are few requests, a single slow one, such as a cold start, is the p99 of its period.
            periods=3,
            breaching=3,
        ),
    }


def table_alarms(table_name: pulumi.Input[str], index_name: str, args: AlarmArgs) -> dict[str, Alarm]:
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
            threshold=args.alarm_table_throttles,
        )
        for label, what, metric, dimensions in (
            ("table-reads", "reads of the ledger's table", "ReadThrottleEvents", of_table),
            ("table-writes", "writes to the ledger's table", "WriteThrottleEvents", of_table),
            ("index-reads", "reads of the ledger's time index", "ReadThrottleEvents", of_index),
            ("index-writes", "writes to the ledger's time index", "WriteThrottleEvents", of_index),
        )
    }


def create_alarms(
    name: str, alarms: Mapping[str, Alarm], args: AlarmArgs, parent: pulumi.Resource
) -> list[pulumi.Output[str]]:
    """Make the alarms of the component `parent`, called `name`, and return their ARNs.

    An alarm sends a message with its description when it goes off, and another one when it is over. One that
    has to have data also sends one when it has none any more. It has none when it is made, which isn't a
    change.
    """
    region = aws.get_region_output(opts=pulumi.InvokeOutputOptions(parent=parent)).region
    stack = pulumi.Output.concat("Stack ", pulumi.get_stack(), " in ", region)
    return [
        aws.cloudwatch.MetricAlarm(
            f"{name}-{label}-alarm",
            alarm_description=pulumi.Output.concat(
                stack, f": {alarm.means} What to do: {args.runbook_url}#{alarm.section}"
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
            alarm_actions=[args.alarm_topic_arn],
            ok_actions=[args.alarm_topic_arn],
            insufficient_data_actions=[args.alarm_topic_arn] if alarm.missing == "missing" else None,
            tags=args.tags,
            opts=pulumi.ResourceOptions(parent=parent),
        ).arn
        for label, alarm in alarms.items()
        if alarm.essential or args.alarms != ESSENTIAL_ALARMS
    ]


def _is_percentile(alarm: Alarm) -> bool:
    return alarm.statistic.startswith("p")
