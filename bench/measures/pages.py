"""Reading the ledger: a page of 50, and a walk of everything, at growing sizes."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

from bench.contestants import LEDGER, NAIVE, SHARDS, Bench, Handler
from bench.events import BUCKET, Context, http_get
from bench.results import Aim, Count, Plot, Result, Table
from bench.scale import CALL_SECONDS, Scale
from bench.simulated_aws.transport import Usage
from bench.wording import counted
from functions.ledger import schema
from functions.ledger.entry import Entry, ObjectVersion, Outcome, Upload, Uploader
from functions.ledger.listing import READ_BUDGET

NEWEST = datetime(2026, 11, 21, tzinfo=UTC)
INTERVAL = timedelta(seconds=15)
"""100,000 entries, one every 15 s, are all of one month."""

MOST_CALLS = READ_BUDGET + SHARDS - 1
"""What the reader bounds the calls of any page by (`functions.ledger.listing`)."""

MONTH_START = datetime(2026, 11, 1, 0, 5, tzinfo=UTC)


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


PAGE = f"to={_time(NEWEST)}&limit=50"
WALK = f"to={_time(NEWEST)}&limit=200"

EXPECTED_PAGE = "4 calls, 6 read units"
"""One query for each of four shards, each of 20 entries: 1.5 units."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What some requests to a reader took."""

    calls: int
    read_units: float
    seconds: float
    entries: int


