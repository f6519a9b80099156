"""Working through any number of things: several at a time, and counted."""

from __future__ import annotations

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
