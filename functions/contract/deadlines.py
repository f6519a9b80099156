"""How much of a function's time-out the processor keeps free."""

from __future__ import annotations

from typing import Final

CALL_SECONDS: Final = 25
"""With less time than this left, no call to AWS is begun. The slowest call takes 21 s, and the pauses between
its attempts (`functions.processor.handler.CLIENT_CONFIG`)."""

READ_SECONDS: Final = 6
"""With less time than this left, no more of an object is read: waiting in vain for the next piece takes 5."""
