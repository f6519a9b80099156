"""The ledger against the log: the entries that nobody has sealed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from cli.errors import BillEError, explained
from cli.operator.pace import concurrently
from functions.contract.entry import Entry, format_time
from functions.contract.sealing import CHECKPOINT, MAX_DELAY
from functions.sealing.leaf import Kind, Leaf
from functions.sealing.note import Checkpoint, parse_note
from functions.sealing.tiles import bundle_path, decode_bundle
from functions.sealing.tree import TILE_WIDTH

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

READERS = 8
"""How many bundles are read at the same time."""


@dataclass(frozen=True, kw_only=True)
class SealTotals:
    """How many leaves the log has, and how many entries it lacks that were recorded before `counted_to`.

    `since` is when the oldest of these was recorded.
    """

    leaves: int
    unsealed: int
    since: str | None
    counted_to: str


class UnsealedEntries:
    """Tells which entries are not in the log. Used by one thread.

    Load the log before the ledger, then show each entry. What was recorded after `began_at` isn't counted.
    Whether the log is the one that was signed is for `bill-e verify` to say.
    """

    def __init__(self, database: sqlite3.Connection, began_at: datetime) -> None:
        self._database = database
        self._counted_to = format_time(began_at)
        self._late_before = format_time(began_at - MAX_DELAY)
        self._leaves = self._unsealed = 0
        self._since: str | None = None
        database.execute("CREATE TABLE sealed (object_id BLOB)")

    def add_leaves(self, leaves: Iterable[Leaf]) -> None:
        """Load leaves of the log."""
        rows = [(bytes.fromhex(leaf.object_id),) for leaf in leaves if leaf.kind is Kind.ENTRY]
        self._database.executemany("INSERT INTO sealed VALUES (?)", rows)
        self._leaves += len(rows)

    def index(self) -> None:
        """Index the log, once all of it is loaded."""
        self._database.execute("CREATE INDEX sealed_object ON sealed (object_id)")

    def is_late(self, entry: Entry) -> bool:
        """Count an entry that isn't sealed, and say whether it should have been."""
        recorded_at = format_time(entry.recorded_at)
        if recorded_at >= self._counted_to or self._is_sealed(entry):
            return False
        self._unsealed += 1
        self._since = min(self._since or recorded_at, recorded_at)
        return recorded_at < self._late_before

    def totals(self) -> SealTotals:
        """Return what was counted."""
        return SealTotals(
            leaves=self._leaves, unsealed=self._unsealed, since=self._since, counted_to=self._counted_to
        )

    def _is_sealed(self, entry: Entry) -> bool:
        object_id = bytes.fromhex(entry.upload.version.object_id)
        found = self._database.execute("SELECT 1 FROM sealed WHERE object_id = ?", (object_id,))
        return found.fetchone() is not None


def log_leaves(s3: S3Client, bucket: str) -> Iterator[list[Leaf]]:
    """Read the leaves of a stack's log, bundle by bundle. A log without a checkpoint has none yet."""

    def read(path: str) -> bytes | None:
        with explained(f"reading the log in bucket {bucket} (s3:GetObject)", granted_by="operator_policy"):
            try:
                return s3.get_object(Bucket=bucket, Key=path)["Body"].read()
            except s3.exceptions.NoSuchKey:
                return None

    def bundle(number: int) -> list[Leaf]:
        width = min(TILE_WIDTH, size - number * TILE_WIDTH)
        path = bundle_path(number, width)
        try:
            leaves = [Leaf.parse(leaf) for leaf in decode_bundle(read(path) or b"")]
            why = f"it has {len(leaves)} leaves in place of {width}" if len(leaves) != width else None
        except ValueError as error:
            why = str(error)
        if why:
            raise BillEError(
                f"{path} of the log in bucket {bucket} can't be read: {why}; `bill-e verify` says more"
            )
        return leaves

    note = read(CHECKPOINT)
    if note is None:
        return
    try:
        size = Checkpoint.parse(parse_note(note.decode()).text).size
    except ValueError as error:
        raise BillEError(f"the checkpoint of the log in bucket {bucket} can't be read: {error}") from error
    yield from concurrently(bundle, iter(range(-(-size // TILE_WIDTH))), READERS)
