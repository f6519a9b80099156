"""Growth: more uploaders, more uploads.

Bill-E on the embedded AWS with receipts of {load.RECEIPT_KB} KB: {scale.growth_uploads[1]} uploads by more
and more uploaders, then more and more uploads by {load.MOST_UPLOADERS}, all in one ledger. The last row is
without the batching window. The aims are about the CPU time of the functions. Billed time grows here because
uploaders and functions compete for the emulator's single process, which isn't the case on AWS.
"""

from __future__ import annotations

from bench.embedded import load
from bench.embedded.field import Field
from bench.results import Aim, Count, FigureTable, Findings
from bench.scale import Scale
from components.ingest_pipeline import IngestPipelineArgs

MOST_GROWTH = 1.25
"""How much more than the least still counts as the same: repeated runs differ by as much."""


def measure(field: Field, scale: Scale) -> Findings:
    """Run Bill-E with growing numbers of uploaders, then of uploads, then without a batching window."""
    bill_e = field.contestants["Bill-E"]
    field.only(bill_e, functions=IngestPipelineArgs.max_concurrency)
    load.upload_and_wait(field, bill_e, load.WARM_UP_UPLOADS)
    middle = scale.growth_uploads[1]
    by_uploaders = [(middle, uploaders) for uploaders in scale.growth_uploaders]
    by_uploads = [(uploads, load.MOST_UPLOADERS) for uploads in scale.growth_uploads]
    pairs = dict.fromkeys(by_uploaders + by_uploads)
    runs = {pair: load.upload_and_wait(field, bill_e, *pair) for pair in pairs}
    named = {f"{uploads:,} by {uploaders}": run for (uploads, uploaders), run in runs.items()}
    field.set_window(bill_e, 0)
    named[f"{middle:,} by 1, no window"] = load.upload_and_wait(field, bill_e, middle, 1)
    yield FigureTable({name: run.figures() for name, run in named.items()}, corner="uploads by uploaders")
    for what, numbers, growing in (
        ("uploaders", scale.growth_uploaders, by_uploaders),
        ("uploads", scale.growth_uploads, by_uploads),
    ):
        least, most = (runs[pair].cpu_milliseconds("functions") or 1 for pair in (growing[0], growing[-1]))
        text = f"CPU time of functions per receipt with {numbers[-1]:,} {what}, relative to {numbers[0]}"
        yield Aim(text, most / least, MOST_GROWTH)
    for name, run in named.items():
        yield Count(f"calls per receipt, {name}", run.calls_per_receipt(), load.CALLS_OF_A_RECEIPT)
