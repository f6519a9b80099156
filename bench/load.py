"""Uploading receipts to a contestant, and finding out when each became an entry."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import count, islice

from bench.cpu import cpu_seconds
from bench.embedded import Deployed, Field, Invocations, invocations_since, wait_for
from bench.receipts import png

TIMEOUT_SECONDS = 180
_seeds = count()


class LostReceiptsError(Exception):
    """Not every upload became an entry in time."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a number of uploads took, from the first PUT to the last entry."""

    uploads: int
    seconds: float
    latencies: Sequence[float]
    calls: Counter[str]
    invocations: Invocations
    cpu: Mapping[str, float]

    @property
    def milliseconds(self) -> float:
        """Billed milliseconds per receipt."""
        return self.invocations.milliseconds / self.uploads

    @property
    def function_cpu(self) -> float:
        """CPU milliseconds of functions per receipt; 0 where the machine doesn't tell."""
        return self.cpu["functions"] * 1000 / self.uploads

    @property
    def rate(self) -> float:
        """Receipts per second."""
        return self.uploads / self.seconds


def upload_and_wait(
    field: Field, contestant: Deployed, *, uploads: int, uploaders: int, size_bytes: int
) -> Run:
    """Upload different receipts, wait until each has its entry, and return what it took.

    Raise LostReceiptsError where one has none after three minutes.
    """
    s3 = field.aws.client("s3")
    seeds = {f"receipts/{seed}.png": seed for seed in islice(_seeds, uploads)}
    before, calls_before, cpu_before = _entries(field, contestant), field.calls(), cpu_seconds()
    started = time.time()

    def upload(key: str) -> tuple[str, float]:
        sent = time.time()
        s3.put_object(Bucket=contestant.bucket, Key=key, Body=png(size_bytes, seeds[key]))
        return key, sent

    with ThreadPoolExecutor(max_workers=uploaders) as pool:
        sent = dict(pool.map(upload, seeds))
    wanted = before + uploads
    if not wait_for(TIMEOUT_SECONDS, lambda: _entries(field, contestant) >= wanted):
        raise LostReceiptsError(
            f"{contestant.name}: {_entries(field, contestant) - before} of {uploads} uploads have an entry"
        )
    cpu = cpu_seconds()
    recorded = _recorded(field, contestant, since=sent)
    return Run(
        uploads=uploads,
        seconds=max(recorded.values()) - min(sent.values()),
        latencies=sorted(recorded[key] - sent[key] for key in sent),
        calls=field.calls() - calls_before,
        invocations=invocations_since(field, contestant, started),
        cpu={part: seconds - cpu_before[part] for part, seconds in cpu.items()},
    )


def _entries(field: Field, contestant: Deployed) -> int:
    pages = field.aws.client("dynamodb").get_paginator("scan")
    return sum(page["Count"] for page in pages.paginate(TableName=contestant.table, Select="COUNT"))


def _recorded(field: Field, contestant: Deployed, since: dict[str, float]) -> dict[str, float]:
    """Return when each of these keys was recorded, by the function's own clock, which is this machine's."""
    pages = field.aws.client("dynamodb").get_paginator("scan")
    times: dict[str, float] = {}
    for page in pages.paginate(TableName=contestant.table):
        for item in page["Items"]:
            if item["key"]["S"] in since:
                text = item[contestant.time_attribute]["S"].partition("#")[0]
                times[item["key"]["S"]] = datetime.fromisoformat(text).timestamp()
    return times
