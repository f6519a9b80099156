"""Billed time per receipt, when every AWS call takes 30 ms.

Warm handlers take turns with batches of new receipts of {RECEIPT_KB} KB, for {scale.rounds} rounds; the
figures are medians. Opening a connection costs nothing here, which favours contestants that make new clients.
If a batch is larger than a contestant takes, it becomes several invocations. CPU time is that of all threads.
A handler has a whole core here, as on Lambda with {MEGABYTES_OF_A_VCPU:,} MB. With {MEMORY_MEGABYTES} MB, it
would have {CORE_SHARE:.0%} of a core, and CPU time would take that much longer: the last two columns are
computed from the others.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.contestants import BILL_E, CONTESTANTS, NAIVE_BATCH, RECEIPT_KB, Bench, Contestant, batch
from bench.results import Aim, Count, FigureTable, Findings
from bench.scale import CALL_SECONDS, Scale
from components.ingest_pipeline import IngestPipelineArgs

SIZES = (1, 5, 10)
MEMORY_MEGABYTES = IngestPipelineArgs.memory_megabytes
MEGABYTES_OF_A_VCPU = 1769
"""Lambda gives a full vCPU at 1,769 MB, and less in proportion (developer guide, "Configure memory")."""

CORE_SHARE = MEMORY_MEGABYTES / MEGABYTES_OF_A_VCPU
LONG_CALL_SECONDS = 0.3
"""Long enough for all threads to get to their first call."""


@dataclass(frozen=True, kw_only=True)
class Times:
    """Seconds per receipt: by the clock with a whole core, and of CPU."""

    wall: float
    cpu: float

    def with_memory(self, megabytes: int) -> float:
        """Return the seconds by the clock with the share of a core that comes with so much memory."""
        return self.wall + self.cpu * (MEGABYTES_OF_A_VCPU / megabytes - 1)


def measure(bench: Bench, scale: Scale) -> Findings:
    """Time warm invocations of every contestant in turn, round after round."""
    runs: dict[Contestant, dict[int, list[Times]]] = {
        contestant: {size: [] for size in SIZES} for contestant in CONTESTANTS
    }
    with bench.aws.delayed(CALL_SECONDS):
        for _ in range(scale.rounds + 1):
            for contestant, by_size in runs.items():
                for size, taken in by_size.items():
                    taken.append(time_batch(bench, contestant, size))
    # The first round warms everything up: caches of botocore, threads, pages of memory.
    times = {
        contestant: {size: median(taken[1:]) for size, taken in by_size.items()}
        for contestant, by_size in runs.items()
    }
    naive = times[NAIVE_BATCH][10]
    yield FigureTable(
        {
            contestant.name: {
                **{f"batch {size}": f"{each.wall * 1000:.1f} ms" for size, each in of.items()},
                "relative to naive, batch 10": f"{of[10].wall / naive.wall:.3f}",
                "CPU at batch 10": f"{of[10].cpu * 1000:.1f} ms",
                f"with {MEMORY_MEGABYTES} MB": f"{of[10].with_memory(MEMORY_MEGABYTES) * 1000:.1f} ms",
                "relative to naive with as much": (
                    f"{of[10].with_memory(MEMORY_MEGABYTES) / naive.with_memory(MEMORY_MEGABYTES):.3f}"
                ),
            }
            for contestant, of in times.items()
        }
    )
    share = times[BILL_E][10].wall / naive.wall
    yield Aim("billed time per receipt at batch 10, relative to the naive batch of 10", share, 1 / 7)
    with bench.aws.delayed(LONG_CALL_SECONDS), bench.aws.metered() as asked:
        time_batch(bench, BILL_E, 10)
    yield Count("Bill-E: the most calls at the same time in a batch of 10", str(asked.most_at_once), "10")


def median(runs: Sequence[Times]) -> Times:
    """Return the median of each figure."""
    return Times(
        wall=statistics.median(run.wall for run in runs), cpu=statistics.median(run.cpu for run in runs)
    )


def time_batch(bench: Bench, contestant: Contestant, size: int, receipt_kb: int = RECEIPT_KB) -> Times:
    """Process new receipts, in as many invocations as the contestant needs, and return what one took."""
    bench.reset()
    messages = bench.store_new(size, receipt_kb)
    step = size if contestant is BILL_E else contestant.batch_size
    events = [batch(*messages[start : start + step]) for start in range(0, size, step)]
    started, started_cpu = time.perf_counter(), time.process_time()
    for event in events:
        bench.run(contestant, event)
    wall, cpu = time.perf_counter() - started, time.process_time() - started_cpu
    if (recorded := len(bench.items(contestant))) != size:
        raise RuntimeError(f"{contestant.name} recorded {recorded} of {size} receipts")
    return Times(wall=wall / size, cpu=cpu / size)
