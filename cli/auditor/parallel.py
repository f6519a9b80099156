"""Running the parts of a large verification in several processes."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

_T = TypeVar("_T")

Run = Callable[..., Iterator[Any]]
"""Calls a function with each of some arguments, and yields the results in order."""


@contextmanager
def in_processes(*, worth_it: bool) -> Iterator[Run]:
    """Run calls in as many processes as there are cores, or in this one if starting others isn't worth it."""
    if not worth_it:
        yield lambda function, calls: (function(*arguments) for arguments in calls)
        return
    processes = os.cpu_count() or 1
    # A fork is ready at once, and safe in a process without threads. On macOS, Python's libraries have some.
    start = "fork" if sys.platform == "linux" and threading.active_count() == 1 else "spawn"
    with ProcessPoolExecutor(processes, multiprocessing.get_context(start)) as pool:

        def run(function: Callable[..., _T], calls: Iterable[tuple[Any, ...]]) -> Iterator[_T]:
            # Only so many calls are ahead of what was yielded: their results are in memory.
            source = iter(calls)
            ahead = [pool.submit(function, *arguments) for arguments in islice(source, 4 * processes)]
            while ahead:
                yield ahead.pop(0).result()
                ahead += [pool.submit(function, *arguments) for arguments in islice(source, 1)]

        yield run
