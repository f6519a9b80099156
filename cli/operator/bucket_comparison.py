"""The bucket against the ledger: what only one side has, and what the two say differently."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import starmap
from typing import NamedTuple

from cli.operator.findings import EntryFindings, Finding, State
from cli.operator.temporary_database import NO_END, count_rows
from functions.contract.entry import (
    CLOCK_SKEW,
    NULL_VERSION,
    STALE_MULTIPART_DAYS,
    Entry,
    Outcome,
    Reason,
    UploadLocation,
    format_time,
)
from functions.reconciliation.inventory import StoredVersion

SLOWEST_BYTES_PER_SECOND = 10_000
"""S3 may date an object by the start of its upload, and dates the event by the end. No upload should be
slower than this."""

LONGEST_MULTIPART = timedelta(days=STALE_MULTIPART_DAYS + 1)
"""The bucket aborts multipart uploads at midnight."""

_TABLES = """
CREATE TABLE stored (
  key TEXT, version_id TEXT, size_bytes INTEGER, modified TEXT, multipart INTEGER,
  PRIMARY KEY (key, version_id)
) WITHOUT ROWID;
CREATE TABLE entry (
  key TEXT, version_id TEXT, uploaded_at TEXT, fingerprint TEXT,
  outcome TEXT, reason TEXT, size_bytes INTEGER, resent INTEGER
);
CREATE TABLE elsewhere (fingerprint TEXT);
CREATE TABLE receipt (fingerprint TEXT, object_id TEXT);
CREATE TABLE duplicate (key TEXT, version_id TEXT, uploaded_at TEXT, fingerprint TEXT, receipt_id TEXT);
"""

_SECOND = "CAST(strftime('%s', substr({}, 1, 19)) AS INTEGER)"

_TIME_DIFFERS = f"""
CASE WHEN resent THEN substr(uploaded_at, 1, 19) <> substr(modified, 1, 19)
ELSE {_SECOND.format("uploaded_at")} - {_SECOND.format("modified")} NOT BETWEEN -1 AND
  {CLOCK_SKEW.total_seconds():.0f} + CASE WHEN multipart THEN {LONGEST_MULTIPART.total_seconds():.0f}
  ELSE stored.size_bytes / {SLOWEST_BYTES_PER_SECOND} END
END
"""
"""What was resent has S3's time. Otherwise the event comes after S3's time, which is cut to whole seconds."""

_GONE = Reason.OBJECT_MISSING.value

_COMPARE = f"""
CREATE INDEX entry_version ON entry (key, version_id);
CREATE TABLE unrecorded AS
  SELECT key, version_id, size_bytes, modified, multipart FROM stored WHERE NOT EXISTS (
    SELECT 1 FROM entry WHERE entry.key = stored.key AND entry.version_id = stored.version_id);
CREATE TABLE unconfirmed AS
  SELECT entry.*, stored.size_bytes AS stored_bytes, modified FROM entry
  LEFT JOIN stored ON stored.key = entry.key AND stored.version_id = entry.version_id
  WHERE stored.key IS NULL OR (entry.version_id <> '{NULL_VERSION}' AND (
    reason IS '{_GONE}' OR entry.size_bytes <> stored.size_bytes OR {_TIME_DIFFERS}));
CREATE TABLE repeated AS
  SELECT key, version_id, COUNT(*) AS entries FROM entry GROUP BY key, version_id HAVING COUNT(*) > 1;
CREATE TABLE doubtful AS
  SELECT key, version_id, fingerprint FROM unconfirmed
  WHERE outcome = '{Outcome.ACCEPTED}'
  AND fingerprint NOT IN (SELECT fingerprint FROM elsewhere);
CREATE INDEX doubtful_fingerprint ON doubtful (fingerprint);
CREATE TABLE unbacked AS
  SELECT doubtful.key, doubtful.version_id, MAX(uploaded_at) AS uploaded_at, doubtful.fingerprint,
    COUNT(*) AS entries
  FROM entry CROSS JOIN doubtful ON doubtful.fingerprint = entry.fingerprint
  LEFT JOIN stored ON stored.key = entry.key AND stored.version_id = entry.version_id
  GROUP BY doubtful.fingerprint HAVING COUNT(stored.key) = 0;
