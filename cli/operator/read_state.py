"""What runs of `bill-e reconcile --read` have read already, in a file that survives a kill at any point.

Only object versions whose bytes have their entry's fingerprint are kept. So whatever was wrong with an object
is looked at again by the next run, and so is an object whose entry has another fingerprint by then.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from cli.errors import BillEError
from cli.operator.bucket_comparison import RecordedVersion

COMMIT_SECONDS = 1.0
"""At most this much work is lost if the process is killed."""

_TABLES = """
CREATE TABLE IF NOT EXISTS stack (bucket TEXT, ledger TEXT, seed TEXT);
CREATE TABLE IF NOT EXISTS unchanged (
  key TEXT, version_id TEXT, fingerprint TEXT, PRIMARY KEY (key, version_id)
) WITHOUT ROWID;
"""


class ReadState:
    """The object versions that have been read and are unchanged. Used by one thread."""

    def __init__(self, database: sqlite3.Connection, seed: str) -> None:
        self._database = database
        self._committed_at = time.monotonic()
        self.seed = seed

    def holds(self, key: str, version_id: str, fingerprint: str) -> bool:
        """Whether an object version has been read, and had this fingerprint."""
        row = self._database.execute(
            "SELECT 1 FROM unchanged WHERE key = ? AND version_id = ? AND fingerprint = ?",
            (key, version_id, fingerprint),
        ).fetchone()
        return row is not None

    def keep(self, about: RecordedVersion) -> None:
        """Keep that an object version has the fingerprint that its entry says."""
        self._database.execute(
            "INSERT OR REPLACE INTO unchanged VALUES (?, ?, ?)",
            (about.key, about.version_id, about.fingerprint),
        )
        if time.monotonic() - self._committed_at >= COMMIT_SECONDS:
            self._commit()

    def close(self) -> None:
        """Write the rest to the disk."""
        self._commit()

    def _commit(self) -> None:
        self._database.commit()
        self._committed_at = time.monotonic()


@contextmanager
def read_state(path: Path | None, bucket: str, ledger: str, seed: str | None) -> Iterator[ReadState]:
    """Open the state in a file, or make one; without a path, one that ends with the process.

    Without a `seed`, it is the one of the file, or else a new one. Raise BillEError if the file is another
    stack's, or can't be used.
    """
    try:
        # Without a name, SQLite makes a file that it deletes.
        with closing(sqlite3.connect(path or "")) as database:
            database.executescript(_TABLES)
            known = database.execute("SELECT bucket, ledger, seed FROM stack").fetchone()
            if known and known[:2] != (bucket, ledger):
                raise BillEError(
                    f"the state {path} is about bucket {known[0]} and ledger {known[1]}, not about "
                    f"{bucket} and {ledger}: give another file"
                )
            seed = seed or (known[2] if known else secrets.token_hex(4))
            database.execute("DELETE FROM stack")
            database.execute("INSERT INTO stack VALUES (?, ?, ?)", (bucket, ledger, seed))
            database.commit()
            state = ReadState(database, seed)
            try:
                yield state
            finally:
                state.close()
    except sqlite3.DatabaseError as error:
        raise BillEError(
            f"the state {path} can't be used: {error}; give the file of an earlier run, or a new one"
        ) from error
