"""Receipts per second, and the time from upload to entry.

The whole system on the embedded AWS: {scale.throughput_uploads} uploads of {RECEIPT_KB} KB by
{MOST_UPLOADERS} uploaders, {scale.throughput_rounds} rounds of all contestants in turn, every other round in
the opposite order, after {WARM_UP_UPLOADS} uploads each to warm up. Each contestant has a function and a
table of its own and gets the queue to itself. The queue gathers batches for as long as it does by default.
Calls of functions take 30 ms longer for everybody. The rate is from the first PUT to the last entry, the mean
of the rounds. A latency is from the start of a PUT to the time in its entry, which is taken before the entry
is written. *Billed* comes from Lambda's REPORT lines. Emulator, functions and uploaders share the cores of
this machine, and Bill-E uses them up in both cases: its limit is the CPU time of all, most of which is the
emulator's and the uploaders'. With few functions, the others wait for one call after another, as they would
in Lambda. With many, they wait for the cores as well, and the ratio becomes that of all CPU time, whoever
uses it. This machine can't show more than that.
"""

from __future__ import annotations

from collections.abc import Mapping

from bench.embedded.field import CONCURRENCY, Field
from bench.embedded.load import (
    CALLS_OF_A_RECEIPT,
    MOST_UPLOADERS,
    WARM_UP_UPLOADS,
    Run,
    together,
    upload_and_wait,
)
from bench.results import Aim, Count, Findings, Table
from bench.scale import Scale
from components.ingest_pipeline import IngestPipelineArgs

CONCURRENCIES = (CONCURRENCY, IngestPipelineArgs.max_concurrency)
"""Functions at the same time: a core for each on a small machine, and as many as the product's default."""


def measure(field: Field, scale: Scale) -> Findings:
    """Upload to every contestant in turn, round after round; each has the machine to itself."""
    for functions in CONCURRENCIES:
        runs = _runs(field, scale, functions)
        of_naive = {name: run.rate / runs["naive"].rate for name, run in runs.items()}
        yield Table(
            {name: {"of naive": f"{of_naive[name]:.1f}", **run.figures()} for name, run in runs.items()},
            caption=f"{functions} functions at the same time",
        )
        text = f"receipts per second with {functions} functions, of naive"
        yield Aim(text, of_naive["Bill-E"], 3, at_most=False)
        text = f"Bill-E with {functions} functions: calls per receipt"
        yield Count(text, runs["Bill-E"].calls_per_receipt(), CALLS_OF_A_RECEIPT)


def _runs(field: Field, scale: Scale, functions: int) -> Mapping[str, Run]:
    order = list(field.contestants.values())
    runs: dict[str, list[Run]] = {name: [] for name in field.contestants}
    for number in range(scale.throughput_rounds + 1):
        for contestant in order:
            field.only(contestant, functions=functions)
            uploads = scale.throughput_uploads if number else WARM_UP_UPLOADS
            runs[contestant.name].append(upload_and_wait(field, contestant, uploads, MOST_UPLOADERS))
        order.reverse()
    return {name: together(each[1:]) for name, each in runs.items()}
