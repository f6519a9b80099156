"""Downloads a log through the API, as it is at its newest checkpoint."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cli.errors import BillEError
from functions.contract.entry import parse_time
from functions.contract.sealing import CHECKPOINT
from functions.sealing.note import Checkpoint, parse_note
from functions.sealing.tiles import bundle_path, decode_bundle, tile_path
from functions.sealing.tree import HASH_BYTES, TILE_WIDTH, width_at

if TYPE_CHECKING:
    from datetime import datetime

    from cli.caller.api_client import ApiClient

LAST_BUNDLES = 64
"""Among the leaves of so many bundles is the entry that was recorded last, of those that are sealed. What a
sweep has sealed late was recorded earlier, and comes in small numbers."""


@dataclass(frozen=True, kw_only=True)
class DownloadedLog:
    """A log in a folder. ``note`` is its newest checkpoint, as it was signed."""

    folder: Path
    note: str
    checkpoint: Checkpoint

    def read(self, path: str) -> bytes:
        """Return a file of the log."""
        return (self.folder / path).read_bytes()

    def read_tile(self, level: int, index: int, width: int) -> bytes:
        """Return a tile, for proofs."""
        return self.read(tile_path(level, index, width))

    def leaves(self, first_bundle: int = 0) -> Iterator[tuple[int, bytes]]:
        """Yield the leaves from a bundle on, each with its index."""
        for path, number, _ in _bundles(self.checkpoint.size, first_bundle):
            for place, leaf in enumerate(decode_bundle(self.read(path))):
                yield number * TILE_WIDTH + place, leaf

    def last_recorded(self) -> datetime | None:
        """Return the latest time of recording of a sealed entry. What was recorded by then is sealed."""
        first = max(0, -(-self.checkpoint.size // TILE_WIDTH) - LAST_BUNDLES)
        times = (str(json.loads(leaf)["recorded_at"]) for _, leaf in self.leaves(first))
        latest = max(times, default=None)
        return None if latest is None else parse_time(latest)


def download_log(
    api: ApiClient, folder: Path, *, concurrency: int, on_file: Callable[[int], None]
) -> DownloadedLog:
    """Download what the folder doesn't have yet. Raise BillEError if the log isn't whole, or isn't one."""
    data = api.log_file(CHECKPOINT)
    if data is None:
        raise BillEError("the log has no checkpoint yet: the sealer writes one within a minute or two")
    try:
        note = data.decode()
        checkpoint = Checkpoint.parse(parse_note(note).text)
    except ValueError as error:
        raise BillEError(f"the log's checkpoint can't be read: {error}") from None

    def fetch(file: tuple[str, int | None]) -> None:
        path, length = file
        place = folder / path
        if not (place.is_file() and length in (None, place.stat().st_size)):
            content = api.log_file(path)
            if content is None:
                raise BillEError(f"the log has a checkpoint of {checkpoint.size} entries, but no {path}")
            _write(place, content)
        on_file(1)

    with ThreadPoolExecutor(concurrency, thread_name_prefix="log") as threads:
        for _ in threads.map(fetch, log_files(checkpoint.size)):
            pass
    _write(folder / CHECKPOINT, data)
    return DownloadedLog(folder=folder, note=note, checkpoint=checkpoint)


def log_files(size: int) -> Iterator[tuple[str, int | None]]:
    """Yield the paths of a log of this size, with their lengths in bytes where these are known."""
    level = 0
    while count := width_at(size, level):
        for index in range(-(-count // TILE_WIDTH)):
            width = min(TILE_WIDTH, count - index * TILE_WIDTH)
            yield tile_path(level, index, width), width * HASH_BYTES
        level += 1
    yield from ((path, None) for path, _, _ in _bundles(size, 0))


def _bundles(size: int, first: int) -> Iterator[tuple[str, int, int]]:
    for number in range(first, -(-size // TILE_WIDTH)):
        width = min(TILE_WIDTH, size - number * TILE_WIDTH)
        yield bundle_path(number, width), number, width


def _write(place: Path, content: bytes) -> None:
    """Write a file so that it is whole if it has its name."""
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = place.with_name(f".{place.name}.{os.getpid()}.part")
    temporary.write_bytes(content)
    temporary.replace(place)
