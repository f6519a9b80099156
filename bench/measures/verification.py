"""Verifying an audit package.

`bill-e verify` and Tessera's fsck take turns with the same log of {scale.verified_entries[1]:,} entries, for
{scale.verify_rounds} rounds. Each run is a process of its own, and reads files that the system has in memory.
For the log alone, `verify` gets a package of a period in which nothing was recorded. With the rows, it also
checks that each row of `entries.jsonl` and `entries.csv` is the one that was sealed; one key in a hundred has
quotes in it. Times are medians, and the ratio is the median of the rounds. `verify` uses all cores. Memory is
the peak of the process that has the most (VmHWM on Linux).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from bench.audit_packages import change_a_row, write_package, write_package_without_entries
from bench.contestants import Bench
from bench.measures.memory import TOLERANCE_MEGABYTES
from bench.results import Aim, Count, FigureTable, Findings
from bench.scale import Scale
from cli.auditor import package as layout
from cli.auditor.findings import Code
from cli.auditor.verification import Given, verify
from local.engine import tools
from tests.cli.auditor.packages import KEY

LOG_ALONE, WITH_ROWS, FSCK = "`verify`, the log alone", "`verify`, with the rows", "fsck, the log alone"
LEAST_SHARE = 0.5

NOT_BUILT = "not measured: `.venv/bin/python -m local.engine.tools fsck` builds it"

VERIFY = """
import sys, cli
from bench.processes import peak_kilobytes
code = cli.start()
sys.stderr.write(str(peak_kilobytes()))
sys.exit(code)
"""


@dataclass(frozen=True, kw_only=True)
class TimedRun:
    """How long a process took, and what it wrote."""

    seconds: float
    out: str
    err: str

    @property
    def report(self) -> Mapping[str, Any]:
        """What `verify` reported."""
        report: Mapping[str, Any] = json.loads(self.out)
        return report

    @property
    def peak_megabytes(self) -> float:
        """The memory that `verify` took."""
        return int(self.err) / 1024


def measure(_bench: Bench, scale: Scale) -> Findings:
    """Take turns with a large package, and find a changed row in a small one."""
    few, many = scale.verified_entries
    with tempfile.TemporaryDirectory(prefix="bill-e-bench-") as name:
        small, large, log = (Path(name) / each for each in ("small", "large", "log"))
        write_package(small, few)
        write_package(large, many)
        write_package_without_entries(log, large, many)
        commands = {LOG_ALONE: _verify_command(log), WITH_ROWS: _verify_command(large)}
        if fsck := tools.find(tools.FSCK):
            commands[FSCK] = _fsck_command(fsck, large)
        run = partial(_run, bytecode=Path(name) / "bytecode")
        least = run(_verify_command(small)).peak_megabytes
        rounds = [
            {what: run(command) for what, command in commands.items()} for _ in range(scale.verify_rounds)
        ]
        for file in (layout.JSON_LINES, layout.CSV):
            change_a_row(small / file)
        changed = verify(Given(package=small, key=KEY))
    yield FigureTable(_rows(rounds, many), corner=f"{many:,} entries")
    if fsck:
        text = "`verify`, the log alone: leaves a second, relative to fsck"
        yield Aim(text, _share_of_fsck(rounds, LOG_ALONE), LEAST_SHARE, at_most=False)
    growth = max(each[WITH_ROWS].peak_megabytes for each in rounds) - least
    text = f"`verify`: growth of peak memory from {few:,} to {many:,} entries"
    yield Aim(text, growth, TOLERANCE_MEGABYTES, unit=" MB")
    report = rounds[0][WITH_ROWS].report
    checked = [report[each] for each in ("log_size", layout.JSON_LINES, layout.CSV)]
    yield Count("leaves, and rows of each file, that were verified", f"{checked}", f"{[many] * 3}")
    found = ", ".join(f"{count} {code}" for code, count in changed.counts.items())
    yield Count("findings after a row of each file was changed", found, f"2 {Code.ALTERED}")


def _rows(rounds: Sequence[Mapping[str, TimedRun]], entries: int) -> Mapping[str, Mapping[str, str]]:
    rows = {}
    for what in rounds[0]:
        seconds = median(each[what].seconds for each in rounds)
        rows[what] = {"time": f"{seconds:.2f} s", "entries a second": f"{entries / seconds:,.0f}"}
        if FSCK in rounds[0]:
            rows[what]["relative to fsck"] = f"{_share_of_fsck(rounds, what):.2f}"
        if what != FSCK:
            rows[what]["peak memory"] = f"{max(each[what].peak_megabytes for each in rounds):.0f} MB"
    return {FSCK: {"time": NOT_BUILT}, **rows} if FSCK not in rows else rows


def _share_of_fsck(rounds: Sequence[Mapping[str, TimedRun]], what: str) -> float:
    return median(each[FSCK].seconds / each[what].seconds for each in rounds)


def _verify_command(package: Path) -> Sequence[str]:
    return [sys.executable, "-c", VERIFY, "verify", str(package), "--key", str(KEY), "--json"]


def _fsck_command(fsck: Path, package: Path) -> Sequence[str]:
    url, key = f"file://{package / layout.LOG}", str(package / layout.KEY)
    return [str(fsck), "-storage_url", url, "-public_key", key, "-ui=false"]


def _run(command: Sequence[str], bytecode: Path) -> TimedRun:
    """Run a command, with bytecode as it has where it is installed: the first run writes it."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(bytecode), "PYTHONDONTWRITEBYTECODE": ""}
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return TimedRun(seconds=time.perf_counter() - began, out=done.stdout, err=done.stderr)
