"""Receipts per second and latency on the embedded AWS, everybody in turn."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from bench.cpu import PARTS
from bench.embedded import CONCURRENCY, DELAY_SECONDS, Deployed, Field
from bench.load import Run, upload_and_wait
from bench.results import Aim, Count, Result, Table
from bench.scale import Scale
from components import IngestPipelineArgs

RECEIPT_BYTES = 200_000
UPLOADERS = 8
WARM_UP_UPLOADS = 50
"""Enough to start as many functions as there may be at the same time."""

PERCENTILES = (50, 95, 99)
CALLS_PER_RECEIPT = "GetObject 1, PutItem 1"

CONCURRENCIES = (CONCURRENCY, IngestPipelineArgs.max_concurrency)
"""Functions at the same time: a core for each on a small machine, and as many as the product's default."""

Runs = Mapping[str, Sequence[Run]]


def measure(field: Field, scale: Scale) -> Result:
    """Upload to every contestant in turn, round after round; each has the machine to itself."""
    runs = {functions: _runs(field, scale, functions) for functions in CONCURRENCIES}
    fewest, most = (runs[functions] for functions in CONCURRENCIES)
    return Result(
        name="throughput",
        title="Receipts per second, and the time from upload to entry",
        method=(
            f"The whole system on the embedded AWS: {scale.throughput_uploads} uploads of "
            f"{RECEIPT_BYTES // 1000} KB by {UPLOADERS} uploaders, {scale.throughput_rounds} rounds, in "
            f"turn, after a round of {WARM_UP_UPLOADS} to warm up. Each contestant has a bucket, queue, "
            "function and table of its own; Bill-E's queue gathers batches as it does by default. Calls of "
            f"functions take {DELAY_SECONDS * 1000:.0f} ms longer for everybody. The rate is from the first "
            "PUT to the last entry, its median over the rounds; a latency is from the beginning of a PUT "
            "to its entry, over all rounds. *Billed* is Lambda's REPORT lines. Emulator, functions and "
            "uploaders share this machine's cores. With few functions they do not use them up, and what "
            "is compared is how much a function gets done while it waits, as in Lambda, where each has a "
            "share of a core to itself. With many, the cores are what everybody waits for: the ratio is "
            "then that of all CPU time, whoever uses it, as the last table shows."
        ),
        tables=[
            *(
                _table(f"{functions} functions at the same time", runs[functions])
                for functions in CONCURRENCIES
            ),
            _cpu_table(f"CPU time per receipt with {CONCURRENCIES[1]} functions, by where it goes", most),
        ],
        aims=[
            Aim(
                text=f"receipts per second with {CONCURRENCIES[0]} functions, of naive",
                figure=_rate(fewest["Bill-E"]) / _rate(fewest["naive"]),
                limit=3,
                at_most=False,
            )
        ],
        counts=[
            Count(
                text="Bill-E on the embedded AWS: calls per receipt",
                actual=_calls([*fewest["Bill-E"], *most["Bill-E"]]),
                expected=CALLS_PER_RECEIPT,
            )
        ],
    )


def _runs(field: Field, scale: Scale, functions: int) -> Runs:
    field.set_concurrency(functions)
    for contestant in field.contestants.values():
        _run(field, contestant, WARM_UP_UPLOADS)
    runs: dict[str, list[Run]] = {name: [] for name in field.contestants}
    for _ in range(scale.throughput_rounds):
        for name, contestant in field.contestants.items():
            runs[name].append(_run(field, contestant, scale.throughput_uploads))
    return runs


def _run(field: Field, contestant: Deployed, uploads: int) -> Run:
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
    return statistics.median(run.rate for run in runs)


def _latencies(runs: Sequence[Run]) -> list[float]:
    cuts = statistics.quantiles((latency for run in runs for latency in run.latencies), n=100)
    return [cuts[percentile - 1] for percentile in PERCENTILES]


def _total(runs: Sequence[Run]) -> int:
    return sum(run.uploads for run in runs)


def _calls(runs: Sequence[Run]) -> str:
    operations = sorted({operation for run in runs for operation in run.calls})
    counted = {operation: sum(run.calls[operation] for run in runs) for operation in operations}
    return ", ".join(f"{operation} {times / _total(runs):g}" for operation, times in counted.items())
