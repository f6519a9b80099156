"""A fake stack whose entries are sealed in a log."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from functions.contract.entry import ObjectVersion, parse_time
from functions.sealing.leaf import Kind, Leaf, record_of, record_sha256
from tests.cli.auditor.packages import KEY, Log
from tests.cli.fake_stack import FakeStack, entry


def leaf(made: dict[str, Any], sealed_at: str) -> Leaf:
    version = ObjectVersion(**{name: made[name] for name in ("bucket", "key", "version_id")})
    return Leaf(
        kind=Kind.ENTRY,
        object_id=version.object_id,
        fingerprint=made["fingerprint"],
        recorded_at=parse_time(made["recorded_at"]),
        sealed_at=parse_time(sealed_at),
        record_sha256=record_sha256(record_of(made)),
    )


def sealed_log(stack: FakeStack, folder: Path) -> Log:
    """Record 300 entries on one morning, and seal them in three batches."""
    made = Log(folder)
    stack.log, stack.log_public_key = made.folder, str(KEY)
    for batch in range(3):
        entries = []
        for number in range(100 * batch, 100 * batch + 100):
            body = f"receipt {number}".encode()
            recorded = f"2026-11-22T10:{batch:02}:{number % 60:02}.{number:06}Z"
            version = stack.store(f"scan {number}.png", body)
            item = entry(
                key=f"scan {number}.png",
                version_id=version,
                fingerprint=hashlib.sha256(body).hexdigest(),
                size_bytes=len(body),
                recorded_at=recorded,
                salt=f"{number:032x}",
            )
            stack.entries[0] = item
            entries.append(item)
        entries.sort(key=lambda each: str(each["recorded_at"]))
        made.seal(leaf(each, f"2026-11-22T10:{batch + 2:02}:00.000000Z") for each in entries)
    stack.entries.sort(key=lambda each: str(each["recorded_at"]), reverse=True)
    return made
