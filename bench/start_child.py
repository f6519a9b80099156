"""One process of the start measure: ``python start_child.py CODE`` prints what running it took.

Two numbers: seconds of CPU and seconds by the clock. Imports nothing else, so that the code pays for its own.
"""

import sys
import time

if __name__ == "__main__":
    started, started_cpu = time.perf_counter(), time.process_time()
    exec(sys.argv[1])  # noqa: S102 (given by the parent)
    print(time.process_time() - started_cpu, time.perf_counter() - started)  # noqa: T201 (the parent reads it)
