"""The bucket against the ledger: which object versions have no entry, and which entries no object version.

Both are loaded into an SQLite database that has no name: it spills to a file which is gone with the process,
however that ends. So memory stays bounded at any size, and no run finds anything of an earlier one.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from cli.errors import BillEError
from cli.inventory import LedgerLine, StoredVersion
from functions.contract.entry import Reason

CACHE_KIBIBYTES = 32 * 1024
"""How much of the database is kept in memory."""

_TABLES = f"""
PRAGMA cache_size = -{CACHE_KIBIBYTES};
PRAGMA temp_store = FILE;
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
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
"""The indexes are made once everything is loaded: sorted from a file, not row by row all over it."""


@dataclass(frozen=True, kw_only=True)
class Repeated:
    """An object version that has more entries than one, which must never be."""

    key: str
    version_id: str
    entries: int


class Comparison:
    """What the bucket holds under a prefix, against what the ledger says about it. Used by one thread.

    Load both sides, then `compare`, then ask. Times are as in `StoredVersion`: text whose order is theirs.
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
        """Load a page of the ledger; of other buckets and prefixes it only counts the entries."""
        self._database.executemany("INSERT INTO entry VALUES (?, ?, ?, ?)", self._rows(lines))

    def _rows(self, lines: Iterable[LedgerLine]) -> Iterator[tuple[str | None, ...]]:
        for line in lines:
            self.entries_by_bucket[line.bucket] += 1
            if line.bucket == self._bucket and line.key.startswith(self._prefix):
                yield line.key, line.version_id, line.uploaded_at, line.reason

    def compare(self) -> None:
        """Find what is on one side only, once both sides are loaded."""
        self._database.executescript(_COMPARE)

    def count_versions(self, *, start: str = "", end: str = "~") -> int:
        """Count the object versions that were uploaded from `start` up to, not including, `end`."""
        return self._count("stored WHERE modified >= ? AND modified < ?", start, end)

    def count_unrecorded(self, *, start: str = "", end: str = "~") -> int:
        """Count those of them that have no entry."""
        return self._count("unrecorded WHERE modified >= ? AND modified < ?", start, end)

    def unrecorded(self, *, start: str = "", end: str = "~") -> Iterator[StoredVersion]:
        """Yield those of them that have no entry, oldest first."""
        rows = self._database.execute(
            "SELECT key, version_id, size_bytes, modified FROM unrecorded"
            " WHERE modified >= ? AND modified < ? ORDER BY modified, key, version_id",
            (start, end),
        )
        for key, version_id, size_bytes, modified in rows:
            yield StoredVersion(key=key, version_id=version_id, size_bytes=size_bytes, modified=modified)

    def count_unknown(self, *, end: str) -> int:
        """Count the entries of uploads before `end` whose object version isn't in the bucket.

        Those that say just that (`object_missing`) are in order, and counted by `count_gone`.
        """
        return self._count(
            "unstored WHERE uploaded_at < ? AND reason IS NOT ?", end, Reason.OBJECT_MISSING.value
        )

    def count_gone(self) -> int:
        """Count the entries which say that their object version was gone before it was read, and it is."""
        return self._count("unstored WHERE reason IS ?", Reason.OBJECT_MISSING.value)

    def unknown(self, *, end: str) -> Iterator[LedgerLine]:
        """Yield what `count_unknown` counts, oldest first."""
        rows = self._database.execute(
            "SELECT key, version_id, uploaded_at, reason FROM unstored"
            " WHERE uploaded_at < ? AND reason IS NOT ? ORDER BY uploaded_at, key, version_id",
            (end, Reason.OBJECT_MISSING.value),
        )
        for key, version_id, uploaded_at, reason in rows:
            yield LedgerLine(
                bucket=self._bucket, key=key, version_id=version_id, uploaded_at=uploaded_at, reason=reason
            )

    def count_repeated(self) -> int:
        """Count the object versions that have more entries than one."""
        return self._count("repeated")

    def repeated(self) -> Iterator[Repeated]:
        """Yield the object versions that have more entries than one, by key."""
        for key, version_id, entries in self._database.execute("SELECT * FROM repeated ORDER BY 1, 2"):
            yield Repeated(key=key, version_id=version_id, entries=entries)

    def _count(self, source: str, *values: str) -> int:
        (count,) = self._database.execute(f"SELECT COUNT(*) FROM {source}", values).fetchone()  # noqa: S608
        return int(count)


@contextmanager
def empty_comparison(bucket: str, prefix: str) -> Iterator[Comparison]:
    """Make a comparison of nothing yet; whatever it kept is gone at the end."""
    try:
        with closing(sqlite3.connect("")) as database:
            yield Comparison(database, bucket, prefix)
    except sqlite3.OperationalError as error:
        raise BillEError(
            f"the temporary file for comparing cannot be kept: {error}; "
            "SQLITE_TMPDIR names a folder with more room"
        ) from error
