"""Where CPU time goes: the functions, the emulator, who uploads, and the network in between."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

PROC = Path("/proc")
"""As Linux has it (proc(5)). Elsewhere nothing is known, and all is zero."""

PARTS = ("functions", "emulator", "uploaders", "network")


def cpu_seconds() -> Mapping[str, float]:
    """Return the CPU seconds that each part has used so far: this process, its children, and theirs."""
    seconds, here = dict.fromkeys(PARTS, 0.0), os.getpid()
    processes = {int(folder.name): _read(folder) for folder in PROC.glob("[0-9]*")}
    for pid, (command, parent, own, of_ended_children) in processes.items():
        if pid == here:
            seconds["uploaders"] += own
        elif parent == here and "bench.embedded.proxy" in command:
            seconds["network"] += own
        elif parent == here:
            seconds["emulator"] += own
            seconds["functions"] += of_ended_children
        elif parent in processes and processes[parent][1] == here:
            seconds["functions"] += own
    return seconds


def _read(folder: Path) -> tuple[str, int, float, float]:
    """Return a process's command, parent, CPU seconds, and those of children that have ended."""
    try:
        stat, command = (folder / "stat").read_text(), (folder / "cmdline").read_text()
    except OSError:  # it has ended
        return "", 0, 0.0, 0.0
    # The second field is a name in parentheses, which may hold anything.
    fields = [int(field) for field in stat.rpartition(")")[2].split()[1:]]
    ticks = os.sysconf("SC_CLK_TCK")
    return command, fields[0], sum(fields[10:12]) / ticks, sum(fields[12:14]) / ticks
