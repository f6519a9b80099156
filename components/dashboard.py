"""Dashboard: a page in CloudWatch that shows what a stack is doing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import pulumi
import pulumi_aws as aws

from components.ingest_pipeline import IngestPipeline
from components.ledger import Ledger
from components.ledger_api import STAGE, LedgerApi
from components.reconciler import Reconciler
from components.stack_args import plain_name
from functions.contract import metric_names, schema
from functions.contract.entry import Outcome, Reason

PERIOD_SECONDS = 300
GRID_COLUMNS = 24
ALARMS_HEIGHT, GRAPH_HEIGHT = 4, 6
GRAPHS_IN_A_ROW = 3

Widget: TypeAlias = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class WatchedFunction:
    """A function on the dashboard; `label` is what the graphs call it."""

    label: str
    name: str
    memory_megabytes: int


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What the dashboard shows: physical names, and the ARNs of the alarms."""

    region: str
    stack: str
    service: str
    reconciler: str
    queue: str
    resend_queue: str
    dead_letter_queue: str
    functions: Sequence[WatchedFunction]
    table: str
    index: str
    api_id: str
    stage: str
    alarm_arns: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line of a graph: a statistic of a metric, times `factor` if there is one."""

    label: str
    namespace: str
    metric: str
    dimensions: Mapping[str, str]
    statistic: str = "Sum"
    factor: float | None = None


def dashboard_body(watched: Watched) -> dict[str, Any]:
    """Lay out the dashboard, from alarms to costs ("Dashboard body structure and syntax")."""
    graphs = [
        ("Seconds from upload to entry", _upload_to_entry(watched)),
        ("Backlog: messages", _backlog(watched)),
        (
            "Backlog: age of the oldest message in seconds",
            [
                _queue(watched.queue, "ApproximateAgeOfOldestMessage", "age"),
                _queue(watched.resend_queue, "ApproximateAgeOfOldestMessage", "age, resent"),
            ],
        ),
        ("Receipts by outcome", _counts(watched, metric_names.OUTCOMES)),
        ("Rejected receipts by reason", _counts(watched, metric_names.REASONS)),
        ("Bucket and ledger compared", _comparison(watched)),
        ("Hours since the last complete comparison", [_round_age(watched)]),
        ("Functions: failed or throttled", _function_failures(watched)),
        ("API: errors", _api_errors(watched)),
        ("API: latency in ms", _api_latency(watched)),
        ("Functions: p99 of duration in ms", _functions(watched, "Duration", "p99")),
        ("Ledger: throttled", _table(watched, "ReadThrottleEvents", "WriteThrottleEvents")),
        ("Cost: requests", [*_functions(watched, "Invocations"), _api(watched, "Count", "API requests")]),
        ("Cost: GB-seconds", _gigabyte_seconds(watched)),
        ("Cost: units", _table(watched, "ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits")),
        ("Cost: bytes stored", [_receipts(watched, metric_names.BYTES, "receipts")]),
    ]
    alarms: Widget = {
        "type": "alarm",
        "x": 0,
        "y": 0,
        "width": GRID_COLUMNS,
        "height": ALARMS_HEIGHT,
        "properties": {"title": "Alarms", "alarms": list(watched.alarm_arns)},
    }
    return {
        "periodOverride": "inherit",
        "widgets": [
            alarms,
            *(_graph(watched, index, title, series) for index, (title, series) in enumerate(graphs)),
        ],
    }


def _graph(watched: Watched, index: int, title: str, series: Sequence[Series]) -> Widget:
    row, column = divmod(index, GRAPHS_IN_A_ROW)
    width = GRID_COLUMNS // GRAPHS_IN_A_ROW
    return {
        "type": "metric",
        "x": column * width,
        "y": ALARMS_HEIGHT + row * GRAPH_HEIGHT,
        "width": width,
        "height": GRAPH_HEIGHT,
        "properties": {
            "title": title,
            "region": watched.region,
            "period": PERIOD_SECONDS,
            "view": "timeSeries",
            "yAxis": {"left": {"min": 0, "showUnits": False}},
            "metrics": [line for number, each in enumerate(series) for line in _lines(number, each)],
        },
    }


def _lines(number: int, series: Series) -> list[list[Any]]:
    named = [part for pair in series.dimensions.items() for part in pair]
    metric = [series.namespace, series.metric, *named]
    if series.factor is None:
        return [[*metric, {"label": series.label, "stat": series.statistic}]]
    return [
        [*metric, {"id": f"m{number}", "stat": series.statistic, "visible": False}],
        [{"expression": f"m{number} * {series.factor}", "label": series.label, "id": f"e{number}"}],
    ]


def _receipts(watched: Watched, metric: str, label: str, statistic: str = "Sum") -> Series:
    return Series(
        label=label,
        namespace=metric_names.NAMESPACE,
        metric=metric,
        dimensions={metric_names.SERVICE: watched.service, metric_names.STACK: watched.stack},
        statistic=statistic,
    )


def _upload_to_entry(watched: Watched) -> list[Series]:
    return [
        _receipts(watched, metric_names.SECONDS, statistic, statistic)
        for statistic in ("p50", "p99", "Maximum")
    ]


def _counts(watched: Watched, names: Mapping[Outcome, str] | Mapping[Reason, str]) -> list[Series]:
    return [_receipts(watched, metric, what.lower().replace("_", " ")) for what, metric in names.items()]


def _comparison(watched: Watched) -> list[Series]:
    names = {
        metric_names.MISSING: "missing",
        metric_names.UNBACKED: "unbacked",
        metric_names.CHANGED_CONFIGURATION: "changed configuration",
    }
    return [_found(watched, metric, label) for metric, label in names.items()]


def _round_age(watched: Watched) -> Series:
    return replace(_found(watched, metric_names.ROUND_AGE, "hours"), factor=1 / 3600)


def _found(watched: Watched, metric: str, label: str) -> Series:
    of_processor = _receipts(watched, metric, label, "Maximum")
    return replace(
        of_processor, dimensions={**of_processor.dimensions, metric_names.SERVICE: watched.reconciler}
    )


def _queue(queue: str, metric: str, label: str) -> Series:
    return Series(
        label=label,
        namespace="AWS/SQS",
        metric=metric,
        dimensions={"QueueName": queue},
        statistic="Maximum",
    )


def _backlog(watched: Watched) -> list[Series]:
    return [
        _queue(watched.queue, "ApproximateNumberOfMessagesVisible", "waiting"),
        _queue(watched.queue, "ApproximateNumberOfMessagesNotVisible", "being processed"),
        _queue(watched.resend_queue, "ApproximateNumberOfMessagesVisible", "resent, waiting"),
        _queue(watched.dead_letter_queue, "ApproximateNumberOfMessagesVisible", "dead letters"),
    ]


def _functions(watched: Watched, metric: str, statistic: str = "Sum", suffix: str = "") -> list[Series]:
    return [
        Series(
            label=f"{function.label}{suffix}",
            namespace="AWS/Lambda",
            metric=metric,
            dimensions={"FunctionName": function.name},
            statistic=statistic,
        )
        for function in watched.functions
    ]


def _function_failures(watched: Watched) -> list[Series]:
    return [
        *_functions(watched, "Errors", suffix=": failed"),
        *_functions(watched, "Throttles", suffix=": throttled"),
    ]


def _gigabyte_seconds(watched: Watched) -> list[Series]:
    """Turn Lambda's milliseconds into gigabyte-seconds, which are what it bills."""
    return [
        Series(
            label=function.label,
            namespace="AWS/Lambda",
            metric="Duration",
            dimensions={"FunctionName": function.name},
            factor=function.memory_megabytes / 1024 / 1000,
        )
        for function in watched.functions
    ]


