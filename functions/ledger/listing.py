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

A page has a budget of read units (`functions.contract.capacity`). Every read is small enough for what is
left, even if all of its entries are as large as they can be. So if few entries pass the filters or keys are
long, a page has fewer entries, and doesn't cost more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from math import isqrt
from typing import TYPE_CHECKING

from functions.contract import capacity, schema
from functions.contract.entry import CLOCK_SKEW, Entry, format_time

if TYPE_CHECKING:
    from datetime import datetime

    from functions.contract.entry import ContentFinding, Outcome, Reason

SPENT = 1 / 6
"""A page begins no more reads when it has used this part of its budget. Few pages of usual entries need more.
The other part is for entries that turn out to be large."""


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Which entries to list: those with all of this, recorded from ``since`` to ``until``.

    ``key`` and ``uploader`` are parts of those, and ``text`` is a part of either. The uploader is the caller
    that a form proves, or else S3's principal. ``fingerprint`` is how a fingerprint begins. ``since`` is
    inclusive, and ``until`` exclusive. What is ``None`` leaves out nothing.
    """

    outcome: Outcome | None = None
    reason: Reason | None = None
    finding: ContentFinding | None = None
    key: str | None = None
    uploader: str | None = None
    text: str | None = None
    fingerprint: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def contents(self) -> dict[str, str]:
        """What an entry must have or contain, by the name of the field, without the times."""
        return {
            each.name: str(value)
            for each in fields(self)
            if each.name not in {"since", "until"} and (value := getattr(self, each.name)) is not None
        }


@dataclass(frozen=True, kw_only=True)
class IndexRead:
    """One read in one partition of the time index, newest first.

    The sort key is between ``lower`` and ``upper``, inclusive. ``limit`` is how many items are examined,
    before those without the ``contents`` are left out (`Filters.contents`).
    """

    partition: str
    lower: str
    upper: str
    limit: int
    contents: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class IndexPage:
    """What a read found, and the units that it took.

    ``last_examined`` is the lowest sort key that it examined, or ``None`` if it reached the end.
    """

    entries: Sequence[Entry]
    last_examined: str | None
    units: float


ReadIndex = Callable[[Sequence[IndexRead]], Sequence[IndexPage]]
"""Makes several reads, at the same time if possible, and returns their pages in the same order."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """Entries, newest first, and the place where the next page begins: ``None`` at the end of the ledger.

    A page that isn't the last may have fewer entries than requested, or none, if its budget was spent.
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
    most_units: float | None = None,
) -> Page:
    """Return the ``limit`` newest entries that pass the filters, below ``place`` or from the top.

    ``shards`` is how many the ledger is written with. With ``now``, months in the future aren't read,
    whatever ``until`` and ``place`` say. The page takes at most ``most_units``, which are `page_units` unless
    told otherwise; only with less than half a unit for each shard does it take more, to examine one entry in
    each.
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
    budget = _Budget(capacity.page_units(shards) if most_units is None else most_units)
    while upper > lower:
        if budget.is_spent:
            return Page(entries=entries, next_place=upper)
        month = _month_below(upper)
        scan = _scan_month(
            read_index,
            partitions=[schema.month_shard(month, shard) for shard in range(shards)],
            lower=lower,
            upper=upper,
            filters=filters,
            wanted=limit + 1 - len(entries),  # one more than the page, to know whether there is a next one
            budget=budget,
        )
        entries += scan.entries
        if len(entries) > limit:
            return Page(entries=entries[:limit], next_place=_sort_key(entries[limit - 1]))
        if scan.frontier is not None:
            return Page(entries=entries, next_place=scan.frontier)
        upper = _start_of(month)
    return Page(entries=entries, next_place=None)


class _Budget:
    """The read units of a page, and how many of them are left."""

    def __init__(self, total: float) -> None:
        self._total = self._left = total

    @property
    def is_spent(self) -> bool:
        """Whether no more reads should begin."""
        return self._total - self._left >= SPENT * self._total

    def read_size(self, reads: int) -> int:
        """Return the most items that each of so many reads can examine, whatever their size."""
        # At least one, so that a walk always moves on.
        return max(1, capacity.entries_within(self._left / reads, consistent=False))

    def use(self, units: float) -> None:
        self._left -= units


@dataclass(frozen=True, kw_only=True)
class _MonthScan:
    """The newest entries of a month, down to the frontier, which is ``None`` if the whole month was read."""

    entries: Sequence[Entry]
    frontier: str | None


def _scan_month(
    read_index: ReadIndex,
    *,
    partitions: Sequence[str],
    lower: str,
    upper: str,
    filters: Filters,
    wanted: int,
    budget: _Budget,
) -> _MonthScan:
    """Merge the shards until ``wanted`` entries are certain, the month ends, or the budget is spent.

    Called with a budget that isn't spent, it makes at least one round of reads, and each goes deeper.
    """
    depths = dict.fromkeys(partitions, upper)  # without the shards that were read to their end
    entries: list[Entry] = []
    certain: list[Entry] = []
    frontier: str | None = upper
    growth = 1
    while (lagging := _lagging(depths, entries, wanted)) and not budget.is_spent:
        share = _share(wanted - len(certain), len(lagging))
        read_size = min(growth * share, budget.read_size(len(lagging)))
        pages = read_index(
            [
                IndexRead(
                    partition=partition,
                    lower=lower,
                    upper=_greatest_below(depths[partition]),
                    limit=read_size,
                    contents=filters.contents,
                )
                for partition in lagging
            ]
        )
        budget.use(sum(page.units for page in pages))
        for partition, page in zip(lagging, pages, strict=True):
            entries += page.entries
            if page.last_examined is None:
                del depths[partition]
            else:
                depths[partition] = page.last_examined
        entries.sort(key=_sort_key, reverse=True)
        frontier = max(depths.values(), default=None)
        certain = [entry for entry in entries if frontier is None or _sort_key(entry) >= frontier]
        if filters.contents:
            growth *= 2  # If there is another round, few entries pass: make fewer but larger reads.
    return _MonthScan(entries=certain, frontier=frontier)


def _lagging(depths: dict[str, str], entries: Sequence[Entry], wanted: int) -> list[str]:
    """Return the partitions that could still have one of the first ``wanted`` entries."""
    if len(entries) < wanted:
        return list(depths)
    last_wanted = _sort_key(entries[wanted - 1])
    return [partition for partition, depth in depths.items() if depth > last_wanted]


def _share(wanted: int, shards: int) -> int:
    """Return a shard's share of the wanted entries, plus two standard deviations as shards are uneven."""
    share = -(-wanted // shards)
    return share + 2 * isqrt(share) + 1


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
