"""A time index in memory that keeps every read, and counts the units."""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from operator import itemgetter
from typing import TYPE_CHECKING

from functions.contract import schema
from functions.ledger.listing import IndexPage, IndexRead
from local.in_process.units import item_bytes, read_units

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from functions.contract.entry import Entry
    from functions.ledger.listing import Filters


def sort_key(entry: Entry) -> str:
    return schema.recorded_key(entry.recorded_at, entry.upload.version)


def newest_first(entries: Iterable[Entry]) -> list[Entry]:
    return sorted(entries, key=sort_key, reverse=True)


def passes(filters: Filters | IndexRead, entry: Entry) -> bool:
    return all(_has(entry, name, value) for name, value in filters.contents.items())


def _has(entry: Entry, name: str, value: str) -> bool:
    uploader, key = entry.upload.uploader, entry.upload.version.key
    caller = uploader.caller
    names = (caller.principal, caller.subject, caller.issuer) if caller else (uploader.principal,)
    by_uploader = any(value in each for each in names if each is not None)
    return {
        "outcome": value == entry.outcome,
        "reason": value == entry.reason,
        "finding": value in entry.findings,
        "key": value in key,
        "uploader": by_uploader,
        "text": by_uploader or value in key,
        "fingerprint": (entry.fingerprint or "").startswith(value),
    }[name]


class FakeTimeIndex:
    """Answers like a query of the index in DynamoDB, where the limit applies before the filter."""

    def __init__(self, shards: int, entries: Iterable[Entry] = ()) -> None:
        self.shards = shards
        self.rounds: list[Sequence[IndexRead]] = []
        self.units = 0.0
        self._partitions: dict[str, list[tuple[str, Entry, int]]] = defaultdict(list)
        for each in entries:
            self.add(each)

    @property
    def reads(self) -> list[IndexRead]:
        return [read for made in self.rounds for read in made]

    @property
    def examined(self) -> int:
        return sum(read.limit for read in self.reads)

    def forget_reads(self) -> None:
        self.rounds.clear()
        self.units = 0.0

    def add(self, added: Entry) -> None:
        shard = schema.shard_of(added.upload.version, self.shards)
        key = sort_key(added)
        size = item_bytes(schema.to_item(added, self.shards))
        insort(self._partitions[schema.month_shard(key[:7], shard)], (key, added, size), key=itemgetter(0))

    def read(self, reads: Sequence[IndexRead]) -> list[IndexPage]:
        self.rounds.append(reads)
        pages = [self._page(read) for read in reads]
        self.units += sum(page.units for page in pages)
        return pages

    def _page(self, read: IndexRead) -> IndexPage:
        assert read.lower <= read.upper, "DynamoDB refuses BETWEEN with its ends the wrong way round"
        assert read.limit >= 1
        inside = [row for row in self._partitions[read.partition] if read.lower <= row[0] <= read.upper]
        examined = inside[::-1][: read.limit]
        return IndexPage(
            entries=[entry for _, entry, _ in examined if passes(read, entry)],
            # Like DynamoDB, it doesn't look for anything behind the last item that the limit allows.
            last_examined=examined[-1][0] if len(examined) == read.limit else None,
            units=read_units(sum(size for _, _, size in examined), consistent=False),
        )
