"""The figures of a stack's dashboard, as text.

Two things that AWS does with logs and the emulator doesn't are done here: CloudWatch reads metrics from lines
in its embedded metric format, and Lambda publishes what its REPORT lines say. What else the AWS services
publish (of queues, tables and APIs, and how often a function failed), the emulator doesn't measure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from functions.contract.metrics import SECONDS
from local.aws import Aws

REPORT = re.compile(r"REPORT RequestId: \S+\s+Duration: (?P<milliseconds>[\d.]+) ms")
WINDOW = timedelta(days=1)
PERIOD_SECONDS = 24 * 60 * 60


@dataclass(frozen=True, kw_only=True)
class LogLine:
    """One line that a function wrote, or that Lambda wrote about it."""

    function: str
    written: datetime
    text: str


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """Values of metrics as `PutMetricData` takes them."""

    namespace: str
    data: Sequence[Any]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One graph of the dashboard: its lines' values by label, where there are data.

    `unmeasured` are namespaces that the emulator lacks metrics of which the graph shows.
    """

    title: str
    values: Mapping[str, float]
    unmeasured: Sequence[str]

    def __str__(self) -> str:
        values = ", ".join(f"{label} {_number(value)}" for label, value in self.values.items())
        lacking = f"not measured here: {', '.join(self.unmeasured)}" if self.unmeasured else ""
        return "; ".join(part for part in (values, lacking) if part) or "none"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def read_logs(aws: Aws) -> list[LogLine]:
    """Read what is in the logs of all functions."""
    logs = aws.client("logs")
    return [
        LogLine(
            function=function["FunctionName"],
            written=datetime.fromtimestamp(event["timestamp"] / 1000, UTC),
            text=event["message"],
        )
        for functions in aws.client("lambda").get_paginator("list_functions").paginate()
        for function in functions["Functions"]
        for events in logs.get_paginator("filter_log_events").paginate(
            logGroupName=function["LoggingConfig"]["LogGroup"]
        )
        for event in events["events"]
    ]


def count_receipts(lines: Iterable[LogLine]) -> int:
    """Count the receipts that the metrics in the lines tell of."""
    data = (datum for line in lines for metrics in metrics_of(line) for datum in metrics.data)
    return sum(len(datum["Values"]) for datum in data if datum["MetricName"] == SECONDS)


def metrics_of(line: LogLine) -> Iterator[Metrics]:
    """Read the metrics that a log line tells of, if any.

    CloudWatch User Guide, "Specification: Embedded metric format"; AWS Lambda Developer Guide, "Types of
    metrics for Lambda functions".
    """
    if report := REPORT.match(line.text):
        yield _of_report(line, float(report["milliseconds"]))
    elif embedded := _parse(line.text):
        for directive in embedded["_aws"]["CloudWatchMetrics"]:
            yield Metrics(namespace=directive["Namespace"], data=list(_embedded(embedded, directive)))


def extract_metrics(aws: Aws, lines: Sequence[LogLine]) -> None:
    """Put the metrics of the lines into CloudWatch; a line that is given twice counts twice."""
    cloudwatch = aws.client("cloudwatch")
    for line in lines:
        for metrics in metrics_of(line):
            cloudwatch.put_metric_data(Namespace=metrics.namespace, MetricData=metrics.data)


def dashboard_figures(aws: Aws, dashboard: str) -> list[Figure]:
    """Read the graphs of a dashboard, each line's statistic over the last day."""
    cloudwatch = aws.client("cloudwatch")
    body = json.loads(cloudwatch.get_dashboard(DashboardName=dashboard)["DashboardBody"])
    listed = (page["Metrics"] for page in cloudwatch.get_paginator("list_metrics").paginate())
    measured = {(metric["Namespace"], metric["MetricName"]) for page in listed for metric in page}
    graphs = [widget["properties"] for widget in body["widgets"] if widget["type"] == "metric"]
    return [_figure(aws, graph, measured) for graph in graphs]


def _of_report(line: LogLine, milliseconds: float) -> Metrics:
    dimensions = [{"Name": "FunctionName", "Value": line.function}]
    values = {"Duration": ("Milliseconds", milliseconds), "Invocations": ("Count", 1.0)}
    return Metrics(
        namespace="AWS/Lambda",
        data=[
            {
                "MetricName": name,
                "Dimensions": dimensions,
                "Timestamp": line.written,
                "Unit": unit,
                "Value": value,
            }
            for name, (unit, value) in values.items()
        ],
    )


def _embedded(line: Mapping[str, Any], directive: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    taken = datetime.fromtimestamp(line["_aws"]["Timestamp"] / 1000, UTC)
    for dimensions in directive["Dimensions"]:
        for metric in directive["Metrics"]:
            values = line[metric["Name"]]
            yield {
                "MetricName": metric["Name"],
                "Dimensions": [{"Name": name, "Value": line[name]} for name in dimensions],
                "Timestamp": taken,
                "Unit": metric["Unit"],
                "Values": values if isinstance(values, list) else [values],
            }


def _parse(text: str) -> dict[str, Any] | None:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) and "_aws" in line else None


def _figure(aws: Aws, graph: Mapping[str, Any], measured: set[tuple[str, str]]) -> Figure:
    values: dict[str, float] = {}
    by_id: dict[str, float] = {}
    unmeasured: set[str] = set()
    for line in graph["metrics"]:
        shown = line[-1]
        value = _product(shown["expression"], by_id) if "expression" in shown else _value(aws, line)
        if value is not None:
            by_id[shown.get("id", "")] = value
            if shown.get("visible", True):
                values[shown["label"]] = value
        elif len(line) > 1 and line[0].startswith("AWS/") and (line[0], line[1]) not in measured:
            unmeasured.add(line[0])
    return Figure(title=graph["title"], values=values, unmeasured=sorted(unmeasured))


def _product(expression: str, by_id: Mapping[str, float]) -> float | None:
    """Evaluate the one kind of metric math that the dashboard has: a line times a number."""
    source, factor = expression.split(" * ")
    return by_id[source] * float(factor) if source in by_id else None


def _value(aws: Aws, line: Sequence[Any]) -> float | None:
    namespace, metric, *named, shown = line
    query: Any = {
        "Id": "value",
        "MetricStat": {
            "Metric": {
                "Namespace": namespace,
                "MetricName": metric,
                "Dimensions": [
                    {"Name": name, "Value": value}
                    for name, value in zip(named[::2], named[1::2], strict=True)
                ],
            },
            "Period": PERIOD_SECONDS,
            "Stat": shown["stat"],
        },
    }
    now = datetime.now(UTC)
    answer = aws.client("cloudwatch").get_metric_data(
        MetricDataQueries=[query], StartTime=now - WINDOW, EndTime=now + timedelta(minutes=1)
    )
    # Midnight may lie in between, so that there are two periods.
    values = answer["MetricDataResults"][0]["Values"]
    if not values:
        return None
    return sum(values) if shown["stat"] == "Sum" else max(values)
