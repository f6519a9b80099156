"""Reading the ledger: a page of 50, and a walk of everything.

Both tables have the same receipts, in a DynamoDB in this process with AWS's rules for units: 0.5 for each 4
KB that a query or scan examines. Requests go through the readers' own handlers. Times are from a single run
with 30 ms a call, for context. The walk follows the cursors in pages of 200, without delay. If a month
doesn't fill a page, the page continues with the month before. No page takes more than {MOST_UNITS:g} read
units, full or not.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from unittest import mock

from bench.contestants import LEDGER, NAIVE, SHARDS, Bench, upload
from bench.results import Aim, Count, FigureTable, Findings, counted
from bench.scale import CALL_SECONDS, Scale
from functions.contract import schema
from functions.contract.capacity import page_units
from functions.contract.entry import Entry, Outcome, Reason

NEWEST = datetime(2026, 11, 21, tzinfo=UTC)
INTERVAL = timedelta(seconds=15)
"""100,000 entries, one every 15 s, are all of one month."""


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a ledger is filled with: receipts, of which some are rejected, or duplicates with long keys."""

    size: int = 1_000
    newest: datetime = NEWEST
    interval: timedelta = INTERVAL
    rejected_every: int | None = None
    key_bytes: int | None = None


OTHER_LEDGERS = {
    "the first five minutes of a month": Contents(newest=datetime(2026, 11, 1, 0, 5, tzinfo=UTC)),
    "a ledger with one entry a day": Contents(interval=timedelta(days=1)),
    "a ledger of duplicates with keys of 1,024 bytes": Contents(key_bytes=1_024),
}
REJECTED = "&outcome=REJECTED"
OF_WHICH_REJECTED = {
    "rejected entries, if one in ten is": Contents(rejected_every=10),
    "rejected entries, if one in two is": Contents(rejected_every=2),
    "rejected entries, if there are none among keys of 1,024 bytes": Contents(key_bytes=1_024),
}

MOST_UNITS = page_units(SHARDS)
"""What the reader bounds the units of any page by."""

MOST_UNITS_OF_USUAL_ENTRIES = 18
"""What a page may take if no key is long, however many entries the filter leaves out."""

EXPECTED_PAGE = "4 calls, 6 read units"
"""One query for each of four shards, each of 20 entries: 1.5 units."""

