"""SQLite databases for comparing more than fits into memory.

The databases have no names: they spill to a file that is deleted with the process, however it ends. So memory
is bounded, nothing is left behind, and no run finds anything from an earlier one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

from cli.errors import BillEError

CACHE_KIBIBYTES = 32 * 1024
"""How much of a database is kept in memory."""

NO_END = "~"
"""An end that is after every time. Times are text as the ledger writes them, which sorts by time."""

_PRAGMAS = f"""
PRAGMA cache_size = -{CACHE_KIBIBYTES};
PRAGMA temp_store = FILE;
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
"""


@contextmanager
def temporary_database() -> Iterator[sqlite3.Connection]:
    """Make an empty database, and delete it at the end; raise BillEError if the disk is full."""
    try:
        with closing(sqlite3.connect("")) as database:
            database.executescript(_PRAGMAS)
            yield database
    except sqlite3.OperationalError as error:
        raise BillEError(
            f"the temporary file for the comparison cannot be written: {error}; "
            "set SQLITE_TMPDIR to a folder with more room"
        ) from error


def count_rows(database: sqlite3.Connection, source: str, *values: str) -> int:
    """Count the rows of a table, or of a table with a condition on `values`."""
    (count,) = database.execute(f"SELECT COUNT(*) FROM {source}", values).fetchone()  # noqa: S608
    return int(count)
