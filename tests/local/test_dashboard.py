"""The dashboard's figures, which come from the logs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from local.dashboard import (
    Figure,
    LogLine,
    count_receipts,
    dashboard_figures,
    extract_metrics,
    metrics_of,
    read_logs,
)
from tests.local.eventually import eventually
from tests.local.stack import DeployedStack, deployed_stack, png

WRITTEN = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
EMBEDDED = {
    "_aws": {
        "Timestamp": int(WRITTEN.timestamp() * 1000),
        "CloudWatchMetrics": [
            {
                "Namespace": "Shop",
                "Dimensions": [["stack"], ["stack", "till"]],
                "Metrics": [{"Name": "Sales", "Unit": "Count"}, {"Name": "Paid", "Unit": "None"}],
            }
        ],
    },
    "stack": "dev",
    "till": "1",
    "Sales": [1.0, 1.0],
    "Paid": 9.5,
    "customer": "not a metric",
}


def line(text: str) -> LogLine:
    return LogLine(function="f", written=WRITTEN, text=text)


def test_embedded_metrics_are_read_once_for_each_set_of_dimensions() -> None:
    (metrics,) = metrics_of(line(json.dumps(EMBEDDED)))

    assert metrics.namespace == "Shop"
    assert [
        (datum["MetricName"], {d["Name"]: d["Value"] for d in datum["Dimensions"]}, datum["Values"])
        for datum in metrics.data
    ] == [
        ("Sales", {"stack": "dev"}, [1.0, 1.0]),
        ("Paid", {"stack": "dev"}, [9.5]),
        ("Sales", {"stack": "dev", "till": "1"}, [1.0, 1.0]),
        ("Paid", {"stack": "dev", "till": "1"}, [9.5]),
    ]
    assert {datum["Timestamp"] for datum in metrics.data} == {WRITTEN}


def test_a_report_tells_of_one_invocation_and_its_duration() -> None:
    text = "REPORT RequestId: 1-2\tDuration: 12.5 ms\tBilled Duration: 13 ms\tMemory Size: 512 MB"

    (metrics,) = metrics_of(line(text))

    assert metrics.namespace == "AWS/Lambda"
    assert {datum["MetricName"]: datum["Value"] for datum in metrics.data} == {
        "Duration": 12.5,
        "Invocations": 1.0,
    }
    assert all(datum["Dimensions"] == [{"Name": "FunctionName", "Value": "f"}] for datum in metrics.data)


@pytest.mark.parametrize("text", ["", "START RequestId: 1", '{"message": "receipt recorded"}', "[1]", "{"])
def test_any_other_line_tells_of_none(text: str) -> None:
    assert list(metrics_of(line(text))) == []


def test_a_figure_says_what_it_has() -> None:
    figure = Figure(title="t", values={"accepted": 6.0, "bytes": 326174.0, "p50": 0.60441})

    assert str(figure) == "accepted 6, bytes 326,174, p50 0.604"


@pytest.fixture(scope="module")
def stack() -> Iterator[DeployedStack]:
    """A stack of this module's own: other tests lose and change entries, which the figures keep."""
    with deployed_stack() as stack:
        yield stack


def test_what_was_uploaded_is_in_the_dashboard_s_figures(stack: DeployedStack) -> None:
    content = png(padding=1000)
    uploads = [stack.upload(name, content) for name in ("figures/a.png", "figures/b.png")]
    uploads.append(stack.upload("figures/c.txt", b"text of test_figures"))
    stack.entries_of(*uploads)

    def all_counted() -> list[LogLine] | None:
        lines = read_logs(stack.administrator)
        return lines if count_receipts(lines) >= len(stack.entries()) else None

    extract_metrics(stack.administrator, eventually("metrics of every entry", all_counted))
    figures = {f.title: f for f in dashboard_figures(stack.administrator, stack.outputs["dashboard"])}

    entries = stack.entries()
    for label, outcome in (("accepted", "ACCEPTED"), ("duplicate", "DUPLICATE"), ("rejected", "REJECTED")):
        count = sum(entry["outcome"] == outcome for entry in entries)
        assert figures["Receipts by outcome"].values[label] == count > 0
    assert figures["Rejected receipts by reason"].values["unsupported type"] > 0
    assert figures["Cost: bytes stored"].values["receipts"] == sum(e["size_bytes"] or 0 for e in entries)
    duration = figures["Seconds from upload to entry"].values
    assert 0 <= duration["p50"] <= duration["p99"] <= duration["Maximum"]
    assert figures["Functions: p99 of duration in ms"].values["processor"] > 0
    assert figures["Cost: GB-seconds"].values["processor"] > 0


def test_what_has_no_data_is_left_out(stack: DeployedStack) -> None:
    shown = {"stat": "Sum"}
    empty = [
        ["AWS/Nothing", "Count", {**shown, "label": "of AWS"}],
        ["Nothing", "Count", {**shown, "label": "of ours, and none yet"}],
        ["AWS/Nothing", "Bytes", {**shown, "id": "m1", "visible": False}],
        [{"expression": "m1 * 2.0", "label": "made of nothing"}],
    ]
    sold = ["Shop", "Sales", {**shown, "id": "m2", "label": "sold"}]
    hidden = ["Shop", "Sales", {**shown, "id": "m3", "label": "hidden", "visible": False}]
    made_of_it = [{"expression": "m3 * 2.0", "label": "twice"}]
    graphs = [
        {"title": "Nothing", "metrics": empty},
        {"title": "Some", "metrics": [*empty, sold, hidden, made_of_it]},
    ]
    cloudwatch = stack.administrator.client("cloudwatch")
    cloudwatch.put_metric_data(Namespace="Shop", MetricData=[{"MetricName": "Sales", "Value": 3.0}])
    cloudwatch.put_dashboard(
        DashboardName="shop",
        DashboardBody=json.dumps({"widgets": [{"type": "metric", "properties": graph} for graph in graphs]}),
    )

    figures = dashboard_figures(stack.administrator, "shop")

    assert figures == [Figure(title="Some", values={"sold": 3.0, "twice": 6.0})]
