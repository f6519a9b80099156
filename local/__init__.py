"""The embedded AWS: an AWS emulator on this machine, and the unmodified Pulumi program deployed on it."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, `kill`, and closing the terminal."""


class LocalError(Exception):
    """A failure. Its message is the sentence that the user gets to read."""


@contextlib.contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """Let each signal of `STOPPING` raise KeyboardInterrupt, so that what was started is stopped and removed.

    A script starts a command before `&` with SIGINT ignored, so that it would run on. SIGHUP stays ignored
    (`nohup`), and a handler that the program has set stays in place. Outside the main thread, which alone may
    set handlers, this does nothing.
    """
    replaced = {}
    if threading.current_thread() is threading.main_thread():
        for number in STOPPING:
            handler = signal.getsignal(number)
            if handler is signal.SIG_DFL or (number is signal.SIGINT and handler is signal.SIG_IGN):
                replaced[number] = signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)
