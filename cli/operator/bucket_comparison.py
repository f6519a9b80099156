"""The bucket against the ledger: object versions without an entry, and entries without an object version."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cli.operator.inventory import LedgerLine, StoredVersion
from cli.operator.temporary_database import count_rows
from functions.contract.entry import Reason

NO_END = "~"
"""An end that is after every time."""

_TABLES = """
CREATE TABLE stored (key TEXT, version_id TEXT, size_bytes INTEGER, modified TEXT);
CREATE TABLE entry (key TEXT, version_id TEXT, uploaded_at TEXT, reason TEXT);
"""

_COMPARE = """
CREATE INDEX stored_version ON stored (key, version_id);
CREATE INDEX entry_version ON entry (key, version_id);
CREATE TABLE unrecorded AS
  SELECT * FROM stored WHERE NOT EXISTS (
    SELECT 1 FROM entry WHERE entry.key = stored.key AND entry.version_id = stored.version_id);
CREATE TABLE unstored AS
  SELECT * FROM entry WHERE NOT EXISTS (
    SELECT 1 FROM stored WHERE stored.key = entry.key AND stored.version_id = entry.version_id);
CREATE TABLE repeated AS
  SELECT key, version_id, COUNT(*) AS entries FROM entry GROUP BY key, version_id HAVING COUNT(*) > 1;
"""
"""The indexes come after loading: sorting once is quicker than inserting row by row."""

_GONE = Reason.OBJECT_MISSING.value
_IN_TIME = "modified >= ? AND modified < ?"
_UNKNOWN = f"unstored WHERE uploaded_at < ? AND reason IS NOT '{_GONE}'"


@dataclass(frozen=True, kw_only=True)
class Repeated:
    """An object version with more than one entry, which must never happen."""

    key: str
    version_id: str
    entries: int


class BucketComparison:
    """What the bucket holds below a prefix, compared with the ledger's entries. Used by one thread.

    Load both sides, then `compare`, then ask. Times are text as the ledger writes them, which sorts by time.
    """

    def __init__(self, database: sqlite3.Connection, bucket: str, prefix: str) -> None:
        self._database = database
        self._bucket = bucket
        self._prefix = prefix
        self.entries_by_bucket: Counter[str] = Counter()
        database.executescript(_TABLES)

    def add_versions(self, versions: Iterable[StoredVersion]) -> None:
        """Load a page of the bucket's listing."""
        rows = ((one.key, one.version_id, one.size_bytes, one.modified) for one in versions)
        self._database.executemany("INSERT INTO stored VALUES (?, ?, ?, ?)", rows)

    def add_lines(self, lines: Iterable[LedgerLine]) -> None:
        """Load a page of the ledger; entries about other buckets and prefixes are only counted."""
        self._database.executemany("INSERT INTO entry VALUES (?, ?, ?, ?)", self._rows(lines))

    def _rows(self, lines: Iterable[LedgerLine]) -> Iterator[tuple[str | None, ...]]:
        for line in lines:
            self.entries_by_bucket[line.bucket] += 1
            if line.bucket == self._bucket and line.key.startswith(self._prefix):
                yield line.key, line.version_id, line.uploaded_at, line.reason

    def compare(self) -> None:
        """Find what only one side has, once both are loaded."""
        self._database.executescript(_COMPARE)

    def count_versions(self, *, start: str = "", end: str = NO_END) -> int:
        """Count the object versions that were uploaded from `start` on and before `end`."""
        return count_rows(self._database, f"stored WHERE {_IN_TIME}", start, end)

    def count_unrecorded(self, *, start: str = "", end: str = NO_END) -> int:
        """Count the object versions of that time without an entry."""
        return count_rows(self._database, f"unrecorded WHERE {_IN_TIME}", start, end)

    def unrecorded(self, *, start: str = "", end: str = NO_END) -> Iterator[StoredVersion]:
        """Yield the object versions of that time without an entry, oldest first."""
        rows = self._database.execute(
            f"SELECT * FROM unrecorded WHERE {_IN_TIME} ORDER BY modified, key, version_id",  # noqa: S608
            (start, end),
        )
        for key, version_id, size_bytes, modified in rows:
            yield StoredVersion(key=key, version_id=version_id, size_bytes=size_bytes, modified=modified)

    def count_unknown(self, *, end: str) -> int:
        """Count the entries of uploads before `end` whose object version isn't in the bucket.

        Entries that say so themselves (`object_missing`) are left out: `count_gone` counts those.
        """
        return count_rows(self._database, _UNKNOWN, end)

    def count_gone(self) -> int:
        """Count the entries with `object_missing` whose object version is indeed not in the bucket."""
        return count_rows(self._database, "unstored WHERE reason IS ?", _GONE)

    def unknown(self, *, end: str) -> Iterator[LedgerLine]:
        """Yield what `count_unknown` counts, oldest first."""
        rows = self._database.execute(
            f"SELECT * FROM {_UNKNOWN} ORDER BY uploaded_at, key, version_id",  # noqa: S608
            (end,),
        )
        for key, version_id, uploaded_at, reason in rows:
            yield LedgerLine(
                bucket=self._bucket, key=key, version_id=version_id, uploaded_at=uploaded_at, reason=reason
            )

    def count_repeated(self) -> int:
        """Count the object versions with more than one entry."""
        return count_rows(self._database, "repeated")

    def repeated(self) -> Iterator[Repeated]:
        """Yield the object versions with more than one entry, by key."""
        for key, version_id, entries in self._database.execute("SELECT * FROM repeated ORDER BY 1, 2"):
            yield Repeated(key=key, version_id=version_id, entries=entries)
