"""The time that Lambda bills for a receipt when every AWS call takes 30 ms."""

from __future__ import annotations

import statistics
import time
from itertools import count

from bench.contestants import BILL_E, CONTESTANTS, NAIVE_BATCH, Bench, Contestant
from bench.events import Context, UploadedFile, sqs_batch
from bench.receipts import png
from bench.results import Aim, Plot, Result, Table
from bench.scale import Scale
from bench.simulated_aws.s3 import StoredObject

DELAY_SECONDS = 0.030
BATCHES = (1, 5, 10)
RECEIPT_BYTES = 200_000


def measure(bench: Bench, scale: Scale) -> Result:
    """Time warm invocations of every contestant in turn, round after round."""
    times: dict[tuple[str, int], list[tuple[float, float]]] = {}
    seeds = count()
    bench.aws.delay_seconds = DELAY_SECONDS
    try:
        for _ in range(scale.rounds + 1):
            for contestant in CONTESTANTS:
                for batch in BATCHES:
                    times.setdefault((contestant.name, batch), []).append(
                        _per_receipt(bench, contestant, batch, seeds)
                    )
    finally:
        bench.aws.delay_seconds = 0.0
    # The first round warms everything up: caches of botocore, threads, pages of memory.
    wall = {key: statistics.median(taken[0] for taken in values[1:]) for key, values in times.items()}
    cpu = {key: statistics.median(taken[1] for taken in values[1:]) for key, values in times.items()}
    reference = wall[NAIVE_BATCH.name, 10]
    return Result(
        name="billed-time",
        title="Billed time per receipt, when every AWS call takes 30 ms",
        method=(
            f"Handlers run warm on batches of new receipts of {RECEIPT_BYTES // 1000} KB, in turn, "
            f"{scale.rounds} rounds; medians. Every call to S3 and DynamoDB takes "
            f"{DELAY_SECONDS * 1000:.0f} ms for everybody; opening connections costs nothing, which favours "
            "those who make clients anew. Batches above what a contestant takes are as many invocations. "
            "CPU time is all threads'."
        ),
        tables=[
            Table(
                columns=[
                    "",
                    *(f"batch {batch}" for batch in BATCHES),
                    "of naive, batch 10",
                    "CPU at batch 10",
                ],
                rows=[
                    [
                        contestant.name,
                        *(f"{wall[contestant.name, batch] * 1000:.1f} ms" for batch in BATCHES),
                        f"{wall[contestant.name, 10] / reference:.3f}",
                        f"{cpu[contestant.name, 10] * 1000:.1f} ms",
                    ]
                    for contestant in CONTESTANTS
                ],
            )
        ],
        plots=[
            Plot(
                name="billed-time",
                title="Billed time per receipt (30 ms per AWS call)",
                x_label="messages in a batch",
                y_label="ms per receipt",
                lines=[
                    (
                        contestant.name,
                        [(batch, wall[contestant.name, batch] * 1000) for batch in BATCHES],
                    )
                    for contestant in CONTESTANTS
                ],
            )
        ],
        aims=[
            Aim(
                text="billed time per receipt at batch 10, of the naive batch of 10",
                figure=wall[BILL_E.name, 10] / reference,
                limit=1 / 7,
            )
        ],
    )


def _per_receipt(bench: Bench, contestant: Contestant, batch: int, seeds: count[int]) -> tuple[float, float]:
    """Process a batch of new receipts; return the seconds per receipt, by the clock and of CPU."""
    bench.reset()
    files = []
    for _ in range(batch):
        seed = next(seeds)
        file = UploadedFile(key=f"receipts/{seed}.png", version_id=f"v{seed}")
        bench.aws.s3.objects[file.key, file.version_id] = StoredObject(body=png(RECEIPT_BYTES, seed))
        files.append(file)
    step = min(batch, contestant.batch_size)
    events = [sqs_batch(files[start : start + step]) for start in range(0, batch, step)]
    started, started_cpu = time.perf_counter(), time.process_time()
    for event in events:
        bench.run(contestant, event, Context())
    wall, cpu = time.perf_counter() - started, time.process_time() - started_cpu
    recorded = len(bench.aws.dynamodb.tables[contestant.table].items)
    if recorded != batch:
        raise RuntimeError(f"{contestant.name} recorded {recorded} of {batch} receipts")
    return wall / batch, cpu / batch
