"""Growth: more uploaders, more uploads.

Bill-E on the embedded AWS with receipts of {RECEIPT_KB} KB: {scale.growth_uploads[1]} uploads by more and
more uploaders, then more and more uploads by {MOST_UPLOADERS}. The ledger keeps what came before. A receipt
costs its calls, its share of an invocation, and CPU time of the functions, which the aims are about. Billed
time is the emulator's. Its one process serves uploaders and functions alike, so billed time grows if both
want more of it at the same time. AWS isn't like that. The last row is without the batching window.
"""

from __future__ import annotations

from bench.embedded.field import Field
from bench.embedded.load import CALLS_OF_A_RECEIPT, MOST_UPLOADERS, WARM_UP_UPLOADS, upload_and_wait
from bench.results import Aim, Count, Findings, Table
from bench.scale import Scale
from components.ingest_pipeline import IngestPipelineArgs

MOST_GROWTH = 1.25
"""How much more than the least still counts as the same: repeated runs differ by as much."""


def measure(field: Field, scale: Scale) -> Findings:
    """Run Bill-E with growing numbers of uploaders, then of uploads, then without a batching window."""
    bill_e = field.contestants["Bill-E"]
    field.only(bill_e, functions=IngestPipelineArgs.max_concurrency)
    upload_and_wait(field, bill_e, WARM_UP_UPLOADS, MOST_UPLOADERS)
    middle = scale.growth_uploads[1]
    by_uploaders = [(middle, uploaders) for uploaders in scale.growth_uploaders]
    by_uploads = [(uploads, MOST_UPLOADERS) for uploads in scale.growth_uploads]
    runs = {pair: upload_and_wait(field, bill_e, *pair) for pair in dict.fromkeys(by_uploaders + by_uploads)}
    named = {f"{uploads:,} by {uploaders}": run for (uploads, uploaders), run in runs.items()}
    field.set_window(bill_e, 0)
    named[f"{middle:,} by 1, no window"] = upload_and_wait(field, bill_e, middle, 1)
    yield Table({name: run.figures() for name, run in named.items()}, corner="uploads by uploaders")
    for what, numbers, pairs in (
        ("uploaders", scale.growth_uploaders, by_uploaders),
        ("uploads", scale.growth_uploads, by_uploads),
    ):
        least, most = (runs[pair].cpu_milliseconds("functions") or 1 for pair in (pairs[0], pairs[-1]))
        text = f"CPU time of functions per receipt with {numbers[-1]:,} {what}, of that with {numbers[0]}"
        yield Aim(text, most / least, MOST_GROWTH)
    for name, run in named.items():
        yield Count(f"calls per receipt, {name}", run.calls_per_receipt(), CALLS_OF_A_RECEIPT)
