"""Peak memory of a process against the size of the receipt that it reads."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

from bench.contestants import BILL_E, ENVIRONMENT, NAIVE_ONE, POWERTOOLS, Contestant
from bench.results import Aim, Plot, Result, Table
from bench.scale import Scale
from bench.streaming_server import MEGABYTE, serving_object

TOLERANCE_MEGABYTES = 16
BATCH_MEGABYTES = 50


def measure(scale: Scale) -> Result:
    """Run every contestant once per size, each time in a new process."""
    contestants = (NAIVE_ONE, POWERTOOLS, BILL_E)
    sizes = scale.memory_megabytes
    peaks: dict[tuple[str, int], float] = {}
    for size in sizes:
        with serving_object(size) as url:
            for contestant in contestants:
                peaks[contestant.name, size] = _peak(contestant, url, batch=1)
    with serving_object(BATCH_MEGABYTES) as url:
        whole_batch = _peak(BILL_E, url, batch=10)
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
                text=f"peak memory at up to {sizes[-1]} MB, above that at {sizes[0]} MB",
                figure=growth,
                limit=TOLERANCE_MEGABYTES,
                unit=" MB",
            )
        ],
    )


def _peak(contestant: Contestant, url: str, *, batch: int) -> float:
    """Return the peak memory of a process that handles one batch, in MB."""
    environment: Mapping[str, str] = {
        **os.environ,
        **ENVIRONMENT,
        "AWS_ENDPOINT_URL": url,
        "MAX_RECEIPT_BYTES": str(1024 * MEGABYTE),
    }
    ran = subprocess.run(
        [sys.executable, "-m", "bench.memory_child", contestant.module, str(batch)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(ran.stdout) / 1024
