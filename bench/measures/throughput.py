"""Receipts per second, and the time from upload to entry.

The whole system on the embedded AWS: {scale.throughput_uploads} uploads of {load.RECEIPT_KB} KB by
{load.MOST_UPLOADERS} uploaders, {scale.throughput_rounds} rounds of all contestants in turn, every other
round in the opposite order, after {load.WARM_UP_UPLOADS} uploads each to warm up. Each contestant has a
function and a table of its own and gets the queue to itself. The queue gathers batches for as long as it does
by default. Calls of functions take 30 ms longer for everybody. The rate is from the first PUT to the last
entry, the mean of the rounds. A latency is from the start of a PUT to the time in its entry, which is taken
before the entry is written. *Billed* comes from Lambda's REPORT lines. Emulator, functions and uploaders
share the cores of this machine, and Bill-E uses them up in both cases. Its limit is the last column of the
CPU tables, most of which is the emulator's and the uploaders'. With few functions, the others wait for one
call after another, as they would in Lambda. With many, they wait for the cores as well, and the ratio becomes
that of all CPU time, whoever uses it. This machine can't show more than that.
"""

from __future__ import annotations

from collections.abc import Mapping

from bench.embedded import load
from bench.embedded.cpu import PARTS
from bench.embedded.field import CONCURRENCY, Deployed, Field
from bench.embedded.load import CALLS_OF_A_RECEIPT, Run, together, upload_and_wait
from bench.results import Aim, Count, Findings, Table, table_of
from bench.scale import Scale
from components.ingest_pipeline import IngestPipelineArgs

CONCURRENCIES = (CONCURRENCY, IngestPipelineArgs.max_concurrency)
"""Functions at the same time: a core for each on a small machine, and as many as the product's default."""


def measure(field: Field, scale: Scale) -> Findings:
    """Upload to every contestant in turn, round after round; each has the machine to itself."""
    runs = {functions: _runs(field, scale, functions) for functions in CONCURRENCIES}
    bill_e = together([each["Bill-E"] for each in runs.values()])
    return Findings(
        tables=[
            *(_table(functions, each) for functions, each in runs.items()),
            *(_cpu_table(functions, each) for functions, each in runs.items()),
        ],
        aims=[
            Aim(
                f"receipts per second with {functions} functions, of naive",
                each["Bill-E"].rate / each["naive"].rate,
                3,
                at_most=False,
            )
            for functions, each in runs.items()
        ],
        counts=[
            Count(
                "Bill-E on the embedded AWS: calls per receipt",
                bill_e.calls_per_receipt(),
                CALLS_OF_A_RECEIPT,
            )
        ],
    )


def _runs(field: Field, scale: Scale, functions: int) -> Mapping[str, Run]:
    def run(contestant: Deployed, uploads: int) -> Run:
        field.only(contestant, functions=functions)
        return upload_and_wait(field, contestant, uploads=uploads, uploaders=load.MOST_UPLOADERS)

    order = list(field.contestants.values())
    for contestant in order:
        run(contestant, load.WARM_UP_UPLOADS)
    runs: dict[str, list[Run]] = {name: [] for name in field.contestants}
    for _ in range(scale.throughput_rounds):
        for contestant in order:
            runs[contestant.name].append(run(contestant, scale.throughput_uploads))
        order.reverse()
    return {name: together(each) for name, each in runs.items()}


def _table(functions: int, runs: Mapping[str, Run]) -> Table:
    return table_of(
        runs,
        {
            "of naive": lambda run: f"{run.rate / runs['naive'].rate:.1f}",
            "per second": lambda run: f"{run.rate:.0f}",
            **load.PERCENTILES,
            "calls per receipt": Run.calls_per_receipt,
            "receipts per invocation": Run.receipts_per_invocation,
            "billed per receipt": Run.billed_per_receipt,
        },
        caption=f"{functions} functions at the same time",
    )


def _cpu_table(functions: int, runs: Mapping[str, Run]) -> Table:
    """Show what the machine was busy with; without rows where it doesn't tell."""
    taken = {name: [run.cpu_milliseconds(part) for part in PARTS] for name, run in runs.items()}
    return Table(
        caption=f"CPU time per receipt with {functions} functions, by where it goes",
        columns=["", *PARTS, "all"],
        rows={name: [f"{each:.1f} ms" for each in (*of, sum(of))] for name, of in taken.items() if any(of)},
    )
