"""The time that Lambda bills for a receipt when every AWS call takes 30 ms."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from bench.contestants import (
    BILL_E,
    CONTESTANTS,
    MEGABYTES_OF_A_VCPU,
    MEMORY_MEGABYTES,
    NAIVE_BATCH,
    Bench,
    Contestant,
)
from bench.events import Context, sqs_batch
from bench.results import Aim, Count, Plot, Result, Table
from bench.scale import CALL_SECONDS, Scale

BATCHES = (1, 5, 10)
RECEIPT_BYTES = 200_000
LONG_CALL_SECONDS = 0.3
"""Long enough for all threads to get to their first call."""


def measure(bench: Bench, scale: Scale) -> Result:
    """Time warm invocations of every contestant in turn, round after round."""
    runs: dict[tuple[str, int], list[Times]] = {}
    seeds = count()
    with bench.aws.delayed(CALL_SECONDS):
        for _ in range(scale.rounds + 1):
            for contestant in CONTESTANTS:
                for batch in BATCHES:
                    taken = time_batch(bench, contestant, batch, seeds)
                    runs.setdefault((contestant.name, batch), []).append(taken)
    # The first round warms everything up: caches of botocore, threads, pages of memory.
    times = {key: median(values[1:]) for key, values in runs.items()}
    reference = times[NAIVE_BATCH.name, 10]
    with bench.aws.delayed(LONG_CALL_SECONDS), bench.aws.metered() as asked:
        time_batch(bench, BILL_E, 10, seeds)
    return Result(
        name="billed-time",
        title="Billed time per receipt, when every AWS call takes 30 ms",
        method=(
            f"Handlers run warm on batches of new receipts of {RECEIPT_BYTES // 1000} KB, in turn, "
            f"{scale.rounds} rounds; medians. Every call to S3 and DynamoDB takes "
            f"{CALL_SECONDS * 1000:.0f} ms for everybody; opening connections costs nothing, which favours "
            "those who make clients anew. Batches above what a contestant takes are as many invocations. "
            "CPU time is all threads'. A handler has a whole core here, as Lambda gives for 1,769 MB; with "
            f"{MEMORY_MEGABYTES} MB it has {MEMORY_MEGABYTES / MEGABYTES_OF_A_VCPU:.0%} of one, and the CPU "
            "time of everybody takes so much longer: the last two columns are computed from the others."
        ),
        tables=[
            Table(
                columns=[
                    "",
                    *(f"batch {batch}" for batch in BATCHES),
                    "of naive, batch 10",
                    "CPU at batch 10",
                    f"with {MEMORY_MEGABYTES} MB",
                    "of naive, batch 10",
                ],
                rows=[
                    [
                        contestant.name,
                        *(f"{times[contestant.name, batch].wall * 1000:.1f} ms" for batch in BATCHES),
                        f"{times[contestant.name, 10].wall / reference.wall:.3f}",
                        f"{times[contestant.name, 10].cpu * 1000:.1f} ms",
                        f"{times[contestant.name, 10].with_memory(MEMORY_MEGABYTES) * 1000:.1f} ms",
                        f"{_share_with_memory(times[contestant.name, 10], reference):.3f}",
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
                        [(batch, times[contestant.name, batch].wall * 1000) for batch in BATCHES],
                    )
                    for contestant in CONTESTANTS
                ],
            )
        ],
        aims=[
            Aim(
                text="billed time per receipt at batch 10, of the naive batch of 10",
                figure=times[BILL_E.name, 10].wall / reference.wall,
                limit=1 / 7,
            )
        ],
        counts=[
            Count(
                text=f"{BILL_E.name}: the most calls at the same time in a batch of 10",
                actual=str(asked.most_at_once),
                expected="10",
            )
        ],
    )


def _share_with_memory(times: Times, reference: Times) -> float:
    return times.with_memory(MEMORY_MEGABYTES) / reference.with_memory(MEMORY_MEGABYTES)


@dataclass(frozen=True, kw_only=True)
class Times:
    """Seconds per receipt: by the clock with a whole core, and of CPU."""

    wall: float
    cpu: float

    def with_memory(self, megabytes: int) -> float:
        """Return the seconds by the clock with the share of a core that comes with so much memory."""
        return self.wall + self.cpu * (MEGABYTES_OF_A_VCPU / megabytes - 1)


def median(runs: Sequence[Times]) -> Times:
    """Return the median of each figure."""
    return Times(
        wall=statistics.median(run.wall for run in runs), cpu=statistics.median(run.cpu for run in runs)
    )


def time_batch(
    bench: Bench, contestant: Contestant, batch: int, seeds: count[int], size_bytes: int = RECEIPT_BYTES
) -> Times:
    """Process new receipts, in as many invocations as the contestant needs, and say what one took."""
    bench.reset()
    files = bench.store_new(batch, size_bytes, seeds)
    step = batch if contestant is BILL_E else contestant.batch_size
    events = [sqs_batch(files[start : start + step]) for start in range(0, batch, step)]
    started, started_cpu = time.perf_counter(), time.process_time()
    for event in events:
        bench.run(contestant, event, Context())
    wall, cpu = time.perf_counter() - started, time.process_time() - started_cpu
    recorded = len(bench.aws.dynamodb.tables[contestant.table].items)
    if recorded != batch:
        raise RuntimeError(f"{contestant.name} recorded {recorded} of {batch} receipts")
    return Times(wall=wall / batch, cpu=cpu / batch)