READER, NAIVE_READER = "functions.reader.handler", "bench.baselines.naive_reader"


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What some requests to a reader took."""

    calls: int
    read_units: float
    seconds: float
    entries: int

    def __str__(self) -> str:
        return f"{counted(self.calls, 'call')}, {counted(self.read_units, 'read unit')}"

    def with_time(self) -> str:
        """Return the calls and units with the time."""
        return f"{self} ({self.seconds * 1000:.0f} ms)"

    def per_thousand(self) -> str:
        """Return the calls and units for a thousand entries."""
        thousands = self.entries / 1000
        return f"{self.calls / thousands:.1f} calls, {self.read_units / thousands:.0f} read units"


def measure(bench: Bench, scale: Scale) -> Findings:
    """Fill both tables with the same receipts, and read them through both handlers."""
    scans, pages, walks = {}, {}, {}
    for size in scale.ledger_sizes:
        _fill(bench, Contents(size=size))
        with bench.aws.delayed(CALL_SECONDS):
            scans[size], pages[size] = _page(bench, NAIVE_READER, ""), _page(bench, READER, _to(NEWEST))
        walks[size] = _read(bench, READER, _to(NEWEST, 200), to_the_end=True)
        if walks[size].entries != size:
            raise RuntimeError(f"a walk of {size} entries returned {walks[size].entries}")
    least, most = scale.ledger_sizes[0], scale.ledger_sizes[-1]
    others = {
        "a page in the middle of them": _page(bench, READER, _to(NEWEST - most // 2 * INTERVAL)),
        "rejected entries, if there are none": _page(bench, READER, _to(NEWEST) + REJECTED),
    }
    for more, ledgers in (("", OTHER_LEDGERS), (REJECTED, OF_WHICH_REJECTED)):
        for name, contents in ledgers.items():
            _fill(bench, contents)
            with mock.patch.object(schema, "FIRST_MONTH", f"{contents.newest.year - 3}-01"):
                others[name] = _page(bench, READER, _to(contents.newest) + more)
    yield FigureTable(
        {
            "naive: any page (a full scan)": {_entries(n): cost.with_time() for n, cost in scans.items()},
            "Bill-E: a page of 50": {_entries(n): cost.with_time() for n, cost in pages.items()},
            "Bill-E: a walk, per 1,000 entries": {
                _entries(n): cost.per_thousand() for n, cost in walks.items()
            },
        }
    )
    yield FigureTable(
        {name: {"cost": cost, "entries in the page": cost.entries} for name, cost in others.items()},
        caption=f"Pages of 50 that are not the newest, of {most:,} entries or of another ledger",
    )
    yield Aim(
        f"read units of a page at {most:,} entries, relative to {least:,}",
        pages[most].read_units / pages[least].read_units,
        1.0,
    )
    yield Aim(
        f"read units of a walk, per entry, at {most:,} entries, relative to {least:,}",
        (walks[most].read_units / most) / (walks[least].read_units / least),
        1.1,
    )
    usual = [cost.read_units for name, cost in others.items() if "keys" not in name]
    yield Aim("the most read units of these pages with usual keys", max(usual), MOST_UNITS_OF_USUAL_ENTRIES)
    most_units = max(cost.read_units for cost in others.values())
    yield Aim("the most read units of any of these pages, which the reader bounds", most_units, MOST_UNITS)
    for size, page in pages.items():
        yield Count(f"a page of 50 at {size:,} entries", str(page), EXPECTED_PAGE)


def _entries(size: int) -> str:
    return f"{size:,} entries"


def _fill(bench: Bench, contents: Contents) -> None:
    """Have both tables hold the same uploads. A larger ledger is the same one with more of the past."""
    bench.reset()
    for number in range(contents.size):
        digest = hashlib.sha256(str(number).encode()).hexdigest()
        entry = Entry(
            outcome=Outcome.ACCEPTED,
            upload=upload(f"{digest[:36]}/receipt.png"),
            recorded_at=contents.newest - (number + 1) * contents.interval,
            fingerprint=digest,
            size_bytes=200_000,
            media_type="image/png",
        )
        if contents.rejected_every and number % contents.rejected_every == 0:
            entry = replace(entry, outcome=Outcome.REJECTED, reason=Reason.UNSUPPORTED_TYPE)
        if contents.key_bytes:
            version = replace(entry.upload.version, key=digest.ljust(contents.key_bytes, "k"))
            again = replace(entry.upload, version=version)
            entry = replace(entry, outcome=Outcome.DUPLICATE, upload=again, duplicate_of=version)
        bench.aws.tables[LEDGER].put(schema.to_item(entry, SHARDS))
        version = entry.upload.version
        naive_item = {
            "id": {"S": digest},
            "bucket": {"S": version.bucket},
            "key": {"S": version.key},
            "size": {"N": str(entry.size_bytes)},
            "processed_at": {"S": entry.recorded_at.isoformat()},
        }
        bench.aws.tables[NAIVE].put(naive_item)


def _to(newest: datetime, limit: int = 50) -> str:
    return f"to={newest:%Y-%m-%dT%H:%M:%SZ}&limit={limit}"


def _page(bench: Bench, reader: str, query: str) -> Cost:
    bench.get_receipts(reader, query)  # warm: connections, caches and threads are made
    return _read(bench, reader, query)


def _read(bench: Bench, reader: str, query: str, *, to_the_end: bool = False) -> Cost:
    """Ask for a page, and follow the cursors from there if that is asked for."""
    entries, cursor = 0, ""
    with bench.aws.metered() as usage:
        started = time.perf_counter()
        while True:
            body = json.loads(bench.get_receipts(reader, query + cursor)["body"])
            entries += len(body["entries"] if isinstance(body, dict) else body)
            if not to_the_end or not body["next_cursor"]:
                break
            cursor = f"&cursor={body['next_cursor']}"
        seconds = time.perf_counter() - started
    return Cost(calls=usage.calls.total(), read_units=usage.read_units, seconds=seconds, entries=entries)
