"""Lists the ledger, newest entry first, in pages of bounded cost. Reads the index through a function.

The time index spreads a month over shards (`functions.contract.schema`), and each shard is read newest first.
A page merges the shards. Every read takes a shard deeper; the frontier is the depth that all shards have
reached. Everything above the frontier is complete and can be listed. Only shards that lag, because they could
still have one of the next entries, are read again. After a month comes the month before it.

A place in this order is a text, an exclusive upper bound of the index's sort key: the key of an entry, or
just a time. It doesn't depend on shards or page sizes, so the next page can have any ``limit``.

A walk through the pages shows each entry once, if it was in the index when the walk passed its place. Entries
that are recorded meanwhile belong before the first page. The index is eventually consistent, and the clocks
of writers differ a little. So an entry may appear behind a place that a walk has just passed; the next walk
shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING

from functions.contract import schema
from functions.contract.entry import CLOCK_SKEW, Entry, Outcome, format_time

if TYPE_CHECKING:
    from datetime import datetime

READ_BUDGET = 32
"""After so many reads of the index, a page ends, full or not. Its last round may take shards - 1 more."""

LARGEST_READ = 250
"""The most items that one read examines. At 1 KB each, that is a quarter of what a query can read."""

FILTERED_READ_FACTOR = 4
"""How many times larger the first reads are if only one outcome is listed, since the others are left out."""


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Which entries to list: those with an outcome, recorded at or after ``since`` and before ``until``."""

    outcome: Outcome | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class IndexRead:
    """One read in one partition of the time index, newest first.

    The sort key is between ``lower`` and ``upper``, inclusive. ``limit`` is how many items are examined,
    before those without the ``outcome`` are left out.
    """

    partition: str
    lower: str
    upper: str
    limit: int
    outcome: Outcome | None


@dataclass(frozen=True, kw_only=True)
class IndexPage:
    """What a read found. ``last_examined`` is its lowest sort key, or ``None`` if it reached the end."""

    entries: Sequence[Entry]
    last_examined: str | None


ReadIndex = Callable[[Sequence[IndexRead]], Sequence[IndexPage]]
"""Makes several reads, at the same time if possible, and returns their pages in the same order."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """Entries, newest first, and the place where the next page begins: ``None`` at the end of the ledger.

    A page that isn't the last may have fewer entries than requested, or none, if it used up its reads.
    """

    entries: Sequence[Entry]
    next_place: str | None


def list_newest(
    read_index: ReadIndex,
    *,
    shards: int,
    filters: Filters,
    limit: int,
    place: str | None,
    now: datetime,
    read_budget: int = READ_BUDGET,
) -> Page:
    """Return the ``limit`` newest entries that pass the filters, below ``place`` or from the top.

    ``shards`` is how many the ledger is written with. With ``now``, months in the future aren't read,
    whatever ``until`` and ``place`` say.
    """
    lower = _start_of(schema.FIRST_MONTH)
    if filters.since is not None:
        lower = max(lower, format_time(filters.since))
    upper = format_time(now + CLOCK_SKEW)
    if filters.until is not None:
        upper = min(upper, format_time(filters.until))
    if place is not None:
        upper = min(upper, place)

    entries: list[Entry] = []
    reads_left = read_budget
    while upper > lower:
        if reads_left <= 0:
            return Page(entries=entries, next_place=upper)
        month = _month_below(upper)
        scan = _scan_month(
            read_index,
            partitions=[schema.month_shard(month, shard) for shard in range(shards)],
            lower=lower,
            upper=upper,
            outcome=filters.outcome,
            wanted=limit + 1 - len(entries),  # one more than the page, to know whether there is a next one
            read_budget=reads_left,
        )
        entries += scan.entries
        if len(entries) > limit:
            return Page(entries=entries[:limit], next_place=_sort_key(entries[limit - 1]))
        if scan.frontier is not None:
            return Page(entries=entries, next_place=scan.frontier)
        reads_left -= scan.reads
        upper = _start_of(month)
    return Page(entries=entries, next_place=None)


@dataclass(frozen=True, kw_only=True)
class _MonthScan:
    """The newest entries of a month, down to the frontier, which is ``None`` if the whole month was read."""

    entries: Sequence[Entry]
    frontier: str | None
    reads: int


def _scan_month(
    read_index: ReadIndex,
    *,
    partitions: Sequence[str],
    lower: str,
    upper: str,
    outcome: Outcome | None,
    wanted: int,
    read_budget: int,
) -> _MonthScan:
    """Merge the shards of a month until ``wanted`` entries are certain, or the month or the budget ends.

    There is at least one round of reads, and each round goes deeper, so a walk always moves on.
    """
    depths = dict.fromkeys(partitions, upper)  # without the shards that were read to their end
    entries: list[Entry] = []
    reads = 0
    read_size = _first_read_size(wanted, len(partitions), outcome)
    while (lagging := _lagging(depths, entries, wanted)) and reads < read_budget:
        pages = read_index(
            [
                IndexRead(
                    partition=partition,
                    lower=lower,
                    upper=_greatest_below(depths[partition]),
                    limit=read_size,
                    outcome=outcome,
                )
                for partition in lagging
            ]
        )
        reads += len(lagging)
        for partition, page in zip(lagging, pages, strict=True):
            entries += page.entries
            if page.last_examined is None:
                del depths[partition]
            else:
                depths[partition] = page.last_examined
        entries.sort(key=_sort_key, reverse=True)
        # If there is another round, the month is uneven or the outcome is rare: make fewer but larger reads.
        read_size = min(2 * read_size, LARGEST_READ)
    if not depths:
        return _MonthScan(entries=entries, frontier=None, reads=reads)
    frontier = max(depths.values())
    certain = [entry for entry in entries if _sort_key(entry) >= frontier]
    return _MonthScan(entries=certain, frontier=frontier, reads=reads)


def _lagging(depths: dict[str, str], entries: Sequence[Entry], wanted: int) -> list[str]:
    """Return the partitions that could still have one of the first ``wanted`` entries."""
    if len(entries) < wanted:
        return list(depths)
    last_wanted = _sort_key(entries[wanted - 1])
    return [partition for partition, depth in depths.items() if depth > last_wanted]


def _first_read_size(wanted: int, shards: int, outcome: Outcome | None) -> int:
    """Return a shard's share of the wanted entries, plus two standard deviations as shards are uneven."""
    share = -(-wanted // shards)
    size = share + 2 * isqrt(share) + 1
    if outcome is not None:
        size *= FILTERED_READ_FACTOR
    return min(size, LARGEST_READ)


def _sort_key(entry: Entry) -> str:
    """Return an entry's sort key in the time index. It is unique, and newer entries have greater keys."""
    return schema.recorded_key(entry.recorded_at, entry.upload.version)


def _greatest_below(place: str) -> str:
    """Turn an exclusive upper bound into an inclusive one, since ``BETWEEN`` includes both ends.

    All sort keys have the same length, so a key with its last character lowered by one is a bound for all
    lower keys. A time alone isn't a sort key, and stays as it is.
    """
    return place if "#" not in place else place[:-1] + chr(ord(place[-1]) - 1)


def _start_of(month: str) -> str:
    """Return the place where a month (``YYYY-MM``) begins, below all its keys."""
    return f"{month}-01T00:00:00.000000Z"


def _month_below(place: str) -> str:
    """Return the month of the keys just below a place."""
    month = place[:7]
    if place != _start_of(month):
        return month
    year, number = int(month[:4]), int(month[5:])
    return f"{year - 1:04}-12" if number == 1 else f"{year:04}-{number - 1:02}"
