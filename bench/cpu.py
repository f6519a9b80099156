"""Where CPU time goes: the functions, the emulator, who uploads, and the network in between."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
"""As Linux has it (proc(5)). Elsewhere nothing is known, and all is zero."""

PARTS = ("functions", "emulator", "uploaders", "network")


@dataclass(frozen=True, kw_only=True)
class _Process:
    pid: int
    parent: int
    command: str
    seconds: float
    seconds_of_ended_children: float


def cpu_seconds() -> Mapping[str, float]:
    """Return the CPU seconds that each part has used so far: this process, its children, and theirs."""
    processes = {process.pid: process for process in _processes()}
    seconds = dict.fromkeys(PARTS, 0.0)
    for process in processes.values():
        part = _part(process, processes)
        if part is not None:
            seconds[part] += process.seconds
        if part == "emulator":
            seconds["functions"] += process.seconds_of_ended_children
    return seconds


def _part(process: _Process, processes: Mapping[int, _Process]) -> str | None:
    if process.pid == os.getpid():
        return "uploaders"
    if process.parent == os.getpid():
        return "network" if "bench.delay_proxy" in process.command else "emulator"
    parent = processes.get(process.parent)
    return "functions" if parent is not None and parent.parent == os.getpid() else None


def _processes() -> list[_Process]:
    found = []
    for folder in PROC.glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text()
            command = (folder / "cmdline").read_text().replace("\0", " ")
        except OSError:  # it has ended
            continue
        # The second field is a name in parentheses, which may hold anything.
        fields = stat.rpartition(")")[2].split()
        own, of_children = (
            sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK") for ticks in (fields[11:13], fields[13:15])
        )
        found.append(
            _Process(
                pid=int(folder.name),
                parent=int(fields[1]),
                command=command,
                seconds=own,
                seconds_of_ended_children=of_children,
            )
        )
    return found
