"""The figures on a stack's dashboard, as text.

AWS does two things with logs that the emulator doesn't, so this module does them: CloudWatch reads metrics
from lines in its embedded metric format, and Lambda publishes what its REPORT lines say. The other metrics
that AWS publishes (about queues, tables and APIs, and how often a function failed) don't exist here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from functions.contract.metric_names import SECONDS
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
    """One graph of the dashboard: the values of its lines by label."""

    title: str
    values: Mapping[str, float]

    def __str__(self) -> str:
        return ", ".join(f"{label} {_number(value)}" for label, value in self.values.items())


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
    """Count the receipts whose metrics are in the lines."""
    data = (datum for line in lines for metrics in metrics_of(line) for datum in metrics.data)
    return sum(len(datum["Values"]) for datum in data if datum["MetricName"] == SECONDS)


def metrics_of(line: LogLine) -> Iterator[Metrics]:
    """Read the metrics in a log line, if any.

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
    """Read the graphs of a dashboard that have data, each line's statistic over the last day."""
    body = json.loads(aws.client("cloudwatch").get_dashboard(DashboardName=dashboard)["DashboardBody"])
    graphs = (widget["properties"] for widget in body["widgets"] if widget["type"] == "metric")
    figures = (Figure(title=graph["title"], values=_values(aws, graph["metrics"])) for graph in graphs)
    return [figure for figure in figures if figure.values]


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


def _values(aws: Aws, lines: Sequence[Any]) -> dict[str, float]:
    """Return the values of a graph's lines that are shown and have one, by label."""
    values: dict[str, float] = {}
    by_id: dict[str, float] = {}
    for line in lines:
        shown = line[-1]
        value = _product(shown["expression"], by_id) if "expression" in shown else _value(aws, line)
        if value is not None:
            by_id[shown.get("id", "")] = value
            if shown.get("visible", True):
                values[shown["label"]] = value
    return values


def _product(expression: str, by_id: Mapping[str, float]) -> float | None:
    """Evaluate the only kind of metric math on the dashboard: a line times a number."""
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
    # If midnight lies in between, there are two periods.
    values = answer["MetricDataResults"][0]["Values"]
    if not values:
        return None
    return sum(values) if shown["stat"] == "Sum" else max(values)
