"""A time index in memory that keeps every read."""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from operator import itemgetter
from typing import TYPE_CHECKING

from functions.contract import schema
from functions.ledger.listing import IndexPage, IndexRead

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from functions.contract.entry import Entry


def sort_key(entry: Entry) -> str:
    return schema.recorded_key(entry.recorded_at, entry.upload.version)


def newest_first(entries: Iterable[Entry]) -> list[Entry]:
    return sorted(entries, key=sort_key, reverse=True)


class FakeTimeIndex:
    """Answers like a query of the index in DynamoDB, where the limit applies before the filter."""

    def __init__(self, shards: int, entries: Iterable[Entry] = ()) -> None:
        self.shards = shards
        self.rounds: list[Sequence[IndexRead]] = []
        self._partitions: dict[str, list[tuple[str, Entry]]] = defaultdict(list)
        for each in entries:
            self.add(each)

    @property
    def reads(self) -> list[IndexRead]:
        return [read for made in self.rounds for read in made]

    @property
    def examined(self) -> int:
        return sum(read.limit for read in self.reads)

    def add(self, added: Entry) -> None:
        shard = schema.shard_of(added.upload.version, self.shards)
        key = sort_key(added)
        insort(self._partitions[schema.month_shard(key[:7], shard)], (key, added), key=itemgetter(0))

    def read(self, reads: Sequence[IndexRead]) -> list[IndexPage]:
        self.rounds.append(reads)
        return [self._page(read) for read in reads]

    def _page(self, read: IndexRead) -> IndexPage:
        assert read.lower <= read.upper, "DynamoDB refuses BETWEEN with its ends the wrong way round"
        assert read.limit >= 1
        inside = [row for row in self._partitions[read.partition] if read.lower <= row[0] <= read.upper]
        examined = inside[::-1][: read.limit]
        return IndexPage(
            entries=[entry for _, entry in examined if read.outcome in (None, entry.outcome)],
            # Like DynamoDB, it doesn't look for anything behind the last item that the limit allows.
            last_examined=examined[-1][0] if len(examined) == read.limit else None,
        )
