"""Receipts per second, and the time from upload to entry.

{load.MOST_UPLOADERS} uploaders put {scale.throughput_uploads} receipts of {load.RECEIPT_KB} KB into the
bucket of a stack on the embedded AWS. Each contestant has its own function and table, gets the queue to
itself, and has handled {load.WARM_UP_UPLOADS} uploads before. The contestants take turns in each of
{scale.throughput_rounds} rounds, and the order is reversed from round to round. The functions' calls take 30
ms longer for all contestants. The rate covers the time from the first PUT to the last entry, and is the mean
of the rounds. A latency is the time from the start of a PUT to the time in its entry, which is taken before
the entry is written. *Billed* comes from Lambda's REPORT lines. Emulator, functions and uploaders share the
cores of this machine. Bill-E keeps all cores busy in both cases, mostly with the emulator and the uploaders.
With few functions, the others wait for one call after another, as they would on Lambda. With many, they wait
for the cores as well, so the ratio approaches the ratio of total CPU time. This machine can't show more.
"""

from __future__ import annotations

from collections.abc import Mapping

from bench.embedded import load
from bench.embedded.field import Field
from bench.results import Aim, Count, FigureTable, Findings
from bench.scale import Scale
from components.ingest_pipeline import IngestPipelineArgs

CONCURRENCIES = (2, IngestPipelineArgs.max_concurrency)
"""Functions at the same time: as few as Lambda takes, and as many as the product's default."""


def measure(field: Field, scale: Scale) -> Findings:
    """Upload to every contestant in turn, round after round; each has the machine to itself."""
    for functions in CONCURRENCIES:
        runs = _runs(field, scale, functions)
        of_naive = {name: run.rate / runs["naive"].rate for name, run in runs.items()}
        yield FigureTable(
            {name: {"times naive": f"{of_naive[name]:.1f}", **run.figures()} for name, run in runs.items()},
            caption=f"{functions} functions at the same time",
        )
        text = f"receipts per second with {functions} functions, relative to naive"
        yield Aim(text, of_naive["Bill-E"], 3, at_most=False)
        text = f"Bill-E with {functions} functions: calls per receipt"
        yield Count(text, runs["Bill-E"].calls_per_receipt(), load.CALLS_OF_A_RECEIPT)


def _runs(field: Field, scale: Scale, functions: int) -> Mapping[str, load.Run]:
    order = list(field.contestants.values())
    runs: dict[str, list[load.Run]] = {name: [] for name in field.contestants}
    for number in range(scale.throughput_rounds + 1):
        for contestant in order:
            field.only(contestant, functions=functions)
            uploads = scale.throughput_uploads if number else load.WARM_UP_UPLOADS
            runs[contestant.name].append(load.upload_and_wait(field, contestant, uploads))
        order.reverse()
    return {name: load.together(each[1:]) for name, each in runs.items()}
