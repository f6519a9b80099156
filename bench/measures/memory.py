"""Peak memory by object size.

Every figure is the peak of a new process (VmHWM on Linux), in which botocore reads objects whose bytes are
made while they are read. The objects are PDF files, which are read to their end.
"""

from __future__ import annotations

import subprocess
import sys

from bench.contestants import (
    BILL_E,
    CONTESTANTS,
    NAIVE_ONE,
    POWERTOOLS,
    Bench,
    Contestant,
    batch,
    loaded_bench,
    pdf,
    upload,
)
from bench.processes import peak_kilobytes
from bench.results import Aim, Count, FigureTable, Findings
from bench.scale import Scale
from local.in_process.s3 import StoredObject

TOLERANCE_MEGABYTES = 16
PIECE_BYTES = 64 * 1024


def measure(_bench: Bench, scale: Scale) -> Findings:
    """Run every contestant once per size, and Bill-E once more with a batch."""
    sizes = scale.memory_megabytes
    peaks = {
        each: {f"{size} MB": _peak(each, size, 1) for size in sizes}
        for each in (NAIVE_ONE, POWERTOOLS, BILL_E)
    }
    growth = max(peaks[BILL_E].values()) - peaks[BILL_E][f"{sizes[0]} MB"]
    peaks[BILL_E]["10 of 50 MB at the same time"] = _peak(BILL_E, 50, 10)
    yield FigureTable(
        {
            each.name: {size: f"{megabytes:.0f} MB" for size, megabytes in of_sizes.items()}
            for each, of_sizes in peaks.items()
        }
    )
    text = f"Bill-E: growth of peak memory from objects of {sizes[0]} MB to {sizes[-1]} MB"
    yield Aim(text, growth, TOLERANCE_MEGABYTES, unit=" MB")
    is_flat = "yes" if growth <= TOLERANCE_MEGABYTES else "no"
    yield Count(f"Bill-E: flat within {TOLERANCE_MEGABYTES} MB", is_flat, "yes")


def _peak(contestant: Contestant, megabytes: int, messages: int) -> float:
    """Return the peak memory of a process in which a contestant handles one batch, in MB."""
    command = [sys.executable, "-m", __name__, contestant.name, str(megabytes), str(messages)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) / 1024


def _handle(name: str, megabytes: int, messages: int) -> None:
    """Have a contestant read new objects, and make sure that it read each of them to its end."""
    (contestant,) = (each for each in CONTESTANTS if each.name == name)
    size = megabytes * 1024 * 1024
    uploads = {
        upload(f"{seed}.png"): StoredObject(piece=pdf(PIECE_BYTES, seed), repeats=size // PIECE_BYTES)
        for seed in range(messages)
    }
    with loaded_bench() as bench:
        bench.store(uploads)
        bench.run(contestant, batch(*([each] for each in uploads)))
        recorded = [int((item.get("size") or item["size_bytes"])["N"]) for item in bench.items(contestant)]
    if recorded != [size] * messages:
        raise RuntimeError(f"{name} recorded {recorded} bytes instead of {messages} times {size}")


if __name__ == "__main__":
    _handle(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    sys.stdout.write(f"{peak_kilobytes()}\n")
