"""Listing the ledger newest first, in pages of bounded cost. Pure: the index is read through a function.

The time index spreads a month over shards (`functions.contract.schema`), and a shard is read newest first. A
page merges them: every read moves a shard's depth down, and whatever lies above the deepest point that all
shards have reached, the frontier, is complete and can be given out. Only shards that lag, which could still
hold one of the entries that are wanted next, are read again. When a month is done, the one before it follows.

A place in this order is a piece of text, an exclusive upper bound on the index's sort key: the key of an
entry, or a time alone. It says nothing of shards or page sizes, so a walk can go on with any ``limit``.

A walk shows each entry that the index held when it came by, once. Entries that are recorded meanwhile belong
before the first page. The index is eventually consistent and clocks differ a little between writers: an entry
of the last moments may turn up behind a place that a walk has passed, and is then seen by the next walk.
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
"""Index reads after which a page ends, full or not; a round under way is finished: shards - 1 more."""

LARGEST_READ = 250
"""The most items that one index read examines: about a quarter of the 1 MB that a query may, at 1 KB each."""

FILTERED_READ_FACTOR = 4
"""How many times more a first read examines where an outcome is asked for, as the others are read in vain."""


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Which entries are listed: of one outcome, recorded at or after ``since`` and before ``until``."""

    outcome: Outcome | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class IndexRead:
    """One bounded read in one partition of the time index, newest first.

    ``lower`` and ``upper`` bound the sort key, both inclusive. ``limit`` is how many items are examined,
    before ``outcome`` leaves any out.
    """

    partition: str
    lower: str
    upper: str
    limit: int
    outcome: Outcome | None


@dataclass(frozen=True, kw_only=True)
class IndexPage:
    """What a read found. ``last_examined`` is its deepest sort key, or ``None`` where it reached the end."""

    entries: Sequence[Entry]
    last_examined: str | None


ReadIndex = Callable[[Sequence[IndexRead]], Sequence[IndexPage]]
"""Make several reads, at the same time if that is possible, and return their pages in the same order."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """Entries, newest first, and the place where the next page begins: ``None`` at the end of the ledger.

    A page with a place to go on may hold fewer entries than asked for, even none, where its reads were used
    up.
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

    ``shards`` is the number that the ledger is written with. ``now`` keeps a far ``until``, or a made-up
    place, from walking months that are yet to come.
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
            wanted=limit + 1 - len(entries),  # one more than is given out tells whether there is a next page
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
    """The newest entries of a month, complete down to the frontier; ``None`` where all of it was read."""

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
    """Merge the shards of a month until ``wanted`` entries are certain, the month ends, or the budget does.

    At least one round of reads is made, and each round gets deeper, so a walk always moves on.
    """
    depths = dict.fromkeys(partitions, upper)  # of the shards not read to their end
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
        # An uneven month or a rare outcome shows in a second round: fewer, larger reads from then on.
        read_size = min(2 * read_size, LARGEST_READ)
    if not depths:
        return _MonthScan(entries=entries, frontier=None, reads=reads)
    frontier = max(depths.values())
    certain = [entry for entry in entries if _sort_key(entry) >= frontier]
    return _MonthScan(entries=certain, frontier=frontier, reads=reads)


def _lagging(depths: dict[str, str], entries: Sequence[Entry], wanted: int) -> list[str]:
    """Return the partitions that could still hold one of the first ``wanted`` entries."""
    if len(entries) < wanted:
        return list(depths)
    last_wanted = _sort_key(entries[wanted - 1])
    return [partition for partition, depth in depths.items() if depth > last_wanted]


def _first_read_size(wanted: int, shards: int, outcome: Outcome | None) -> int:
    """Return a shard's even share of the entries wanted, and two standard deviations for an uneven spread."""
    share = -(-wanted // shards)
    size = share + 2 * isqrt(share) + 1
    if outcome is not None:
        size *= FILTERED_READ_FACTOR
    return min(size, LARGEST_READ)


def _sort_key(entry: Entry) -> str:
    """Return an entry's sort key in the time index: unique, and newer is greater."""
    return schema.recorded_key(entry.recorded_at, entry.upload.version)


def _greatest_below(place: str) -> str:
    """Turn an exclusive upper bound into an inclusive one, since ``BETWEEN`` includes both its ends.

    Sort keys are all of one length, so those below a key are those up to the same text with the last
    character one less. A time alone is no sort key and can stand as it is.
    """
    return place if "#" not in place else place[:-1] + chr(ord(place[-1]) - 1)


def _start_of(month: str) -> str:
    """Return the place where a month (``YYYY-MM``) begins, below all of its keys."""
    return f"{month}-01T00:00:00.000000Z"


def _month_below(place: str) -> str:
    """Return the month that the keys just below a place belong to."""
    month = place[:7]
    if place != _start_of(month):
        return month
    year, number = int(month[:4]), int(month[5:])
    return f"{year - 1:04}-12" if number == 1 else f"{year:04}-{number - 1:02}"
