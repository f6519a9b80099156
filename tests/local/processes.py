"""Processes of this machine, found by what their command lines name."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path


def processes_naming(text: str) -> list[int]:
    return [pid for pid, command in command_lines() if text in command]


def processes_of_session(session: int) -> list[int]:
    """The processes that still run in the session of a process, even if their parents are gone."""
    found = []
    for pid, command in command_lines():
        with contextlib.suppress(OSError):  # it has just ended, or is somebody else's
            # A process that has ended and that nobody has waited for has no command line.
            if command and os.getsid(pid) == session:
                found.append(pid)
    return found


def command_lines() -> Iterator[tuple[int, str]]:
    if Path("/proc/self/cmdline").exists():
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it has just ended
                yield int(process.name), (process / "cmdline").read_bytes().decode(errors="replace")
    else:
        command = ["ps", "-A", "-ww", "-o", "pid=,args="]
        for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines():
            pid, _, arguments = line.strip().partition(" ")
            yield int(pid), arguments


def send(number: signal.Signals, pids: Sequence[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            os.kill(pid, number)


@contextlib.contextmanager
def frozen(pids: Sequence[int]) -> Iterator[None]:
    """Stop processes where they are, so that nothing changes while a test looks at them."""
    send(signal.SIGSTOP, pids)
    try:
        yield
    finally:
        send(signal.SIGCONT, pids)