CREATE INDEX duplicate_fingerprint ON duplicate (fingerprint);
CREATE TABLE unfounded AS
  SELECT * FROM duplicate WHERE rowid NOT IN (
    SELECT duplicate.rowid FROM receipt CROSS JOIN duplicate
    WHERE duplicate.fingerprint = receipt.fingerprint AND duplicate.receipt_id = receipt.object_id);
"""  # noqa: S608
"""The indexes come after loading: sorting once is quicker than inserting row by row. S3 can overwrite a
version `null`, so all that it confirms about one is that it is there."""

_IN_TIME = "modified >= ? AND modified < ?"


@dataclass(frozen=True, kw_only=True)
class Repeated:
    """An object version with more than one entry, which must never happen."""

    key: str
    version_id: str
    entries: int


class RecordedVersion(NamedTuple):
    """What an entry says about an object version."""

    key: str
    version_id: str
    uploaded_at: str
    fingerprint: str | None


_ABOUT = ", ".join(RecordedVersion._fields)


class BucketComparison:
    """What the bucket holds below a prefix, compared with the ledger's entries. Used by one thread.

    Load both sides, then `compare`, then ask. Times are text as the ledger writes them, which sorts by time.
    What is wrong with an entry becomes one of the `findings`. `covered` is the part of the bucket that is
    compared.
    """

    def __init__(self, database: sqlite3.Connection, bucket: str, prefix: str) -> None:
        self._database = database
        self.covered = UploadLocation(bucket=bucket, prefix=prefix)
        self.findings = EntryFindings(database)
        self.entries_by_bucket: Counter[str] = Counter()
        database.executescript(_TABLES)

    def add_versions(self, versions: Iterable[StoredVersion]) -> None:
        """Load a page of the bucket's listing."""
        rows = ((one.key, one.version_id, one.size_bytes, one.modified, one.multipart) for one in versions)
        self._database.executemany("INSERT INTO stored VALUES (?, ?, ?, ?, ?)", rows)

    def add_entries(self, entries: Iterable[Entry]) -> None:
        """Load a page of the ledger; of entries about other places, only what others in here depend on."""
        covered, receipts, duplicates, elsewhere = [], [], [], []
        for entry in entries:
            upload, version = entry.upload, entry.upload.version
            self.entries_by_bucket[version.bucket] += 1
            if entry.outcome is Outcome.ACCEPTED:
                receipts.append((entry.fingerprint, version.object_id))
            if not self.covered.holds(version):
                elsewhere.append((entry.fingerprint,))
                continue
            about = version.key, version.version_id, format_time(upload.uploaded_at), entry.fingerprint
            covered.append((*about, entry.outcome, entry.reason, entry.size_bytes, upload.resent))
            if entry.duplicate_of:
                duplicates.append((*about, entry.duplicate_of.object_id))
        insert = self._database.executemany
        insert("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?)", covered)
        insert("INSERT INTO elsewhere SELECT ? WHERE ?1 IS NOT NULL", elsewhere)
        insert("INSERT INTO receipt VALUES (?, ?)", receipts)
        insert("INSERT INTO duplicate VALUES (?, ?, ?, ?, ?)", duplicates)

    def compare(self) -> None:
        """Find what only one side has and what the two say differently, once both are loaded."""
        self._database.executescript(_COMPARE)
        for about in self._about(f"unconfirmed WHERE modified IS NULL AND reason IS NOT '{_GONE}'"):
            self.find(State.UNKNOWN, about, "not in the bucket")
        # By the newest upload of its bytes, since that may have come after the listing.
        for *values, entries in self._database.execute(f"SELECT {_ABOUT}, entries FROM unbacked"):  # noqa: S608
            detail = f"no object version of its bytes is in the bucket; entries about them: {entries:,}"
            self.find(State.UNBACKED, RecordedVersion(*values), detail)
        for about in self._about("unfounded"):
            self.find(State.INCONSISTENT, about, "the ledger has no receipt that it can be a duplicate of")
        rows = self._database.execute(
            f"SELECT {_ABOUT}, reason, size_bytes, stored_bytes, modified "  # noqa: S608
            "FROM unconfirmed WHERE modified IS NOT NULL"
        )
        for *values, reason, size_bytes, stored_bytes, modified in rows:
            self.find(
                State.DIFFERS,
                RecordedVersion(*values),
                _difference(reason, size_bytes, stored_bytes, modified),
            )

    def find(self, state: State, about: RecordedVersion, detail: str) -> None:
        """Keep a finding about an entry of an object version in the bucket."""
        finding = Finding(
            fingerprint=about.fingerprint or "",
            bucket=self.covered.bucket,
            key=about.key,
            version_id=about.version_id,
            uploaded_at=about.uploaded_at,
            detail=detail,
        )
        self.findings.add(state, finding)

    def with_fingerprint(self) -> Iterator[RecordedVersion]:
        """Yield the object versions in the bucket of which an entry says the fingerprint."""
        return self._about(
            f"entry WHERE fingerprint IS NOT NULL AND version_id <> '{NULL_VERSION}' AND EXISTS ("  # noqa: S608
            "SELECT 1 FROM stored WHERE stored.key = entry.key AND stored.version_id = entry.version_id)"
        )

    def choose_to_read(self, rank: Callable[[str, str], float], below: float, most: int | None) -> None:
        """Choose among those that `with_fingerprint` yields, by the rank of a key and a version id."""
        self._database.create_function("rank", 2, rank, deterministic=True)
        self._database.execute(
            f"CREATE TABLE chosen AS SELECT {_ABOUT}, size_bytes FROM ("  # noqa: S608
            f"  SELECT {_ABOUT}, stored.size_bytes, rank(key, version_id) AS ranked"
            "  FROM entry JOIN stored USING (key, version_id)"
            f"  WHERE fingerprint IS NOT NULL AND version_id <> '{NULL_VERSION}'"
            ") WHERE ranked < ? ORDER BY ranked LIMIT ?",
            (below, -1 if most is None else most),
        )
        # A small part of few object versions is one of them. Nothing read would look like nothing wrong.
        self._database.execute(
            f"INSERT INTO chosen SELECT {_ABOUT}, stored.size_bytes FROM entry JOIN stored "  # noqa: S608
            f"USING (key, version_id) WHERE fingerprint IS NOT NULL AND version_id <> '{NULL_VERSION}' "
            "AND NOT EXISTS (SELECT 1 FROM chosen) ORDER BY rank(key, version_id) LIMIT 1"
        )

    def leave_out(self, is_done: Callable[[str, str, str], bool]) -> int:
        """Leave out what `is_done`, by key, version id and fingerprint; return how many those are."""
        self._database.create_function("is_done", 3, is_done)
        return self._database.execute(
            "DELETE FROM chosen WHERE is_done(key, version_id, fingerprint)"
        ).rowcount

    def count_to_read(self) -> tuple[int, int]:
        """Count the chosen object versions, and their bytes."""
        count, size_bytes = self._database.execute(
            "SELECT COUNT(*), COALESCE(SUM(size_bytes), 0) FROM chosen"
        ).fetchone()
        return count, size_bytes

    def to_read(self) -> Iterator[RecordedVersion]:
        """Yield the chosen object versions, by rank."""
        return self._about("chosen ORDER BY rowid")

    def _about(self, source: str) -> Iterator[RecordedVersion]:
        return starmap(RecordedVersion, self._database.execute(f"SELECT {_ABOUT} FROM {source}"))  # noqa: S608

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
        for key, version_id, size_bytes, modified, multipart in rows:
            yield StoredVersion(
                key=key,
                version_id=version_id,
                size_bytes=size_bytes,
                modified=modified,
                multipart=bool(multipart),
            )

    def count_gone(self) -> int:
        """Count the entries with `object_missing` whose object version is indeed not in the bucket."""
        return count_rows(self._database, "unconfirmed WHERE modified IS NULL AND reason IS ?", _GONE)

    def count_repeated(self) -> int:
        """Count the object versions with more than one entry."""
        return count_rows(self._database, "repeated")

    def repeated(self) -> Iterator[Repeated]:
        """Yield the object versions with more than one entry, by key."""
        for key, version_id, entries in self._database.execute("SELECT * FROM repeated ORDER BY 1, 2"):
            yield Repeated(key=key, version_id=version_id, entries=entries)


def _difference(reason: str | None, size_bytes: int | None, stored_bytes: int, modified: str) -> str:
    if reason == _GONE:
        return f"it says {_GONE}, but the object version is in the bucket"
    if size_bytes not in (None, stored_bytes):
        return f"its size is {size_bytes:,} bytes, but S3 has {stored_bytes:,}"
    return f"its time of upload doesn't go with S3's, {modified}"
