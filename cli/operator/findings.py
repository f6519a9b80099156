"""Findings about entries, kept in the temporary database of a comparison."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import StrEnum

from cli.operator.temporary_database import NO_END, count_rows
from functions.contract.entry import Entry, format_time


class State(StrEnum):
    """What is wrong with an entry."""

    DIFFERS = "differs"
    INCONSISTENT = "inconsistent"
    FOREIGN = "foreign"
    UNKNOWN = "unknown"
    UNBACKED = "unbacked"
    NOT_AN_ENTRY = "not an entry"
    FILE_DIFFERS = "file differs"
    UNREADABLE = "unreadable"
    UNSEALED = "unsealed"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something wrong with an item of the ledger, which `fingerprint` and the object version identify.

    For an item that isn't an entry, only `fingerprint` and `detail` are known, which is its partition key and
    says its sort key.
    """

    fingerprint: str
    bucket: str = ""
    key: str = ""
    version_id: str = ""
    uploaded_at: str = ""
    detail: str


_COLUMNS = ", ".join(field.name for field in fields(Finding))
_OF_STATE = "finding WHERE state = ? AND uploaded_at < ?"


class EntryFindings:
    """The findings of one comparison. Used by one thread."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        database.execute(f"CREATE TABLE finding (state, {_COLUMNS})")

    def add(self, state: State, finding: Finding) -> None:
        """Keep a finding."""
        values = (getattr(finding, field.name) for field in fields(Finding))
        self._database.execute("INSERT INTO finding VALUES (?, ?, ?, ?, ?, ?, ?)", (state, *values))

    def add_about(self, state: State, entry: Entry, detail: str) -> None:
        """Keep a finding about an entry."""
        version = entry.upload.version
        self.add(
            state,
            Finding(
                fingerprint=entry.fingerprint or "",
                bucket=version.bucket,
                key=version.key,
                version_id=version.version_id,
                uploaded_at=format_time(entry.upload.uploaded_at),
                detail=detail,
            ),
        )

    def count(self, state: State, *, end: str = NO_END) -> int:
        """Count the findings of a state about uploads before `end`."""
        return count_rows(self._database, _OF_STATE, state, end)

    def all(self, state: State, *, end: str = NO_END) -> Iterator[Finding]:
        """Yield what `count` counts, oldest first."""
        rows = self._database.execute(
            f"SELECT {_COLUMNS} FROM {_OF_STATE} ORDER BY uploaded_at, key, version_id, detail",  # noqa: S608
            (state, end),
        )
        names = [field.name for field in fields(Finding)]
        for row in rows:
            yield Finding(**dict(zip(names, row, strict=True)))
