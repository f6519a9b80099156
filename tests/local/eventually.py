from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

TIMEOUT_SECONDS = 60.0
PAUSE_SECONDS = 0.05


def eventually(what: str, probe: Callable[[], T | None], timeout_seconds: float = TIMEOUT_SECONDS) -> T:
    """Call `probe` until it returns something true, and return that."""
    deadline = time.monotonic() + timeout_seconds
    while not (answer := probe()):
        assert time.monotonic() < deadline, f"not within {timeout_seconds:.0f} s: {what}"
        time.sleep(PAUSE_SECONDS)
    return answer
