"""Working through any number of things: several at a time, at a rate that the stack can bear, and counted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from itertools import islice
from typing import TypeVar

Thing = TypeVar("Thing")
Done = TypeVar("Done")

Counting = Callable[[str, int | None], AbstractContextManager[Callable[[int], None]]]
"""Shows how many things have been done ("sent"), out of a total if that is known, while its context is open.
The context yields the function that adds to the count."""


def concurrently(do: Callable[[Thing], Done], things: Iterator[Thing], at_once: int) -> Iterator[Done]:
    """Yield what `do` returns for each of `things`, as it is done, without holding all of them in memory."""
    with ThreadPoolExecutor(at_once) as pool:
        doing: set[Future[Done]] = set()
        while True:
            doing |= {pool.submit(do, thing) for thing in islice(things, at_once - len(doing))}
            if not doing:
                return
            done, doing = wait(doing, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()


class Pace:
    """Limits the capacity units of a table used a second, on average, so that the stack keeps working.

    Used by one thread.
    """

    def __init__(
        self,
        units_per_second: float,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._units_per_second = units_per_second
        self._clock = clock
        self._pause = pause
        self._began = clock()
        self._spent = 0.0

    def spend(self, units: float) -> None:
        """Count what a call used, and wait until the next one may begin."""
        self._spent += units
        ahead = self._spent / self._units_per_second - (self._clock() - self._began)
        if ahead > 0:
            self._pause(ahead)
