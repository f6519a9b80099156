"""The time that an invocation has left."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

START_MARGIN_MS = 5_000
"""With less time than this left, nothing is begun."""

STOP_MARGIN_MS = 1_000
"""With less time than this left, what was begun is given up, so that the answer still gets out."""


class OutOfTimeError(Exception):
    """There is too little time left; the message has to come back."""


class Deadline:
    """The end of an invocation, told by a function that returns the milliseconds left (Lambda's context).

    ``allotted`` is the time there was when this was made: made first, it is the function's time-out.
    """

    def __init__(self, remaining_ms: Callable[[], int]) -> None:
        self._remaining_ms = remaining_ms
        self.allotted = timedelta(milliseconds=remaining_ms())

    def allow_start(self) -> None:
        """Raise OutOfTimeError where there is too little time to begin something."""
        self._require(START_MARGIN_MS)

    def allow_more(self) -> None:
        """Raise OutOfTimeError where there is too little time to go on with something."""
        self._require(STOP_MARGIN_MS)

    def _require(self, margin_ms: int) -> None:
        remaining_ms = self._remaining_ms()
        if remaining_ms < margin_ms:
            raise OutOfTimeError(f"{remaining_ms} ms left, {margin_ms} ms needed")
