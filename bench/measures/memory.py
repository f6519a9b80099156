"""Peak memory against object size.

Every figure is the peak of a new process (VmHWM in Linux), in which botocore reads objects whose bytes are
made while they are read.
"""

from __future__ import annotations

import re
import resource
import subprocess
import sys
from pathlib import Path

from bench.contestants import (
    BILL_E,
    CONTESTANTS,
    NAIVE_ONE,
    POWERTOOLS,
    Bench,
    batch,
    loaded_bench,
    png,
    upload,
)
from bench.results import Aim, Count, Findings, Table
from bench.scale import Scale
from local.in_process.s3 import StoredObject

TOLERANCE_MEGABYTES = 16
BATCH, BATCH_MEGABYTES = 10, 50
PIECE_BYTES = 64 * 1024
STATUS = Path("/proc/self/status")


def measure(_bench: Bench, scale: Scale) -> Findings:
    """Run every contestant once per size, and Bill-E once more with a batch."""
    sizes = scale.memory_megabytes
    peaks = {
        each.name: [_peak(each.name, size, 1) for size in sizes] for each in (NAIVE_ONE, POWERTOOLS, BILL_E)
    }
    growth = max(peaks[BILL_E.name]) - peaks[BILL_E.name][0]
    text = f"Bill-E: growth of peak memory from objects of {sizes[0]} MB to {sizes[-1]} MB"
    is_flat = "yes" if growth <= TOLERANCE_MEGABYTES else "no"
    return Findings(
        tables=[
            Table(
                columns=["", *(f"{size} MB" for size in sizes)],
                rows={name: [f"{peak:.0f} MB" for peak in of_sizes] for name, of_sizes in peaks.items()},
            ),
            Table(
                columns=["", f"{BATCH} objects of {BATCH_MEGABYTES} MB, read at the same time"],
                rows={BILL_E.name: [f"{_peak(BILL_E.name, BATCH_MEGABYTES, BATCH):.0f} MB"]},
            ),
        ],
        aims=[Aim(text, growth, TOLERANCE_MEGABYTES, unit=" MB")],
        counts=[Count(f"Bill-E: flat within {TOLERANCE_MEGABYTES} MB", is_flat, "yes")],
    )


def _peak(contestant: str, megabytes: int, messages: int) -> float:
    """Return the peak memory of a process in which a contestant handles one batch, in MB."""
    command = [sys.executable, "-m", "bench.measures.memory", contestant, str(megabytes), str(messages)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) / 1024


def _handle(name: str, megabytes: int, messages: int) -> None:
    """Have a contestant read new objects, and make sure that it read each of them to its end."""
    (contestant,) = (each for each in CONTESTANTS if each.name == name)
    size = megabytes * 1024 * 1024
    uploads = {
        upload(f"{seed}.png"): StoredObject(piece=png(PIECE_BYTES, seed), repeats=size // PIECE_BYTES)
        for seed in range(messages)
    }
    with loaded_bench() as bench:
        bench.store(uploads)
        bench.run(contestant, batch(*([each] for each in uploads)))
        recorded = [int((item.get("size") or item["size_bytes"])["N"]) for item in bench.items(contestant)]
    if recorded != [size] * messages:
        raise RuntimeError(f"{name} recorded {recorded} bytes instead of {messages} times {size}")


def _peak_kilobytes() -> int:
    """Return the peak resident memory. Linux's ``ru_maxrss`` has the parent's in it, from before the exec."""
    if STATUS.exists() and (match := re.search(r"VmHWM:\s+(\d+) kB", STATUS.read_text())):
        return int(match[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)


if __name__ == "__main__":
    _handle(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    sys.stdout.write(f"{_peak_kilobytes()}\n")
