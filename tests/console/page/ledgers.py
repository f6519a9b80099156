"""Ledgers to look at: stacks with entries, files, and a log that seals them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from functions.contract.entry import ObjectVersion, format_time
from tests.cli.auditor.packages import KEY, Log
from tests.cli.fake_stack import Answer, FakeStack, entry
from tests.cli.sealed_stack import leaf

Entry = dict[str, Any]


@dataclass
class Ledger:
    """A stack, and its log if something was sealed."""

    stack: FakeStack
    folder: Path
    versions: int = field(default=0)

    def add(self, body: bytes = b"", *, at: datetime | None = None, **members: Any) -> Entry:
        """Record an upload, now or at another time. Without a body, it isn't stored."""
        self.versions += 1
        recorded = at or datetime.now(UTC)
        made = entry(
            **{
                "key": f"receipt {self.versions}.png",
                "version_id": f"version-{self.versions}",
                "fingerprint": hashlib.sha256(body or str(self.versions).encode()).hexdigest(),
                "size_bytes": len(body) if body else 1234,
                "uploaded_at": format_time(recorded - timedelta(seconds=1)),
                "recorded_at": format_time(recorded),
                "salt": f"{self.versions:032x}",
                **members,
            }
        )
        with self.stack.lock:
            if body:
                self.stack.objects[made["key"], made["version_id"]] = body
            self.stack.entries.append(made)
            self.stack.entries.sort(key=lambda each: str(each["recorded_at"]), reverse=True)
        return made

    def add_duplicate(self, first: Entry, body: bytes = b"", **members: Any) -> Entry:
        """Record an upload of bytes that are known."""
        version = {name: first[name] for name in ("bucket", "key", "version_id")}
        return self.add(
            body,
            **{
                "outcome": "DUPLICATE",
                "fingerprint": first["fingerprint"],
                "duplicate_of": version,
                "restores": False,
                **members,
            },
        )

    def add_many(self, count: int) -> None:
        """Record an upload a minute, up to an hour ago."""
        newest = datetime.now(UTC) - timedelta(hours=1)
        for number in range(count):
            self.add(at=newest - timedelta(minutes=number), key=f"many {number}.png")

    def seal(self, at: datetime | None = None) -> None:
        """Seal what was recorded, in a minute or at another time."""
        log = Log(self.folder / "log")
        entries = [*reversed(self.stack.entries)]
        sealed_at = format_time(at or datetime.now(UTC) + timedelta(minutes=1))
        log.seal(leaf(each, sealed_at) for each in entries)
        self.stack.log, self.stack.log_public_key = log.folder, str(KEY)
        for index, each in enumerate(entries):
            self.stack.proofs[object_id(each)] = log.proof(index)


class LongStack(FakeStack):
    """A stack with so many entries that they are only made when they are asked for, in large pages."""

    length = 100_000
    page = 5_000

    def _list(self, query: dict[str, list[str]]) -> Answer:
        start = int(query.get("cursor", ["0"])[0])
        is_live = "from" in query
        numbers = range(0) if is_live else range(start, min(start + self.page, self.length))
        entries = [self.made(number) for number in numbers]
        more = not is_live and numbers.stop < self.length
        return Answer(200, {"entries": entries, "next_cursor": str(numbers.stop) if more else None})

    def made(self, number: int) -> Entry:
        recorded = datetime(2026, 11, 1, tzinfo=UTC) - timedelta(seconds=number)
        return entry(
            key=f"2026/{number}.png",
            version_id=str(number),
            fingerprint=f"{number:064x}",
            recorded_at=format_time(recorded),
        )


class SparseStack(FakeStack):
    """A stack in whose listing nothing is found for a long time, and one entry at its end."""

    stretches = 5

    def _list(self, query: dict[str, list[str]]) -> Answer:
        at = int(query.get("cursor", ["0"])[0])
        if "from" in query or at < self.stretches:
            more = None if "from" in query else str(at + 1)
            return Answer(200, {"entries": [], "next_cursor": more})
        return Answer(200, {"entries": [entry(key="needle.png")], "next_cursor": None})


def object_id(made: Entry) -> str:
    """The id of an entry's object version."""
    return ObjectVersion(**{name: made[name] for name in ("bucket", "key", "version_id")}).object_id


def view_of(made: Entry) -> str:
    """The address of an entry's view."""
    which = {"version": made["version_id"], "key": made["key"]}
    if made["fingerprint"] is None:
        return f"#/receipt/unread?{urlencode({**which, 'recorded': made['recorded_at']})}"
    return f"#/receipt/{made['fingerprint']}?{urlencode(which)}"
