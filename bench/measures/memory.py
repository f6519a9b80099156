"""Peak memory of a process against the size of the receipt that it reads."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

from bench.contestants import BILL_E, ENVIRONMENT, NAIVE_ONE, POWERTOOLS, Contestant
from bench.results import Aim, Count, Plot, Result, Table
from bench.scale import Scale
from bench.streaming_server import MEGABYTE, Served, serving_object

TOLERANCE_MEGABYTES = 16
BATCH_MEGABYTES = 50


def measure(scale: Scale) -> Result:
    """Run every contestant once per size, each time in a new process."""
    contestants = (NAIVE_ONE, POWERTOOLS, BILL_E)
    sizes = scale.memory_megabytes
    peaks: dict[tuple[str, int], float] = {}
    for size in sizes:
        with serving_object(size) as served:
            for contestant in contestants:
                peaks[contestant.name, size] = _peak(contestant, served, size, batch=1)
    with serving_object(BATCH_MEGABYTES) as served:
        whole_batch = _peak(BILL_E, served, BATCH_MEGABYTES, batch=10)
    growth = max(peaks[BILL_E.name, size] for size in sizes) - peaks[BILL_E.name, sizes[0]]
    return Result(
        name="memory",
        title="Peak memory against object size",
        method=(
            "A new process for every figure; the object comes over HTTP from another process. The peak is "
            f"what Linux reports (VmHWM). A batch of 10 receipts of {BATCH_MEGABYTES} MB, read at the same "
            f"time, takes Bill-E {whole_batch:.0f} MB."
        ),
        tables=[
            Table(
                columns=["", *(f"{size} MB" for size in sizes)],
                rows=[
                    [contestant.name, *(f"{peaks[contestant.name, size]:.0f} MB" for size in sizes)]
                    for contestant in contestants
                ],
            )
        ],
        plots=[
            Plot(
                name="memory",
                title="Peak memory against object size",
                x_label="object size, MB",
                y_label="peak memory, MB",
                lines=[
                    (contestant.name, [(size, peaks[contestant.name, size]) for size in sizes])
                    for contestant in contestants
                ],
            )
        ],
        aims=[
            Aim(
                text=f"Bill-E: growth of peak memory from objects of {sizes[0]} MB to {sizes[-1]} MB",
                figure=growth,
                limit=TOLERANCE_MEGABYTES,
                unit=" MB",
            )
        ],
        counts=[
            Count(
                text=f"{BILL_E.name}: flat within {TOLERANCE_MEGABYTES} MB",
                actual="yes" if growth <= TOLERANCE_MEGABYTES else "no",
                expected="yes",
            )
        ],
    )


def _peak(contestant: Contestant, served: Served, megabytes: int, *, batch: int) -> float:
    """Return the peak memory of a process that handles one batch, in MB.

    Raise RuntimeError where it didn't read every object to its end, and write something about each.
    """
    environment: Mapping[str, str] = {
        **os.environ,
        **ENVIRONMENT,
        "AWS_ENDPOINT_URL": served.url,
        "MAX_RECEIPT_BYTES": str(1024 * MEGABYTE),
    }
    ran = subprocess.run(
        [sys.executable, "-m", "bench.memory_child", contestant.module, str(batch)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    sent, posts = served.since_last()
    if sent != batch * megabytes * MEGABYTE or posts < batch:
        raise RuntimeError(
            f"{contestant.name} read {sent} bytes and wrote {posts} times for {batch} receipts"
        )
    return int(ran.stdout) / 1024
