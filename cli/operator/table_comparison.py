"""A restored table compared with the ledger: the entries that the ledger lacks, or has in another form."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.operator.temporary_database import count_rows
from functions.contract import schema

if TYPE_CHECKING:
    from functions.contract.schema import Item

_TABLES = """
CREATE TABLE standing (fingerprint TEXT, entry TEXT, object_id TEXT, item TEXT);
CREATE TABLE lacking (recorded TEXT, item TEXT);
CREATE TABLE differing (recorded TEXT, item TEXT, detail TEXT);
"""

_INDEXES = """
CREATE INDEX standing_key ON standing (fingerprint, entry);
CREATE INDEX standing_version ON standing (object_id);
"""
"""The indexes come after loading: sorting once is quicker than inserting row by row."""


@dataclass(frozen=True, kw_only=True)
class LostEntry:
    """An entry of the restored table. `detail` says what the ledger has instead; empty for nothing."""

    fingerprint: str
    entry: str
    key: str
    version_id: str
    recorded_at: str
    detail: str


class TableComparison:
    """Finds the entries of a restored table that the ledger lacks. Used by one thread.

    Load the ledger with `add_standing`, `index` it, then `compare` the entries of the restored table.
    `present` counts the entries that the ledger has in the same form.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self.present = 0
        database.executescript(_TABLES)

    def add_standing(self, items: Iterable[Item]) -> None:
        """Load a page of the ledger."""
        self._database.executemany("INSERT INTO standing VALUES (?, ?, ?, ?)", map(_standing_row, items))

    def index(self) -> None:
        """Index the ledger, once all of it is loaded."""
        self._database.executescript(_INDEXES)

    def compare(self, item: Item) -> None:
        """Find out whether the ledger has an entry, lacks it, or has another one instead."""
        standing = self._standing(item)
        if standing is not None:
            self.compare_with(item, standing)
        elif other := self._other_entry(item):
            # Inserting this one would make a second entry for one object version.
            self._add_differing(item, f"the ledger has this object version as {other}")
        else:
            row = item[schema.RECORDED]["S"], json.dumps(item)
            self._database.execute("INSERT INTO lacking VALUES (?, ?)", row)

    def compare_with(self, item: Item, standing: Item) -> None:
        """Compare an entry with the ledger's entry of the same key."""
        names = sorted(name for name in {*standing, *item} if standing.get(name) != item.get(name))
        if names:
            self._add_differing(item, f"the ledger has another {', '.join(names)}")
        else:
            self.present += 1

    def count_lacking(self) -> int:
        """Count the entries that the ledger lacked when they were compared."""
        return count_rows(self._database, "lacking")

    def count_differing(self) -> int:
        """Count the entries that the ledger has in another form."""
        return count_rows(self._database, "differing")

    def lacking_items(self) -> Iterator[Item]:
        """Yield what the ledger lacked in the order of the scan, which spreads it over the partitions."""
        for (text,) in self._database.execute("SELECT item FROM lacking ORDER BY rowid"):
            yield json.loads(text)

    def lacking(self) -> Iterator[LostEntry]:
        """Yield what the ledger lacked, oldest first."""
        for (text,) in self._database.execute("SELECT item FROM lacking ORDER BY recorded"):
            yield _lost(json.loads(text), "")

    def differing(self) -> Iterator[LostEntry]:
        """Yield what the ledger has in another form, oldest first."""
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


def _standing_row(item: Item) -> tuple[str, str, str | None, str]:
    object_id = None if schema.is_note(item) else schema.version_of(item).object_id
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
