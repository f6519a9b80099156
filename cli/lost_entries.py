"""The ledger against a restored table: which entries of that table the ledger lacks, or has otherwise.

The ledger, and what it lacks, lie in an SQLite database that has no name, as those of `comparison` do: memory
stays bounded at any size, and nothing stays behind.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cli.errors import BillEError
from functions.contract import schema

if TYPE_CHECKING:
    from functions.contract.entry import Entry
    from functions.contract.schema import Item

CACHE_KIBIBYTES = 32 * 1024
"""How much of the database is kept in memory."""

_TABLES = f"""
PRAGMA cache_size = -{CACHE_KIBIBYTES};
PRAGMA temp_store = FILE;
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE standing (fingerprint TEXT, entry TEXT, object_id TEXT, item TEXT);
CREATE TABLE lacking (recorded TEXT, item TEXT);
CREATE TABLE differing (recorded TEXT, item TEXT, detail TEXT);
"""

_INDEXES = """
CREATE INDEX standing_key ON standing (fingerprint, entry);
CREATE INDEX standing_version ON standing (object_id);
"""
"""Made once the ledger is loaded: sorted from a file, not row by row all over it."""


@dataclass(frozen=True, kw_only=True)
class LostEntry:
    """An entry of the restored table. `detail` says what the ledger has in its place: empty for nothing."""

    fingerprint: str
    entry: str
    key: str
    version_id: str
    recorded_at: str
    detail: str


class LostEntries:
    """What the ledger lacks of a restored table. Used by one thread.

    `add_standing` what the ledger holds, `index` it, then `judge` the entries of the other table. `present`
    counts those that the ledger has as they are.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self.present = 0
        database.executescript(_TABLES)

    def add_standing(self, items: Iterable[Item]) -> None:
        """Load a page of the ledger."""
        self._database.executemany("INSERT INTO standing VALUES (?, ?, ?, ?)", map(_standing_row, items))

    def index(self) -> None:
        """Get ready to judge, once the whole ledger is loaded."""
        self._database.executescript(_INDEXES)

    def judge(self, item: Item) -> None:
        """Find out what the ledger has in the place of an entry."""
        standing = self._standing(item)
        if standing is not None:
            self.compare(item, standing)
        elif other := self._other_entry(item):
            # Inserted as well, it would be a second entry for one object version.
            self._add_differing(item, f"the ledger has this object version as {other}")
        else:
            row = item[schema.RECORDED]["S"], json.dumps(item)
            self._database.execute("INSERT INTO lacking VALUES (?, ?)", row)

    def compare(self, item: Item, standing: Item) -> None:
        """Compare an entry with the ledger's of the same key."""
        names = sorted(name for name in {*standing, *item} if standing.get(name) != item.get(name))
        if names:
            self._add_differing(item, f"the ledger has another {', '.join(names)}")
        else:
            self.present += 1

    def count_lacking(self) -> int:
        """Count the entries that the ledger lacked when they were judged."""
        return self._count("lacking")

    def count_differing(self) -> int:
        """Count the entries that the ledger has otherwise."""
        return self._count("differing")

    def lacking_items(self) -> Iterator[Item]:
        """Yield what the ledger lacked as it was scanned: in no order, so spread over the partitions."""
        for (text,) in self._database.execute("SELECT item FROM lacking ORDER BY rowid"):
            yield json.loads(text)

    def lacking(self) -> Iterator[LostEntry]:
        """Yield what the ledger lacked, the first recorded first."""
        for (text,) in self._database.execute("SELECT item FROM lacking ORDER BY recorded"):
            yield _lost(json.loads(text), "")

    def differing(self) -> Iterator[LostEntry]:
        """Yield what the ledger has otherwise, the first recorded first."""
        for text, detail in self._database.execute("SELECT item, detail FROM differing ORDER BY recorded"):
            yield _lost(json.loads(text), detail)

    def _standing(self, item: Item) -> Item | None:
        row = self._database.execute(
            "SELECT item FROM standing WHERE fingerprint = ? AND entry = ?", _key(item)
        ).fetchone()
        return json.loads(row[0]) if row else None

    def _other_entry(self, item: Item) -> str | None:
        """Return the outcome of the ledger's entry about the same object version, if there is one."""
        row = self._database.execute(
            "SELECT item FROM standing WHERE object_id = ?", (schema.version_of(item).object_id,)
        ).fetchone()
        return str(json.loads(row[0])["outcome"]["S"]) if row else None

    def _add_differing(self, item: Item, detail: str) -> None:
        row = item[schema.RECORDED]["S"], json.dumps(item), detail
        self._database.execute("INSERT INTO differing VALUES (?, ?, ?)", row)

    def _count(self, table: str) -> int:
        (count,) = self._database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()  # noqa: S608
        return int(count)


@contextmanager
def empty_lost_entries() -> Iterator[LostEntries]:
    """Make a comparison of nothing yet; whatever it kept is gone at the end."""
    try:
        with closing(sqlite3.connect("")) as database:
            yield LostEntries(database)
    except sqlite3.OperationalError as error:
        raise BillEError(
            f"the temporary file for comparing cannot be kept: {error}; "
            "SQLITE_TMPDIR names a folder with more room"
        ) from error


def read_entry(item: Item) -> Entry:
    """Read an entry; raise ValueError for an item that `schema.to_item` wouldn't have written so."""
    try:
        entry = schema.from_item(item)
        month, recorded = item[schema.MONTH_SHARD]["S"][:7], item[schema.RECORDED]["S"]
    except KeyError as error:
        raise ValueError(f"it has no {error}") from error
    version = entry.upload.version
    if _key(item) != (schema.partition_key(entry), schema.sort_key(entry)):
        raise ValueError("its key is not that of its outcome and object version")
    if recorded != schema.recorded_key(entry.recorded_at, version) or month != recorded[:7]:
        raise ValueError("its place in the time index is not that of its recorded time")
    return entry


def is_note(item: Mapping[str, Any]) -> bool:
    """Whether an item is no entry, but a note of the processor's, which it writes again if need be."""
    return bool(item.get(schema.ENTRY) == {"S": schema.MISSING})


def _standing_row(item: Item) -> tuple[str, str, str | None, str]:
    object_id = None if is_note(item) else schema.version_of(item).object_id
    return *_key(item), object_id, json.dumps(item)


def _key(item: Item) -> tuple[str, str]:
    return item[schema.FINGERPRINT]["S"], item[schema.ENTRY]["S"]


def _lost(item: Item, detail: str) -> LostEntry:
    version, (fingerprint, entry) = schema.version_of(item), _key(item)
    return LostEntry(
        fingerprint=fingerprint,
        entry=entry,
        key=version.key,
        version_id=version.version_id,
        recorded_at=item[schema.RECORDED]["S"].partition("#")[0],
        detail=detail,
    )
