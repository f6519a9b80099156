"""The time that an invocation has left."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from functions.contract.processing import CALL_SECONDS, READ_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable


class OutOfTimeError(Exception):
    """There is too little time left, so the message has to come back."""


class Deadline:
    """The end of an invocation. ``remaining_ms`` returns the milliseconds until then (Lambda's context).

    ``allotted`` is how much time there was at first, which is the function's time-out.
    """

    def __init__(self, remaining_ms: Callable[[], int]) -> None:
        self._remaining_ms = remaining_ms
        self.allotted = timedelta(milliseconds=remaining_ms())

    def allow_call(self) -> None:
        """Raise OutOfTimeError if there is too little time for another call to AWS."""
        self._require(CALL_SECONDS * 1000)

    def allow_read(self) -> None:
        """Raise OutOfTimeError if there is too little time to read more of an open object."""
        self._require(READ_SECONDS * 1000)

    def _require(self, margin_ms: int) -> None:
        remaining_ms = self._remaining_ms()
        if remaining_ms < margin_ms:
            raise OutOfTimeError(f"{remaining_ms} ms left, {margin_ms} ms needed")
