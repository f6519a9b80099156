"""One process of the memory measure: ``python -m bench.memory_child MODULE BATCH`` prints its peak memory.

S3 and DynamoDB are where ``AWS_ENDPOINT_URL`` says.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import re
import resource
import sys
from pathlib import Path

from bench.events import Context, UploadedFile, sqs_batch

STATUS = Path("/proc/self/status")


def main(module: str, batch: int) -> None:
    """Run a handler once, and print the most memory that this process ever had, in KB."""
    files = [UploadedFile(key=f"receipts/{number}.png") for number in range(batch)]
    with contextlib.redirect_stdout(io.StringIO()):
        answer = importlib.import_module(module).handle(sqs_batch(files), Context())
    if answer and answer["batchItemFailures"]:
        raise RuntimeError(f"{module} failed: {answer}")
    print(peak_kilobytes())  # noqa: T201 (what the parent reads)


def peak_kilobytes() -> int:
    """Return the peak resident memory. Linux's ``ru_maxrss`` has the parent's in it, from before the exec."""
    if STATUS.exists():
        match = re.search(r"VmHWM:\s+(\d+) kB", STATUS.read_text())
        if match:
            return int(match[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
