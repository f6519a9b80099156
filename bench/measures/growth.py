"""Whether a receipt costs more when there are more uploaders, or more uploads."""

from __future__ import annotations

from bench.embedded import Field
from bench.load import Run, upload_and_wait
from bench.results import Aim, Count, Plot, Result, Table
from bench.scale import Scale
from components import IngestPipelineArgs

RECEIPT_BYTES = 20_000
MOST_UPLOADERS = 8


def measure(field: Field, scale: Scale) -> Result:
    """Run Bill-E with growing numbers of uploaders, then of uploads."""
    field.set_concurrency(IngestPipelineArgs.max_concurrency)
    by_uploaders = {
        uploaders: _run(field, scale.growth_uploads[1], uploaders) for uploaders in scale.growth_uploaders
    }
    by_uploads = {uploads: _run(field, uploads, MOST_UPLOADERS) for uploads in scale.growth_uploads}
    fewest, most = by_uploads[scale.growth_uploads[0]], by_uploads[scale.growth_uploads[-1]]
    runs = [*by_uploaders.values(), *by_uploads.values()]
    return Result(
        name="growth",
        title="Growth: more uploaders, more uploads",
        method=(
            f"Bill-E on the embedded AWS with receipts of {RECEIPT_BYTES // 1000} KB: "
            f"{scale.growth_uploads[1]} uploads by more and more uploaders, then more and more uploads by "
            f"{MOST_UPLOADERS}. The ledger keeps what came before."
        ),
        tables=[
            Table(
                columns=[
                    "uploads by uploaders",
                    "calls per receipt",
                    "receipts per invocation",
                    "billed",
                    "per second",
                ],
                rows=[
                    *(
                        _row(f"{run.uploads:,} by {uploaders}", run)
                        for uploaders, run in by_uploaders.items()
                    ),
                    *(_row(f"{uploads:,} by {MOST_UPLOADERS}", run) for uploads, run in by_uploads.items()),
                ],
            )
        ],
        plots=[
            Plot(
                name="growth",
                title="Billed time per receipt against the number of uploads",
                x_label="uploads",
                y_label="ms per receipt",
                lines=[("Bill-E", [(uploads, _billed(run)) for uploads, run in by_uploads.items()])],
                log_x=True,
            )
        ],
        aims=[
            Aim(
                text=f"billed time per receipt of {most.uploads:,} uploads, of that of {fewest.uploads}",
                figure=_billed(most) / _billed(fewest),
                limit=1.25,
            )
        ],
        counts=[
            Count(
                text=f"calls per receipt, {run.uploads:,} uploads",
                actual=", ".join(
                    f"{operation} {times / run.uploads:g}" for operation, times in sorted(run.calls.items())
                ),
                expected="GetObject 1, PutItem 1",
            )
            for run in runs
        ],
    )


def _run(field: Field, uploads: int, uploaders: int) -> Run:
    return upload_and_wait(
        field, field.contestants["Bill-E"], uploads=uploads, uploaders=uploaders, size_bytes=RECEIPT_BYTES
    )


def _row(name: str, run: Run) -> list[str]:
    return [
        name,
        f"{run.calls.total() / run.uploads:g}",
        f"{run.uploads / run.invocations.count:.1f}",
        f"{_billed(run):.0f} ms",
        f"{run.rate:.0f}",
    ]


def _billed(run: Run) -> float:
    return run.invocations.milliseconds / run.uploads
