"""What the alarms watch, when they go off, and where they send their messages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from components.alarm_topic import AlarmTopic, display_name
from components.alarms import (
    api_alarms,
    function_alarms,
    queue_alarms,
    reconciler_alarms,
    sealer_alarms,
    table_alarms,
    versioning_alarm,
)
from components.validation import InvalidInputError
from functions.contract.entry import Outcome, Reason
from functions.contract.metric_names import (
    CHANGED_CONFIGURATION,
    MISSING,
    OUTCOMES,
    QUARANTINED,
    REASONS,
    ROUND_AGE,
    UNBACKED,
    UNSEALED_AGE,
)
from tests.components.mocks import ACCOUNT, REGION, Graph, Registered, run
from tests.components.programs import deployed, graph_of, main_program, stack_args

ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
STACK = stack_args()

ALL_ALARMS = ("prod", "customer key", "local", "jwt", "two of each")
"""The graphs without `alarms: essential`."""

ALL = [
    *queue_alarms("queue", "resends", "dead-letters", STACK).values(),
    *versioning_alarm("prod", "processor").values(),
    *reconciler_alarms("prod", "reconciler", 6, STACK).values(),
    *sealer_alarms("prod", "sealer").values(),
    *function_alarms("function", 60, STACK).values(),
    *api_alarms("api", "$default", STACK).values(),
    *table_alarms("table", "index", STACK).values(),
]

COUNT_METRICS = {
    *("Errors", "Throttles", "5xx", "ReadThrottleEvents", "WriteThrottleEvents", "RejectedUnversioned"),
}


def alarms(graph: Graph) -> list[Registered]:
    found = graph.of_type(ALARM)
    assert found
    return found


def watching(graph: Graph, metric: str, **dimensions: str) -> list[Registered]:
    """The alarms over a metric of exactly these dimensions."""
    return [
        alarm
        for alarm in alarms(graph)
        if alarm.inputs["metricName"] == metric and alarm.inputs["dimensions"] == dimensions
    ]


@pytest.mark.parametrize("graph", ALL_ALARMS, indirect=True)
def test_every_function_is_watched_for_errors_throttles_and_its_time_out(graph: Graph) -> None:
    for function in graph.of_type("aws:lambda/function:Function"):
        name = function.outputs["name"]
        for metric in ("Errors", "Throttles", "Duration"):
            assert len(watching(graph, metric, FunctionName=name)) == 1, (name, metric)
        (duration,) = watching(graph, "Duration", FunctionName=name)
        assert duration.inputs["threshold"] == function.inputs["timeout"] * 1000 * 0.8


def test_every_dead_letter_queue_is_watched_for_messages_and_every_other_for_its_oldest(graph: Graph) -> None:
    queues = graph.of_type("aws:sqs/queue:Queue")
    sources = [queue for queue in queues if "redrivePolicy" in queue.inputs]
    assert len(queues) > len(sources) > 0
    for queue in queues:
        metric = "ApproximateAgeOfOldestMessage" if queue in sources else "ApproximateNumberOfMessagesVisible"
        assert len(watching(graph, metric, QueueName=queue.outputs["name"])) == 1, queue.name


@pytest.mark.parametrize("graph", ALL_ALARMS, indirect=True)
def test_every_api_is_watched_for_errors_and_latency_of_its_stage(graph: Graph) -> None:
    for stage in graph.of_type("aws:apigatewayv2/stage:Stage"):
        for metric in ("5xx", "Latency"):
            dimensions = {"ApiId": stage.inputs["apiId"], "Stage": stage.inputs["name"]}
            assert len(watching(graph, metric, **dimensions)) == 1


@pytest.mark.parametrize("graph", ALL_ALARMS, indirect=True)
def test_every_table_and_every_index_is_watched_for_throttling(graph: Graph) -> None:
    for table in graph.of_type("aws:dynamodb/table:Table"):
        name = table.outputs["name"]
        if table.name.endswith("-lock"):
            # Only the sealer uses it, which fails if it is throttled.
            continue
        for metric in ("ReadThrottleEvents", "WriteThrottleEvents"):
            assert len(watching(graph, metric, TableName=name)) == 1
            for index in table.inputs.get("globalSecondaryIndexes", []):
                of_index = {"TableName": name, "GlobalSecondaryIndexName": index["name"]}
                assert len(watching(graph, metric, **of_index)) == 1


def test_every_alarm_tells_its_stacks_topic_that_it_began_and_that_it_is_over(graph: Graph) -> None:
    topics = {topic.outputs["arn"] for topic in graph.of_type("aws:sns/topic:Topic")}
    for alarm in alarms(graph):
        (told,) = alarm.inputs["alarmActions"]
        assert told in topics
        assert alarm.inputs["okActions"] == [told]


def test_every_alarm_has_one_statistic_and_says_what_missing_data_means(graph: Graph) -> None:
    for alarm in alarms(graph):
        assert len({"statistic", "extendedStatistic"} & set(alarm.inputs)) == 1
        assert alarm.inputs["treatMissingData"] in {"notBreaching", "ignore", "missing"}
        # Otherwise nobody would hear that there is no data any more.
        told = alarm.inputs.get("insufficientDataActions")
        assert told == (
            alarm.inputs["alarmActions"] if alarm.inputs["treatMissingData"] == "missing" else None
        )
        assert alarm.inputs["datapointsToAlarm"] <= alarm.inputs["evaluationPeriods"]


@pytest.mark.parametrize("alarm", ALL, ids=lambda alarm: f"{alarm.metric}-{len(alarm.dimensions)}")
def test_counts_are_summed_and_levels_are_not(alarm: Any) -> None:
    assert (alarm.statistic == "Sum") == (alarm.metric in COUNT_METRICS)


def test_no_alarm_counts_folders_empty_files_or_copies(graph: Graph) -> None:
    """Mounts and consoles make these all day. The outcomes count them, too."""
    harmless = {REASONS[Reason.FOLDER_MARKER], REASONS[Reason.EMPTY], *OUTCOMES.values()}
    assert {"RejectedFolderMarker", "RejectedEmpty", OUTCOMES[Outcome.DUPLICATE]} <= harmless
    assert harmless.isdisjoint(alarm.inputs["metricName"] for alarm in alarms(graph))


def test_one_dead_letter_is_enough_and_the_alarm_stays_until_it_is_gone() -> None:
    alarm = queue_alarms("queue", "resends", "dead-letters", STACK)["dead-letters"]
    assert (alarm.threshold, alarm.statistic, alarm.periods) == (1, "Maximum", 1)
    assert alarm.missing == "ignore", "SQS stops publishing metrics of a queue that nobody uses"


def test_essential_alarms_tell_of_lost_or_stuck_uploads_and_of_a_failing_api() -> None:
    graph = deployed("prod", alarms="essential")
    api = graph.only("aws:apigatewayv2/stage:Stage").inputs["apiId"]
    queue, resends, dead_letters, processor = (
        graph.named(f"bill-e-ingest-{part}").outputs["name"]
        for part in ("queue", "resends", "dead-letters", "processor-function")
    )
    assert len(alarms(graph)) == 13
    of_processor = graph.named("bill-e-ingest-processor-function").inputs["environment"]["variables"]
    named = {"stack": of_processor["STACK_NAME"], "service": of_processor["SERVICE_NAME"]}
    of_reconciler = {**named, "service": "bill-e-reconciler-slices"}
    for metric, dimensions in (
        ("ApproximateNumberOfMessagesVisible", {"QueueName": dead_letters}),
        ("ApproximateAgeOfOldestMessage", {"QueueName": queue}),
        ("ApproximateAgeOfOldestMessage", {"QueueName": resends}),
        ("Errors", {"FunctionName": processor}),
        ("RejectedUnversioned", named),
        *((metric, of_reconciler) for metric in (MISSING, UNBACKED, CHANGED_CONFIGURATION, ROUND_AGE)),
        *((metric, {**named, "service": "bill-e-log-sealer"}) for metric in (UNSEALED_AGE, QUARANTINED)),
        ("Errors", {"FunctionName": graph.named("bill-e-log-sealer-function").outputs["name"]}),
        ("5xx", {"ApiId": api, "Stage": "$default"}),
    ):
        assert len(watching(graph, metric, **dimensions)) == 1, metric


def test_every_alarm_says_of_which_stack_and_region_it_is() -> None:
    for stack in ("dev", "prod"):
        descriptions = {alarm.inputs["alarmDescription"] for alarm in alarms(graph_of(stack))}
        assert descriptions
        assert all(text.startswith(f"Stack {stack} in {REGION}: ") for text in descriptions)


def test_longest_description_is_one_that_cloudwatch_takes() -> None:
    """At most 1,024 characters (CloudWatch API Reference, PutMetricAlarm)."""
    page = f"https://{'x' * 300}"
    graph = run(main_program, {"bill-e:runbookUrl": page}, "s" * 100)
    assert max(len(alarm.inputs["alarmDescription"]) for alarm in alarms(graph)) <= 1024


def test_thresholds_are_those_of_the_settings() -> None:
    graph = deployed(
        "prod",
        alarmOldestMessageSeconds="61",
        alarmFunctionErrors="2",
        alarmUnbackedReceipts="8",
        alarmApiErrors="4",
        alarmApiLatencyMilliseconds="5",
        alarmTableThrottles="6",
        functionTimeoutSeconds="80",
        reconcileEveryHours="7",
    )
    thresholds: dict[str, set[float]] = {}
    for alarm in alarms(graph):
        thresholds.setdefault(alarm.inputs["metricName"], set()).add(alarm.inputs["threshold"])
    assert thresholds == {
        "ApproximateNumberOfMessagesVisible": {1},
        "ApproximateAgeOfOldestMessage": {61, 24 * 60 * 60},
        "RejectedUnversioned": {1},
        "Errors": {2},
        "Throttles": {1},
        "Duration": {64_000, 20_000, 720_000},
        MISSING: {1},
        UNBACKED: {8},
        CHANGED_CONFIGURATION: {1},
        ROUND_AGE: {(7 + 24) * 60 * 60},
        UNSEALED_AGE: {15 * 60},
        QUARANTINED: {1},
        "5xx": {4},
        "Latency": {5},
        "ReadThrottleEvents": {6},
        "WriteThrottleEvents": {6},
    }


def test_thresholds_that_are_no_settings_are_arguments() -> None:
    alarms = function_alarms("function", 80, stack_args(alarm_function_throttles=3, alarm_timeout_percent=50))
    assert (alarms["throttles"].threshold, alarms["duration"].threshold) == (3, 40_000)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("alarm_oldest_message_seconds", 60, 345_600),
        ("alarm_function_errors", 1, 1_000_000),
        ("alarm_unbacked_receipts", 1, 1_000_000),
        ("alarm_function_throttles", 1, 1_000_000),
        ("alarm_timeout_percent", 1, 100),
        ("alarm_api_errors", 1, 1_000_000),
        ("alarm_api_latency_milliseconds", 1, 30_000),
        ("alarm_table_throttles", 1, 1_000_000),
    ],
)
def test_a_threshold_out_of_bounds_is_refused(name: str, low: int, high: int) -> None:
    stack_args(**{name: low})
    stack_args(**{name: high})
    for value in (low - 1, high + 1):
        with pytest.raises(InvalidInputError, match=rf"StackArgs:\n  - {name} is {value}; allowed: "):
            stack_args(**{name: value})


def test_alarms_link_to_the_runbook_where_the_settings_say_it_is() -> None:
    graph = deployed("dev", runbookUrl="https://wiki.example.com/bill-e")
    assert all(
        "What to do: https://wiki.example.com/bill-e#" in alarm.inputs["alarmDescription"]
        for alarm in alarms(graph)
    )


class TestTopic:
    def graph(self) -> Graph:
        return run(lambda: AlarmTopic("alarms", email="", tags={}))

    def test_only_alarms_of_this_account_and_region_may_publish(self) -> None:
        graph = self.graph()
        topic = graph.named("alarms-topic").outputs["arn"]
        statements = graph.statements("alarms-topic-policy")
        assert statements["AlarmsNotify"] == {
            "Sid": "AlarmsNotify",
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": topic,
            "Condition": {
                "StringEquals": {"aws:SourceAccount": ACCOUNT},
                "ArnLike": {"aws:SourceArn": f"arn:*:cloudwatch:{REGION}:{ACCOUNT}:alarm:*"},
            },
        }
        assert {sid for sid, statement in statements.items() if statement["Effect"] == "Allow"} == {
            "AlarmsNotify"
        }

    def test_nobody_may_publish_without_tls(self) -> None:
        graph = self.graph()
        statement = graph.statements("alarms-topic-policy")["TlsOnly"]
        assert statement["Resource"] == [graph.named("alarms-topic").outputs["arn"]]
        assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
        assert statement["Action"] == "sns:Publish"
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}

    def test_without_a_customer_s_key_it_has_one_of_its_own_that_alarms_may_use_and_nobody_else(self) -> None:
        graph = self.graph()
        key = graph.only("aws:kms/key:Key")
        assert graph.named("alarms-topic").inputs["kmsMasterKeyId"] == key.outputs["arn"]
        assert key.inputs["enableKeyRotation"] is True
        users = {
            json.dumps(statement["Principal"])
            for statement in json.loads(key.inputs["policy"])["Statement"]
            if {"kms:Decrypt", "kms:GenerateDataKey"} & set(statement["Action"])
        }
        assert users == {'{"Service": "cloudwatch.amazonaws.com"}'}
        assert (
            graph.statements("alarms-key")["AlarmsNotify"]["Condition"]
            == (graph.statements("alarms-topic-policy")["AlarmsNotify"]["Condition"])
        )

    def test_customer_s_key_makes_no_difference_so_that_giving_it_up_deletes_none(self) -> None:
        graph = graph_of("customer key")
        key = graph.named("bill-e-alarms-key").outputs["arn"]
        assert graph.named("bill-e-alarms-topic").inputs["kmsMasterKeyId"] == key

    def test_its_messages_come_from_the_stack_and_the_region(self) -> None:
        for stack in ("dev", "prod"):
            topic = graph_of(stack).only("aws:sns/topic:Topic")
            assert topic.inputs["displayName"] == f"bill-e {stack} {REGION}"

    def test_longest_display_name_is_one_that_sns_takes_and_ends_in_the_region(self) -> None:
        name = display_name("bill-e", "a.b" * 33, "ap-southeast-1")
        assert len(name) == 100
        assert name.startswith("bill-e a-ba-b")
        assert name.endswith(" ap-southeast-1")

    def test_an_address_is_subscribed_by_e_mail(self) -> None:
        graph = deployed("dev", alarmEmail="on-call@example.com")
        subscription = graph.only("aws:sns/topicSubscription:TopicSubscription").inputs
        assert (subscription["protocol"], subscription["endpoint"]) == ("email", "on-call@example.com")
        assert subscription["topic"] == graph.only("aws:sns/topic:Topic").outputs["arn"]

    def test_without_an_address_nobody_is(self) -> None:
        assert self.graph().of_type("aws:sns/topicSubscription:TopicSubscription") == []

    @pytest.mark.parametrize(
        "email", ["on-call", "@example.com", "a@b", "a b@example.com", "<a@example.com>"]
    )
    def test_what_is_no_address_is_refused(self, email: str) -> None:
        with pytest.raises(InvalidInputError, match=r"email is .*; allowed: empty, or an e-mail address"):
            stack_args(alarm_email=email)
