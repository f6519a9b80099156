"""Audit packages of many entries, made of what the sealer and `bill-e export` write."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cli.auditor import package as layout
from cli.auditor.package import Manifest, write_entries
from cli.auditor.parallel import in_processes
from functions.contract.entry import Entry, Outcome, format_time
from functions.contract.entry_json import entry_to_json
from functions.contract.sealing import CHECKPOINT
from functions.sealer.growth import grow
from functions.sealing.leaf import leaf_of
from functions.sealing.note import Checkpoint, sign
from functions.sealing.tree import TILE_WIDTH, Edge
from local.in_process.events import BUCKET
from tests.cli.auditor.packages import KEY, SIGNER
from tests.functions.examples import entry

BEGAN = datetime(2026, 11, 22, 10, tzinfo=UTC)
BATCH = 60_000
"""How many entries are sealed at a time: what a minute brings at 1,000 a second."""

QUOTED_EVERY, DUPLICATE_EVERY = 100, 10


def write_package(folder: Path, count: int) -> None:
    """Write a package with this number of entries. It has no sums, for which nothing is verified."""
    folder.mkdir()
    write_entries(folder, [])
    edge, partial = Edge(), list[bytes]()
    batches = [(folder / f"{first}", first, min(BATCH, count - first)) for first in range(0, count, BATCH)]
    with in_processes(worth_it=len(batches) > 1) as run:
        for (part, _, _), leaves in zip(batches, run(_write_batch, batches), strict=True):
            for file in grow(edge, partial, leaves):
                _put(folder / layout.LOG / file.path, file.data)
            left = edge.size % TILE_WIDTH
            partial = [*partial, *leaves][-left:] if left else []
            for name in (layout.JSON_LINES, layout.CSV):
                _move_rows(part / name, folder / name)
            part.rmdir()
    checkpoint = Checkpoint(origin=KEY.name, size=count, root=edge.root())
    _put(folder / layout.LOG / CHECKPOINT, sign(checkpoint.text, KEY, SIGNER.sign).encode())
    _put(folder / layout.KEY, f"{KEY}\n".encode())
    _manifest(count).write(folder)


def write_package_without_entries(folder: Path, whole: Path, count: int) -> None:
    """Write a package with the log of another one, for a period in which nothing was recorded."""
    folder.mkdir()
    (folder / layout.LOG).symlink_to(whole / layout.LOG)
    write_entries(folder, [])
    _manifest(count, period=format_time(BEGAN)).write(folder)


def change_a_row(path: Path) -> None:
    """Change the media type of an entry in the middle of a file."""
    data, before = path.read_bytes(), b"image/png"
    at = data.index(before, len(data) // 2)
    path.write_bytes(data[:at] + b"image/gif" + data[at + len(before) :])


def _manifest(count: int, period: str | None = None) -> Manifest:
    return Manifest(
        origin=KEY.name,
        bucket=BUCKET,
        start=period,
        end=period,
        created_at=format_time(BEGAN),
        entries=0 if period else count,
        log_size=count,
    )


def _write_batch(folder: Path, first: int, number: int) -> list[bytes]:
    """Write the rows of a batch, and return its leaves."""
    folder.mkdir()
    entries = [_entry(each) for each in range(first, first + number)]
    rows: Iterable[Any] = ({**entry_to_json(each), "findings": [*each.findings]} for each in entries)
    write_entries(folder, rows)
    sealed_at = entries[-1].recorded_at + timedelta(seconds=30)
    return [leaf_of(each, sealed_at).encode() for each in entries]


def _entry(number: int) -> Entry:
    name = f'the "{number}".png' if number % QUOTED_EVERY == 0 else f"{number}.png"
    return entry(
        f"receipts/2026/11/22/{name}",
        BEGAN + timedelta(milliseconds=number),
        Outcome.DUPLICATE if number % DUPLICATE_EVERY == 1 else Outcome.ACCEPTED,
        salt=f"{number:032x}",
        size_bytes=100_000 + number,
    )


def _move_rows(part: Path, whole: Path) -> None:
    data = part.read_bytes()
    with whole.open("ab") as file:
        file.write(data.partition(b"\n")[2] if whole.name == layout.CSV else data)
    part.unlink()


def _put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
