"""The `bill-e` command: uploads receipts to a stack, reads its ledger, and helps to keep it running."""

from __future__ import annotations

import signal
from types import FrameType
from typing import NoReturn

_interrupted_by = [signal.SIGINT]


def start() -> int:
    """Run the command line and return its exit code. SIGTERM ends a command as Ctrl-C does, with a report.

    Modules are imported here, because that takes long enough for somebody to press Ctrl-C.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        from cli.main import main
    except KeyboardInterrupt:
        return code_of_interrupt()
    return main()


def code_of_interrupt() -> int:
    """Return the exit code that shells expect after the signal that interrupted the command."""
    return 128 + _interrupted_by[-1]


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    _interrupted_by.append(signal.Signals(number))
    raise KeyboardInterrupt
