"""Receipts per second and latency on the embedded AWS, everybody in turn."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from bench.embedded import DELAY_SECONDS, Field
from bench.load import Run, upload_and_wait
from bench.results import Aim, Count, Result, Table
from bench.scale import Scale

RECEIPT_BYTES = 200_000
UPLOADERS = 8
WARM_UP_UPLOADS = 100
"""Enough to start as many functions as there may be at the same time."""

PERCENTILES = (50, 95, 99)
CALLS_PER_RECEIPT = "GetObject 1, PutItem 1"


def measure(field: Field, scale: Scale) -> Result:
    """Upload to every contestant in turn, round after round; each has the machine to itself."""
    for contestant in field.contestants.values():
        upload_and_wait(
            field, contestant, uploads=WARM_UP_UPLOADS, uploaders=UPLOADERS, size_bytes=RECEIPT_BYTES
        )
    runs: dict[str, list[Run]] = {name: [] for name in field.contestants}
    for _ in range(scale.throughput_rounds):
        for name, contestant in field.contestants.items():
            runs[name].append(
                upload_and_wait(
                    field,
                    contestant,
                    uploads=scale.throughput_uploads,
                    uploaders=UPLOADERS,
                    size_bytes=RECEIPT_BYTES,
                )
            )
    rates = {name: statistics.median(run.rate for run in each) for name, each in runs.items()}
    return Result(
        name="throughput",
        title="Receipts per second, and the time from upload to entry",
        method=(
            f"The whole system on the embedded AWS: {scale.throughput_uploads} uploads of "
            f"{RECEIPT_BYTES // 1000} KB by {UPLOADERS} uploaders, {scale.throughput_rounds} rounds, in "
            f"turn, after a round of {WARM_UP_UPLOADS} to warm up. Each contestant has a bucket, queue, "
            "function and table of its own and up to 10 functions at the same time; calls of functions "
            f"take {DELAY_SECONDS * 1000:.0f} ms longer for everybody. The rate is from the first PUT to "
            "the last entry, its median over the rounds; a latency is from the beginning of a PUT to its "
            "entry, over all rounds. Emulator, functions and uploaders share this machine's cores, which "
            "is what limits the faster ones. *Billed* is Lambda's REPORT lines."
        ),
        tables=[
            Table(
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
                        f"{rates[name] / rates['naive']:.1f}",
                        f"{rates[name]:.0f}",
                        *(f"{latency:.2f} s" for latency in _latencies(each)),
                        _calls(each),
                        f"{_total(each) / sum(run.invocations.count for run in each):.1f}",
                        f"{sum(run.invocations.milliseconds for run in each) / _total(each):.0f} ms",
                    ]
                    for name, each in runs.items()
                ],
            )
        ],
        aims=[
            Aim(
                text="receipts per second, of naive",
                figure=rates["Bill-E"] / rates["naive"],
                limit=3,
                at_most=False,
            )
        ],
        counts=[
            Count(
                text="Bill-E on the embedded AWS: calls per receipt",
                actual=_calls(runs["Bill-E"]),
                expected=CALLS_PER_RECEIPT,
            )
        ],
    )


def _latencies(runs: Sequence[Run]) -> list[float]:
    cuts = statistics.quantiles((latency for run in runs for latency in run.latencies), n=100)
    return [cuts[percentile - 1] for percentile in PERCENTILES]


def _total(runs: Sequence[Run]) -> int:
    return sum(run.uploads for run in runs)


def _calls(runs: Sequence[Run]) -> str:
    operations = sorted({operation for run in runs for operation in run.calls})
    counted = {operation: sum(run.calls[operation] for run in runs) for operation in operations}
    return ", ".join(f"{operation} {times / _total(runs):g}" for operation, times in counted.items())
