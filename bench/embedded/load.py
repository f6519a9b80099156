"""Uploads receipts to a contestant, and finds out when each got its entry, and what that took."""

from __future__ import annotations

import os
import re
import statistics
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

from bench.contestants import RECEIPT_KB, SEEDS, png
from bench.embedded.field import Deployed, Field
from local.queues import depth

MOST_UPLOADERS = 8
WARM_UP_UPLOADS = 100
"""As many batches of ten as there may be functions at the same time."""

TIMEOUT_SECONDS = 180
CALLS_OF_A_RECEIPT = "GetObject 1, PutItem 1"
PROC = Path("/proc")
"""As Linux has it (proc(5)). Elsewhere, CPU time isn't known, and all of it is zero."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a number of uploads took, from the first PUT to the last entry; ``billed`` are milliseconds."""

    uploads: int
    seconds: float
    latencies: Sequence[float]
    calls: Counter[str]
    invocations: int
    billed: float
    cpu: Mapping[str, float]

    @property
    def rate(self) -> float:
        """Receipts per second."""
        return self.uploads / self.seconds

    def calls_per_receipt(self) -> str:
        """Return how often each operation was called for a receipt."""
        return ", ".join(f"{name} {times / self.uploads:g}" for name, times in sorted(self.calls.items()))

    def cpu_milliseconds(self, part: str) -> float:
        """Return the CPU time of the functions or of all for a receipt."""
        return self.cpu[part] * 1000 / self.uploads

    def figures(self) -> Mapping[str, str]:
        """Return the figures that tables have of a run."""
        below = statistics.quantiles(self.latencies, n=100)
        return {
            "per second": f"{self.rate:.0f}",
            **{f"{percent}th percentile": f"{below[percent - 1]:.2f} s" for percent in (50, 95, 99)},
            "calls per receipt": self.calls_per_receipt(),
            "receipts per invocation": f"{self.uploads / self.invocations:.1f}",
            "billed per receipt": f"{self.billed / self.uploads:.0f} ms",
            **{f"CPU time of {part}": f"{self.cpu_milliseconds(part):.1f} ms" for part in self.cpu},
        }


def together(runs: Sequence[Run]) -> Run:
    """Add runs up; the rate is their mean."""
    uploads = sum(run.uploads for run in runs)
    return Run(
        uploads=uploads,
        seconds=uploads / statistics.mean(run.rate for run in runs),
        latencies=[latency for run in runs for latency in run.latencies],
        calls=sum((run.calls for run in runs), Counter[str]()),
        invocations=sum(run.invocations for run in runs),
        billed=sum(run.billed for run in runs),
        cpu={part: sum(run.cpu[part] for run in runs) for part in runs[0].cpu},
    )


def upload_and_wait(field: Field, contestant: Deployed, uploads: int, uploaders: int = MOST_UPLOADERS) -> Run:
    """Upload different receipts, wait until each has its entry and no message is left; return the run.

    Raise RuntimeError if that takes more than three minutes.
    """
    s3, bucket = field.stack.administrator.client("s3"), field.stack.outputs["uploads_bucket"]
    seeds = {f"receipts/{seed}.png": seed for seed in islice(SEEDS, uploads)}
    calls_before, cpu_before, started = field.proxy.calls(), _cpu_seconds(), time.time()

    def upload(key: str) -> tuple[str, float]:
        sent = time.time()
        s3.put_object(Bucket=bucket, Key=key, Body=png(RECEIPT_KB * 1000, seeds[key]))
        return key, sent

    with ThreadPoolExecutor(max_workers=uploaders) as pool:
        sent = dict(pool.map(upload, seeds))
    while (left := depth(field.stack)).total or not seeds.keys() <= (
        recorded := _recorded(field, contestant)
    ).keys():
        if time.time() > started + TIMEOUT_SECONDS:
            raise RuntimeError(f"{contestant.name} has not recorded all of {uploads} uploads: {left}")
        time.sleep(0.5)
    cpu = {part: seconds - cpu_before[part] for part, seconds in _cpu_seconds().items()}
    durations = _durations(field, contestant, started)
    return Run(
        uploads=uploads,
        seconds=max(recorded[key] for key in sent) - min(sent.values()),
        latencies=[recorded[key] - sent[key] for key in sent],
        calls=field.proxy.calls() - calls_before,
        invocations=len(durations),
        billed=sum(durations),
        cpu=cpu,
    )


def _recorded(field: Field, contestant: Deployed) -> Mapping[str, float]:
    """Return when each key was recorded, by the function's own clock, which is this machine's."""
    pages = field.stack.administrator.client("dynamodb").get_paginator("scan")
    items = (item for page in pages.paginate(TableName=contestant.table) for item in page["Items"])
    times = {item["key"]["S"]: item[contestant.time_attribute]["S"].partition("#")[0] for item in items}
    return {key: datetime.fromisoformat(text).timestamp() for key, text in times.items()}


def _durations(field: Field, contestant: Deployed, started: float) -> list[float]:
    """Return the milliseconds that Lambda reports of each invocation since a time, in seconds since 1970."""
    pages = field.stack.administrator.client("logs").get_paginator("filter_log_events")
    reports = pages.paginate(
        logGroupName=contestant.log_group, startTime=int(started * 1000), filterPattern="REPORT"
    )
    lines = (event["message"] for page in reports for event in page["events"])
    found = (re.match(r"REPORT .*?\bDuration: ([0-9.]+) ms", line) for line in lines)
    return [float(match[1]) for match in found if match]


def _cpu_seconds() -> Mapping[str, float]:
    """Return the CPU seconds so far of the functions, and of all: this process, its children, and theirs."""
    processes, here = dict(_processes()), os.getpid()
    children = {pid for pid, (parent, _, _) in processes.items() if parent == here}
    functions = others = 0.0
    for pid, (parent, own, of_ended_children) in processes.items():
        if pid == here:
            others += own
        elif pid in children:  # the emulator, some of whose functions have ended, or the proxy
            others += own
            functions += of_ended_children
        elif parent in children:
            functions += own
    return {"functions": functions, "all": functions + others}


def _processes() -> Iterator[tuple[int, tuple[int, float, float]]]:
    """Find each process's parent, its CPU seconds, and those of its children that have ended."""
    for folder in PROC.glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text()
        except OSError:  # it has ended
            continue
        # The second field is a name in parentheses, which may hold anything.
        fields = [int(field) for field in stat.rpartition(")")[2].split()[1:]]
        ticks = os.sysconf("SC_CLK_TCK")
        yield int(folder.name), (fields[0], sum(fields[10:12]) / ticks, sum(fields[12:14]) / ticks)
