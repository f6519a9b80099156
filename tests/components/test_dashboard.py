"""What a stack's dashboard shows, and that everything on it exists."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import pytest

from components.dashboard import Watched, WatchedFunction, dashboard_body
from functions.contract.metric_names import (
    BYTES,
    CHANGED_CONFIGURATION,
    MISSING,
    OUTCOMES,
    QUARANTINED,
    REASONS,
    ROUND_AGE,
    SEALED,
    SECONDS,
    UNBACKED,
    UNSEALED_AGE,
)
from tests.components.mocks import REGION, Graph
from tests.components.programs import graph_of

DASHBOARD = "aws:cloudwatch/dashboard:Dashboard"
COLUMNS = 24
MAX_METRICS = 500
"""CloudWatch User Guide, "CloudWatch service quotas": what one dashboard can hold, 500 in one graph."""

WATCHED = Watched(
    service="in-processor",
    reconciler="reconciler",
    sealer="sealer",
    region="eu-central-1",
    stack="prod",
    queue="queue",
    resend_queue="resends",
    dead_letter_queue="dead-letters",
    functions=[
        WatchedFunction(label="processor", name="processor-1", memory_megabytes=512),
        WatchedFunction(label="reader", name="reader-1", memory_megabytes=1024),
    ],
    table="table",
    index="index",
    api_id="api",
    stage="$default",
    alarm_arns=["arn:aws:cloudwatch:eu-central-1:123456789012:alarm:one"],
)

Line = tuple[str, str, dict[str, str], dict[str, Any]]


def widgets(body: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {widget["properties"]["title"]: widget for widget in body["widgets"]}


def lines(body: dict[str, Any]) -> list[Line]:
    """The metrics of all graphs: namespace, name, dimensions, and how they are shown."""
    found = []
    for widget in body["widgets"]:
        for metric in widget["properties"].get("metrics", []):
            if len(metric) > 1:
                namespace, name, *named, shown = metric
                found.append((namespace, name, dict(zip(named[::2], named[1::2], strict=True)), shown))
    return found


def bodies(graph: Graph) -> list[dict[str, Any]]:
    return [json.loads(resource.inputs["dashboardBody"]) for resource in graph.of_type(DASHBOARD)]


def test_it_shows_the_functions_metrics_by_the_names_that_they_give_them() -> None:
    shown = {name for namespace, name, _, _ in lines(dashboard_body(WATCHED)) if namespace == "Bill-E"}
    assert shown == {
        *OUTCOMES.values(),
        *REASONS.values(),
        *(BYTES, SECONDS, MISSING, UNBACKED, CHANGED_CONFIGURATION, ROUND_AGE),
        *(UNSEALED_AGE, SEALED, QUARANTINED),
    }


def test_the_functions_metrics_have_the_dimensions_that_they_give_them(graph: Graph) -> None:
    functions = [
        function.inputs["environment"]["variables"]
        for function in graph.of_type("aws:lambda/function:Function")
        if re.search(r"\.(processor|reconciler|sealer)\.", function.inputs["handler"])
    ]
    given = [{"service": each["SERVICE_NAME"], "stack": each["STACK_NAME"]} for each in functions]
    for body in bodies(graph):
        dimensions = [shown for namespace, _, shown, _ in lines(body) if namespace == "Bill-E"]
        assert dimensions
        assert all(shown in given for shown in dimensions)


@pytest.mark.parametrize(
    ("namespace", "type_", "dimension"),
    [
        ("AWS/Lambda", "aws:lambda/function:Function", "FunctionName"),
        ("AWS/SQS", "aws:sqs/queue:Queue", "QueueName"),
        ("AWS/DynamoDB", "aws:dynamodb/table:Table", "TableName"),
    ],
)
def test_every_function_queue_and_table_is_on_a_dashboard(
    namespace: str, type_: str, dimension: str, graph: Graph
) -> None:
    # A run takes one or two units of the lock's table, and if it can't get them, the sealer fails.
    there = {each.outputs["name"] for each in graph.of_type(type_) if not each.name.endswith("-lock")}
    shown = {
        dimensions[dimension]
        for body in bodies(graph)
        for ns, _, dimensions, _ in lines(body)
        if ns == namespace
    }
    assert shown == there


def test_every_alarm_is_on_one_dashboard(graph: Graph) -> None:
    shown = Counter(arn for body in bodies(graph) for arn in widgets(body)["Alarms"]["properties"]["alarms"])
    there = [alarm.outputs["arn"] for alarm in graph.of_type("aws:cloudwatch/metricAlarm:MetricAlarm")]
    assert shown == Counter(there)


def test_every_metric_that_an_alarm_watches_is_on_the_dashboard(graph: Graph) -> None:
    shown = [
        (namespace, name, dimensions)
        for body in bodies(graph)
        for namespace, name, dimensions, _ in lines(body)
    ]
    for alarm in graph.of_type("aws:cloudwatch/metricAlarm:MetricAlarm"):
        watched = (alarm.inputs["namespace"], alarm.inputs["metricName"], alarm.inputs["dimensions"])
        assert watched in shown


def test_graphs_are_of_the_region_and_tell_flow_backlog_outcomes_errors_latency_and_cost(dev: Graph) -> None:
    (body,) = bodies(dev)
    found = widgets(body)
    graphs = [widget["properties"] for title, widget in found.items() if title != "Alarms"]
    assert {properties["region"] for properties in graphs} == {REGION}
    for subject in ("upload to entry", "Backlog", "outcome", "reason", "failed", "errors", "latency", "Cost"):
        assert any(subject in title for title in found), subject


def test_widgets_do_not_overlap_and_stay_on_the_page() -> None:
    taken: set[tuple[int, int]] = set()
    for widget in dashboard_body(WATCHED)["widgets"]:
        cells = {
            (widget["x"] + dx, widget["y"] + dy)
            for dx in range(widget["width"])
            for dy in range(widget["height"])
        }
        assert not cells & taken, widget["properties"]["title"]
        assert max(x for x, _ in cells) < COLUMNS
        taken |= cells


def test_it_stays_below_what_cloudwatch_can_show() -> None:
    assert len(lines(dashboard_body(WATCHED))) < MAX_METRICS


def test_titles_and_labels_are_each_their_own() -> None:
    body = dashboard_body(WATCHED)
    assert len(widgets(body)) == len(body["widgets"])
    for widget in body["widgets"]:
        shown = [metric[-1] for metric in widget["properties"].get("metrics", [])]
        labels = [options["label"] for options in shown if options.get("visible", True)]
        assert len(set(labels)) == len(labels) > 0 or widget["type"] == "alarm"


def test_gigabyte_seconds_are_milliseconds_times_memory() -> None:
    metrics_shown = widgets(dashboard_body(WATCHED))["Cost: GB-seconds"]["properties"]["metrics"]
    duration, product = metrics_shown[0], metrics_shown[1][0]
    assert (duration[1], duration[-1]["stat"], duration[-1]["visible"]) == ("Duration", "Sum", False)
    assert product["label"] == "processor"
    assert product["expression"] == f"{duration[-1]['id']} * {512 / 1024 / 1000}"


def test_every_stack_has_a_dashboard_named_after_it(dev: Graph, prod: Graph) -> None:
    for graph, stack in ((dev, "dev"), (prod, "prod")):
        name = graph.only(DASHBOARD).inputs["dashboardName"]
        assert re.fullmatch(rf"bill-e-dashboard-{stack}-[0-9a-f]{{7}}", name)
        assert graph.exports["dashboard"] == name
    names = [resource.inputs["dashboardName"] for resource in graph_of("two of each").of_type(DASHBOARD)]
    assert len(set(names)) == 2