def measure(bench: Bench, scale: Scale) -> Result:
    """Fill both tables with the same receipts, and read them through both handlers."""
    naive, bill_e = bench.readers
    costs: dict[tuple[str, int], Cost] = {}
    rare: dict[str, Cost] = {}
    for size in scale.ledger_sizes:
        bench.reset()
        bench.aws.dynamodb.load(LEDGER, (schema.to_item(entry, SHARDS) for entry in _entries(size)))
        bench.aws.dynamodb.load(NAIVE, (_naive_item(entry) for entry in _entries(size)))
        with bench.aws.delayed(CALL_SECONDS):
            costs["scan", size] = _page(bench, naive, "")
            costs["page", size] = _page(bench, bill_e, PAGE)
        costs["walk", size] = _walk(bench, bill_e)
        middle = _time(NEWEST - size // 2 * INTERVAL)
        rare["one in the middle of them"] = _page(bench, bill_e, f"to={middle}&limit=50")
        rare["rejected ones, where there are none"] = _page(bench, bill_e, f"{PAGE}&outcome=REJECTED")
        if costs["walk", size].entries != size:
            raise RuntimeError(f"a walk of {size} entries returned {costs['walk', size].entries}")
    rare["the first five minutes of a month"] = _page_of_others(bench, MONTH_START, INTERVAL)
    rare["a ledger with one entry a day"] = _page_of_others(bench, NEWEST, timedelta(days=1))
    names = {"scan": "naive: any page (a full scan)", "page": "Bill-E: a page of 50"}
    sizes = scale.ledger_sizes
    newest_pages = [costs["page", size] for size in sizes]
    return Result(
        name="pages",
        title="Reading the ledger: a page of 50, and a walk of everything",
        method=(
            "The same receipts in both tables, in the simulated DynamoDB, whose units follow AWS's rules: "
            "0.5 for each 4 KB that a query or scan examines. Requests go through the readers' own "
            f"handlers. Times are of one run with {CALL_SECONDS * 1000:.0f} ms per call, for context. The "
            "walk follows the cursors in pages of 200, without delay. A page that one month doesn't fill "
            f"goes on into the one before it, and any page ends after {MOST_CALLS} calls, full or not."
        ),
        tables=[
            Table(
                columns=["", *(f"{size:,} entries" for size in sizes)],
                rows=[
                    *([names[kind], *(_sentence(costs[kind, size]) for size in sizes)] for kind in names),
                    [
                        "Bill-E: a walk, per 1,000 entries",
                        *(
                            f"{costs['walk', size].calls / size * 1000:.1f} calls, "
                            f"{costs['walk', size].read_units / size * 1000:.0f} read units"
                            for size in sizes
                        ),
                    ],
                ],
            ),
            Table(
                caption=f"Pages of 50 that are not the newest, of {sizes[-1]:,} entries or of another ledger",
                columns=["", "cost", "entries in the page"],
                rows=[[name, _asked(cost), str(cost.entries)] for name, cost in rare.items()],
            ),
        ],
        plots=[
            Plot(
                name="pages",
                title="Read units for the newest 50 entries",
                x_label="entries in the ledger",
                y_label="read units",
                lines=[
                    (name.partition(":")[0], [(size, costs[kind, size].read_units) for size in sizes])
                    for kind, name in names.items()
                ],
                log_x=True,
                log_y=True,
            )
        ],
        aims=[
            Aim(
                text=f"read units of a page at {sizes[-1]:,} entries, of those at {sizes[0]:,}",
                figure=costs["page", sizes[-1]].read_units / costs["page", sizes[0]].read_units,
                limit=1.0,
            ),
            Aim(
                text=f"read units of a walk, per entry, at {sizes[-1]:,} entries, of those at {sizes[0]:,}",
                figure=(costs["walk", sizes[-1]].read_units / sizes[-1])
                / (costs["walk", sizes[0]].read_units / sizes[0]),
                limit=1.1,
            ),
            Aim(
                text="the most calls of any of these pages, which the reader bounds",
                figure=max(cost.calls for cost in (*newest_pages, *rare.values())),
                limit=MOST_CALLS,
            ),
        ],
        counts=[
            Count(
                text=f"a page of 50 at {size:,} entries",
                actual=_asked(costs["page", size]),
                expected=EXPECTED_PAGE,
            )
            for size in sizes
        ],
    )


def _page_of_others(bench: Bench, newest: datetime, interval: timedelta) -> Cost:
    """Ask for a page of a ledger of 1,000 entries that are so far apart, and began long ago."""
    bench.reset()
    entries = _entries(1_000, newest, interval)
    bench.aws.dynamodb.load(LEDGER, (schema.to_item(entry, SHARDS) for entry in entries))
    with mock.patch.object(schema, "FIRST_MONTH", f"{newest.year - 3}-01"):
        return _page(bench, bench.readers[1], f"to={_time(newest)}&limit=50")


def _entries(size: int, newest: datetime = NEWEST, interval: timedelta = INTERVAL) -> Iterator[Entry]:
    """Make the newest entries first: a larger ledger is the same one with more of the past."""
    for number in range(size):
        digest = hashlib.sha256(str(number).encode()).hexdigest()
        moment = newest - (number + 1) * interval
        yield Entry(
            outcome=Outcome.ACCEPTED,
            upload=Upload(
                version=ObjectVersion(
                    bucket=BUCKET,
                    key=f"uploads/{moment:%Y/%m/%d}/{digest[:36]}/receipt.png",
                    version_id=digest[-32:],
                ),
                uploaded_at=moment - timedelta(seconds=2),
                uploader=Uploader(principal="AWS:AIDAJDPLRKLG7UEXAMPLE", source_ip="192.0.2.7"),
            ),
            recorded_at=moment,
            fingerprint=digest,
            size_bytes=200_000,
            media_type="image/png",
        )


def _naive_item(entry: Entry) -> dict[str, Any]:
    version = entry.upload.version
    return {
        "id": {"S": entry.fingerprint},
        "bucket": {"S": version.bucket},
        "key": {"S": version.key},
        "size": {"N": str(entry.size_bytes)},
        "processed_at": {"S": entry.recorded_at.isoformat()},
    }


def _page(bench: Bench, reader: Handler, query: str) -> Cost:
    reader(http_get("/receipts", query), Context())  # warm: connections, caches and threads are made
    with bench.aws.metered() as usage:
        started = time.perf_counter()
        answer = reader(http_get("/receipts", query), Context())
        seconds = time.perf_counter() - started
    body = json.loads(answer["body"])
    entries = body["entries"] if isinstance(body, dict) else body
    return _cost(usage, seconds, len(entries))


def _walk(bench: Bench, reader: Handler) -> Cost:
    entries, query = 0, WALK
    with bench.aws.metered() as usage:
        started = time.perf_counter()
        while query:
            page = json.loads(reader(http_get("/receipts", query), Context())["body"])
            entries += len(page["entries"])
            query = f"{WALK}&cursor={page['next_cursor']}" if page["next_cursor"] else ""
        seconds = time.perf_counter() - started
    return _cost(usage, seconds, entries)


def _cost(usage: Usage, seconds: float, entries: int) -> Cost:
    return Cost(calls=usage.requests, read_units=usage.read_units, seconds=seconds, entries=entries)


def _sentence(cost: Cost) -> str:
    return f"{_asked(cost)} ({cost.seconds * 1000:.0f} ms)"


def _asked(cost: Cost) -> str:
    return f"{counted(cost.calls, 'call')}, {counted(cost.read_units, 'read unit')}"
