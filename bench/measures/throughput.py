"""Receipts per second and latency on the embedded AWS, everybody in turn."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from bench.cpu import PARTS
from bench.embedded import CONCURRENCY, WINDOW_SECONDS, Deployed, Field
from bench.load import Run, upload_and_wait
from bench.results import Aim, Count, Result, Table
from bench.scale import CALL_SECONDS, Scale
from bench.wording import counted
from components import IngestPipelineArgs

RECEIPT_BYTES = 200_000
UPLOADERS = 8
WARM_UP_UPLOADS = 100
"""As many batches of ten as there may be functions at the same time."""

PERCENTILES = (50, 95, 99)
CALLS_PER_RECEIPT = "GetObject 1, PutItem 1"

CONCURRENCIES = (CONCURRENCY, IngestPipelineArgs.max_concurrency)
"""Functions at the same time: a core for each on a small machine, and as many as the product's default."""

Runs = Mapping[str, Sequence[Run]]


def measure(field: Field, scale: Scale) -> Result:
    """Upload to every contestant in turn, round after round; each has the machine to itself."""
    runs = {functions: _runs(field, scale, functions) for functions in CONCURRENCIES}
    return Result(
        name="throughput",
        title="Receipts per second, and the time from upload to entry",
        method=(
            f"The whole system on the embedded AWS: {scale.throughput_uploads} uploads of "
            f"{RECEIPT_BYTES // 1000} KB by {UPLOADERS} uploaders, {scale.throughput_rounds} rounds, in "
            f"turn, who was last being first in the next, after {WARM_UP_UPLOADS} uploads to warm up. Each "
            "contestant has a bucket, queue, function and table of its own; queues gather batches of 10 for "
            f"{counted(WINDOW_SECONDS, 'second')}, Bill-E's default. Calls of functions take "
            f"{CALL_SECONDS * 1000:.0f} ms longer for everybody. The rate is from the first PUT to the last "
            "entry, its mean over the rounds; a latency is from the beginning of a PUT to the time in its "
            "entry, which is taken before that is written, over all rounds. *Billed* is Lambda's REPORT "
            "lines. Emulator, functions and uploaders share this machine's cores, and Bill-E's receipts use "
            "them up in both cases: what limits it is the last column of the CPU tables, most of which is "
            "the emulator's and the uploaders'. With few functions, the others wait for one call after the "
            "other, as they would in Lambda. With many, they wait for the cores as well, and the ratio "
            "becomes that of all CPU time, whoever uses it; more than that can't be seen on this machine."
        ),
        tables=[
            *(
                _table(f"{functions} functions at the same time", runs[functions])
                for functions in CONCURRENCIES
            ),
            *(
                _cpu_table(
                    f"CPU time per receipt with {functions} functions, by where it goes", runs[functions]
                )
                for functions in CONCURRENCIES
            ),
        ],
        aims=[
            Aim(
                text=f"receipts per second with {functions} functions, of naive",
                figure=_rate(runs[functions]["Bill-E"]) / _rate(runs[functions]["naive"]),
                limit=3,
                at_most=False,
            )
            for functions in CONCURRENCIES
        ],
        counts=[
            Count(
                text="Bill-E on the embedded AWS: calls per receipt",
                actual=_calls([run for each in runs.values() for run in each["Bill-E"]]),
                expected=CALLS_PER_RECEIPT,
            )
        ],
    )


def _runs(field: Field, scale: Scale, functions: int) -> Runs:
    for contestant in field.contestants.values():
        _run(field, contestant, functions, WARM_UP_UPLOADS)
    runs: dict[str, list[Run]] = {name: [] for name in field.contestants}
    order = list(field.contestants.items())
    for _ in range(scale.throughput_rounds):
        for name, contestant in order:
            runs[name].append(_run(field, contestant, functions, scale.throughput_uploads))
        order.reverse()
    return runs


def _run(field: Field, contestant: Deployed, functions: int, uploads: int) -> Run:
    field.only(contestant, functions)
    return upload_and_wait(field, contestant, uploads=uploads, uploaders=UPLOADERS, size_bytes=RECEIPT_BYTES)


def _table(caption: str, runs: Runs) -> Table:
    return Table(
        caption=caption,
        columns=[
            "",
            "of naive",
            "per second",
            *(f"{percentile}th percentile" for percentile in PERCENTILES),
            "calls per receipt",
            "receipts per invocation",
            "billed per receipt",
        ],
        rows=[
            [
                name,
                f"{_rate(each) / _rate(runs['naive']):.1f}",
                f"{_rate(each):.0f}",
                *(f"{latency:.2f} s" for latency in _latencies(each)),
                _calls(each),
                f"{_total(each) / sum(run.invocations.count for run in each):.1f}",
                f"{sum(run.invocations.milliseconds for run in each) / _total(each):.0f} ms",
            ]
            for name, each in runs.items()
        ],
    )


def _cpu_table(caption: str, runs: Runs) -> Table:
    """Show what the machine was busy with; without rows where it doesn't tell."""
    milliseconds = {
        name: {part: sum(run.cpu[part] for run in each) / _total(each) * 1000 for part in PARTS}
        for name, each in runs.items()
    }
    return Table(
        caption=caption,
        columns=["", *PARTS, "all"],
        rows=[
            [name, *(f"{taken[part]:.1f} ms" for part in PARTS), f"{sum(taken.values()):.1f} ms"]
            for name, taken in milliseconds.items()
            if any(taken.values())
        ],
    )


def _rate(runs: Sequence[Run]) -> float:
    return statistics.mean(run.rate for run in runs)


def _latencies(runs: Sequence[Run]) -> list[float]:
    cuts = statistics.quantiles((latency for run in runs for latency in run.latencies), n=100)
    return [cuts[percentile - 1] for percentile in PERCENTILES]


def _total(runs: Sequence[Run]) -> int:
    return sum(run.uploads for run in runs)


def _calls(runs: Sequence[Run]) -> str:
    operations = sorted({operation for run in runs for operation in run.calls})
    counted = {operation: sum(run.calls[operation] for run in runs) for operation in operations}
    return ", ".join(f"{operation} {times / _total(runs):g}" for operation, times in counted.items())