def _api(watched: Watched, metric: str, label: str, statistic: str = "Sum") -> Series:
    return Series(
        label=label,
        namespace="AWS/ApiGateway",
        metric=metric,
        dimensions={"ApiId": watched.api_id, "Stage": watched.stage},
        statistic=statistic,
    )


def _api_errors(watched: Watched) -> list[Series]:
    return [_api(watched, "5xx", "server errors (5xx)"), _api(watched, "4xx", "callers' errors (4xx)")]


def _api_latency(watched: Watched) -> list[Series]:
    return [_api(watched, "Latency", statistic, statistic) for statistic in ("p50", "p99")]


def _table(watched: Watched, reads: str, writes: str) -> list[Series]:
    of_table = {"TableName": watched.table}
    of_index = {**of_table, "GlobalSecondaryIndexName": watched.index}
    return [
        Series(label=f"{what} {verb}", namespace="AWS/DynamoDB", metric=metric, dimensions=dimensions)
        for what, dimensions in (("table", of_table), ("index", of_index))
        for verb, metric in (("reads", reads), ("writes", writes))
    ]


@dataclass(frozen=True, kw_only=True)
class DashboardArgs:
    """The components that the dashboard shows."""

    ledger: Ledger
    ingest: IngestPipeline
    api: LedgerApi
    reconciler: Reconciler


class Dashboard(pulumi.ComponentResource):
    """A CloudWatch dashboard, named after the component and the instance of the stack. Output: `name`."""

    def __init__(self, name: str, args: DashboardArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("bill-e:dashboard:Dashboard", name, None, opts)
        invoke = pulumi.InvokeOutputOptions(parent=self)
        dashboard = aws.cloudwatch.Dashboard(
            f"{name}-page",
            dashboard_name=pulumi.Output.concat(name, "-", args.ingest.args.stack.instance).apply(plain_name),
            dashboard_body=pulumi.Output.json_dumps(
                _watch(args, aws.get_region_output(opts=invoke).region).apply(dashboard_body)
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.name = dashboard.dashboard_name
        self.register_outputs({"name": self.name})


def _watch(args: DashboardArgs, region: pulumi.Output[str]) -> pulumi.Output[Watched]:
    functions = {
        "processor": args.ingest.processor,
        "reader": args.api.reader,
        "file links": args.api.file_links,
        "upload forms": args.api.upload_forms,
        "reconciler": args.reconciler.function,
    }

    def watched(known: dict[str, Any]) -> Watched:
        return Watched(
            service=args.ingest.processor.service,
            reconciler=args.reconciler.function.service,
            index=schema.TIME_INDEX,
            stage=STAGE,
            functions=[
                WatchedFunction(
                    label=label, name=known[label], memory_megabytes=functions[label].memory_megabytes
                )
                for label in functions
            ],
            **{key: value for key, value in known.items() if key not in functions},
        )

    return pulumi.Output.all(
        region=region,
        stack=args.ingest.args.stack.instance,
        queue=args.ingest.queue.name,
        resend_queue=args.ingest.resends.name,
        dead_letter_queue=args.ingest.dead_letters.name,
        table=args.ledger.table.name,
        api_id=args.api.api_id,
        alarm_arns=pulumi.Output.all(
            *args.ingest.alarm_arns,
            *args.ledger.alarm_arns,
            *args.api.alarm_arns,
            *args.reconciler.alarm_arns,
        ),
        **{label: function.name for label, function in functions.items()},
    ).apply(watched)
