"""The time index as a fake in memory, and entries to fill it with."""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from typing import TYPE_CHECKING

from functions.contract import schema
from functions.contract.entry import Entry, Outcome, Reason
from functions.ledger.listing import IndexPage, IndexRead
from tests.functions.examples import upload

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime


def entry(key: str, recorded_at: datetime, outcome: Outcome = Outcome.ACCEPTED) -> Entry:
    """Make an entry; entries with different keys are of different object versions."""
    made = upload(key=key, version_id="v1", uploaded_at=recorded_at)
    return Entry(
        outcome=outcome,
        upload=made,
        recorded_at=recorded_at,
        fingerprint=made.version.object_id,
        size_bytes=1024,
        media_type="image/png",
        reason=Reason.UNSUPPORTED_TYPE if outcome is Outcome.REJECTED else None,
        duplicate_of=made.version if outcome is Outcome.DUPLICATE else None,
    )


def sort_key(entry: Entry) -> str:
    return schema.recorded_key(entry.recorded_at, entry.upload.version)


def newest_first(entries: Iterable[Entry]) -> list[Entry]:
    return sorted(entries, key=sort_key, reverse=True)


class FakeTimeIndex:
    """Does what DynamoDB does with the query of an index: the limit counts before the filter."""

    def __init__(self, shards: int, entries: Iterable[Entry] = ()) -> None:
        self.shards = shards
        self.rounds: list[Sequence[IndexRead]] = []
        self._partitions: dict[str, list[Entry]] = defaultdict(list)
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
        insort(self._partitions[schema.month_shard(sort_key(added)[:7], shard)], added, key=sort_key)

    def read(self, reads: Sequence[IndexRead]) -> list[IndexPage]:
        self.rounds.append(reads)
        return [self._page(read) for read in reads]

    def _page(self, read: IndexRead) -> IndexPage:
        assert read.lower <= read.upper, "DynamoDB refuses BETWEEN with its ends the wrong way round"
        assert read.limit >= 1
        inside = [
            each for each in self._partitions[read.partition] if read.lower <= sort_key(each) <= read.upper
        ]
        examined = inside[::-1][: read.limit]
        return IndexPage(
            entries=[each for each in examined if read.outcome in (None, each.outcome)],
            # Like DynamoDB, it doesn't look whether anything follows the last item that the limit allowed.
            last_examined=sort_key(examined[-1]) if len(examined) == read.limit else None,
        )
