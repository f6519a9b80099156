"""Growth: more uploaders, more uploads.

Bill-E on the embedded AWS with receipts of {load.RECEIPT_KB} KB: {scale.growth_uploads[1]} uploads by more
and more uploaders, then more and more uploads by {load.MOST_UPLOADERS}. The ledger keeps what came before. A
receipt costs its calls, its share of an invocation, and CPU time of the functions, which the aims are about.
Billed time is the emulator's. Its one process serves uploaders and functions alike, so billed time grows if
both want more of it at the same time. AWS isn't like that.
"""

from __future__ import annotations

from collections.abc import Mapping

from bench.embedded import load
from bench.embedded.field import WINDOW_SECONDS, Field
from bench.embedded.load import CALLS_OF_A_RECEIPT, Run, upload_and_wait
from bench.results import Aim, Count, Findings, table_of
from bench.scale import Scale
from components.ingest_pipeline import IngestPipelineArgs

MOST_GROWTH = 1.25
"""How much more than the least still counts as the same: repeated runs differ by as much."""


def measure(field: Field, scale: Scale) -> Findings:
    """Run Bill-E with growing numbers of uploaders, then of uploads, then without a batching window."""
    bill_e = field.contestants["Bill-E"]
    field.only(bill_e, functions=IngestPipelineArgs.max_concurrency)

    def run(uploads: int, uploaders: int) -> Run:
        return upload_and_wait(field, bill_e, uploads=uploads, uploaders=uploaders)

    run(load.WARM_UP_UPLOADS, load.MOST_UPLOADERS)
    middle = scale.growth_uploads[1]
    by_uploaders = {uploaders: run(middle, uploaders) for uploaders in scale.growth_uploaders}
    by_uploads = {uploads: run(uploads, load.MOST_UPLOADERS) for uploads in scale.growth_uploads}
    field.set_window(bill_e, 0)
    by_window = {"0 s": run(middle, 1), f"{WINDOW_SECONDS} s": by_uploaders[1]}
    field.set_window(bill_e, WINDOW_SECONDS)
    runs = {
        **{f"{middle:,} by {uploaders}": each for uploaders, each in by_uploaders.items()},
        **{f"{uploads:,} by {load.MOST_UPLOADERS}": each for uploads, each in by_uploads.items()},
    }
    return Findings(
        tables=[
            table_of(
                runs,
                {
                    "calls per receipt": lambda run: f"{run.calls.total() / run.uploads:g}",
                    "receipts per invocation": Run.receipts_per_invocation,
                    "CPU of functions": lambda run: f"{run.cpu_milliseconds('functions'):.1f} ms",
                    "billed": Run.billed_per_receipt,
                    "per second": lambda run: f"{run.rate:.0f}",
                    **load.PERCENTILES,
                },
                first="uploads by uploaders",
            ),
            table_of(
                by_window,
                {
                    "receipts per invocation": Run.receipts_per_invocation,
                    "50th percentile": load.PERCENTILES["50th percentile"],
                },
                first="window",
                caption=f"The batching window, with {middle} uploads by 1",
            ),
        ],
        aims=[_aim(by_uploaders, "uploaders"), _aim(by_uploads, "uploads")],
        counts=[
            Count(f"calls per receipt, {name}", each.calls_per_receipt(), CALLS_OF_A_RECEIPT)
            for name, each in runs.items()
        ],
    )


def _aim(runs: Mapping[int, Run], what: str) -> Aim:
    least, most = (runs[number].cpu_milliseconds("functions") or 1 for number in (min(runs), max(runs)))
    text = f"CPU time of functions per receipt with {max(runs):,} {what}, of that with {min(runs):,}"
    return Aim(text, most / least, MOST_GROWTH)
