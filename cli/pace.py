"""Keeping to a share of a table's throughput, so that a stack's functions go on meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable


class Pace:
    """Spends at most so many capacity units a second, on average since it was made. Used by one thread."""

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
