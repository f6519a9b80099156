"""Whether a receipt costs more when there are more uploaders, or more uploads."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

from bench.embedded import WINDOW_SECONDS, Field
from bench.load import Run, upload_and_wait
from bench.results import Aim, Count, Plot, Result, Table
from bench.scale import Scale
from components import IngestPipelineArgs

RECEIPT_BYTES = 200_000
MOST_UPLOADERS = 8
WARM_UP_UPLOADS = 100
PERCENTILES = (50, 95, 99)
MOST_GROWTH = 1.25
"""How much more than the least is still taken for the same: what repeated runs differ by."""


def measure(field: Field, scale: Scale) -> Result:
    """Run Bill-E with growing numbers of uploaders, then of uploads, then without a batching window."""
    field.only(field.contestants["Bill-E"], IngestPipelineArgs.max_concurrency)
    _run(field, WARM_UP_UPLOADS, MOST_UPLOADERS)
    middle = scale.growth_uploads[1]
    by_uploaders = {uploaders: _run(field, middle, uploaders) for uploaders in scale.growth_uploaders}
    by_uploads = {uploads: _run(field, uploads, MOST_UPLOADERS) for uploads in scale.growth_uploads}
    bill_e = field.contestants["Bill-E"]
    field.set_window(bill_e, 0)
    by_window = {0: _run(field, middle, 1)}
    field.set_window(bill_e, WINDOW_SECONDS)
    by_window[WINDOW_SECONDS] = by_uploaders[1]
    rows = {
        **{f"{run.uploads:,} by {uploaders}": run for uploaders, run in by_uploaders.items()},
        **{f"{uploads:,} by {MOST_UPLOADERS}": run for uploads, run in by_uploads.items()},
    }
    return Result(
        name="growth",
        title="Growth: more uploaders, more uploads",
        method=(
            f"Bill-E on the embedded AWS with receipts of {RECEIPT_BYTES // 1000} KB: {middle} uploads by "
            f"more and more uploaders, then more and more uploads by {MOST_UPLOADERS}. The ledger keeps what "
            "came before. What a receipt costs is its calls, its share of an invocation, and CPU time of the "
            "functions, which is what the aims are about. Billed time is the emulator's, whose one process "
            "serves uploaders and functions alike: it grows where both want more of it at the same time, "
            "which is not the case in AWS."
        ),
        tables=[
            Table(
                columns=[
                    "uploads by uploaders",
                    "calls per receipt",
                    "receipts per invocation",
                    "CPU of functions",
                    "billed",
                    "per second",
                    *(f"{percentile}th percentile" for percentile in PERCENTILES),
                ],
                rows=[_row(name, run) for name, run in rows.items()],
            ),
            Table(
                caption=f"The batching window, with {middle} uploads by 1",
                columns=["window", "receipts per invocation", "50th percentile"],
                rows=[
                    [
                        f"{seconds} s",
                        f"{run.uploads / run.invocations.count:.1f}",
                        f"{statistics.median(run.latencies):.2f} s",
                    ]
                    for seconds, run in by_window.items()
                ],
            ),
        ],
        plots=[
            Plot(
                name="growth",
                title="CPU time of functions per receipt against the number of uploads",
                x_label="uploads",
                y_label="ms per receipt",
                lines=[("Bill-E", [(uploads, run.function_cpu) for uploads, run in by_uploads.items()])],
                log_x=True,
            )
        ],
        aims=[_aim(by_uploaders, "uploaders"), _aim(by_uploads, "uploads")],
        counts=[
            Count(
                text=f"calls per receipt, {name}",
                actual=", ".join(
                    f"{operation} {times / run.uploads:g}" for operation, times in sorted(run.calls.items())
                ),
                expected="GetObject 1, PutItem 1",
            )
            for name, run in rows.items()
        ],
    )


def _aim(runs: Mapping[int, Run], what: str) -> Aim:
    fewest, most = min(runs), max(runs)
    return Aim(
        text=f"CPU time of functions per receipt with {most:,} {what}, of that with {fewest:,}",
        figure=(runs[most].function_cpu or 1) / (runs[fewest].function_cpu or 1),
        limit=MOST_GROWTH,
    )


def _run(field: Field, uploads: int, uploaders: int) -> Run:
    return upload_and_wait(
        field, field.contestants["Bill-E"], uploads=uploads, uploaders=uploaders, size_bytes=RECEIPT_BYTES
    )


def _row(name: str, run: Run) -> list[str]:
    cuts = statistics.quantiles(run.latencies, n=100)
    return [
        name,
        f"{run.calls.total() / run.uploads:g}",
        f"{run.uploads / run.invocations.count:.1f}",
        f"{run.function_cpu:.1f} ms",
        f"{run.milliseconds:.0f} ms",
        f"{run.rate:.0f}",
        *(f"{cuts[percentile - 1]:.2f} s" for percentile in PERCENTILES),
    ]
