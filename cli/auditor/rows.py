"""The rows of a package's two files of entries, cut into blocks that are read in several processes."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from struct import Struct
from typing import TYPE_CHECKING, Final

from cli.auditor.cells import CellReader
from cli.auditor.spill import KEY_BYTES, spill
from functions.contract.entry import ObjectVersion

if TYPE_CHECKING:
    from pathlib import Path

IDENTITY_BYTES: Final = 16
NO_IDENTITY: Final = bytes(IDENTITY_BYTES)
"""Of a row in CSV. The one in JSON Lines has the same record."""

ENTRY_ROW: Final = Struct(f">{KEY_BYTES + IDENTITY_BYTES}sQ")
"""The hash of a record with its `identity`, and the place of its row."""

_BLOCK_BYTES: Final = 4 << 20
_MAX_ROW_BYTES: Final = 1 << 20
"""The longest row. It holds a key of 1 KiB, its uploader and a few times more."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """Whole rows of a file. ``columns`` are those of a file of CSV, and are empty for JSON Lines."""

    path: Path
    number: int
    start: int
    end: int
    columns: tuple[str, ...] = ()

    def records(self) -> Iterator[bytes]:
        """Turn each row into its record, or into nothing if it can't be one."""
        with self.path.open("rb") as file:
            file.seek(self.start)
            data = file.read(self.end - self.start)
        if self.columns:
            yield from CellReader(self.columns).records(data)
        else:
            yield from data.removesuffix(b"\n").split(b"\n")

    def placed(self) -> Iterator[tuple[int, bytes]]:
        """Return the records with the places of their rows, which no other block has."""
        return enumerate(self.records(), self.number << 32)


def blocks_of(path: Path) -> Iterator[Block]:
    """Cut a file into blocks. Raise ValueError if it can't be one of entries.

    A line of CSV ends at a line feed that has an even number of quotes before it.
    """
    is_csv = path.suffix == ".csv"
    with path.open("rb") as file:
        columns: tuple[str, ...] = ()
        start = number = 0
        if is_csv:
            header = file.readline(_MAX_ROW_BYTES)
            start = len(header)
            columns = tuple(next(csv.reader([header.decode().rstrip("\r\n")]), ()))
            CellReader(columns)
        rest = b""
        while data := file.read(_BLOCK_BYTES):
            rest += data
            if (end := _end_of_rows(rest, is_csv)) == 0 and len(rest) > _BLOCK_BYTES + _MAX_ROW_BYTES:
                raise ValueError(f"{path} has a row of more than {_MAX_ROW_BYTES:,} bytes")
            if end:
                yield Block(path=path, number=number, start=start, end=start + end, columns=columns)
                start, number, rest = start + end, number + 1, rest[end:]
        if rest:
            yield Block(path=path, number=number, start=start, end=start + len(rest), columns=columns)


def _end_of_rows(data: bytes, is_csv: bool) -> int:
    """Return where the last whole row ends. The data begins with a row."""
    end = data.rfind(b"\n") + 1
    if is_csv and end:
        is_open = data.count(b'"', 0, end) % 2
        while end and is_open:
            before = data.rfind(b"\n", 0, end - 1) + 1
            is_open = (is_open + data.count(b'"', before, end)) % 2
            end = before
    return end


_START: Final = re.compile(
    rb'\{"bucket":"([^"]*)",(?:"detail":"[^"]*",)?(?:"duplicate_of":\{[^{}]*\},)?'
    rb'(?:"findings":\[[^\[\]]*\],)?(?:"fingerprint":"([^"]*)",)?"key":"([^"]*)",'
)
_REST: Final = re.compile(rb'"recorded_at":"([^"]*)",.*"version_id":"([^"]*)"\}\Z')
"""A record in which nothing is escaped, as nearly all are. Reading it is faster than reading JSON."""


def identity(object_id: bytes, recorded_at: bytes, fingerprint: bytes) -> bytes:
    """Hash what both a leaf and its record say. Only whoever signs a leaf can make these differ."""
    return sha256(b"\n".join((object_id, recorded_at, fingerprint))).digest()[:IDENTITY_BYTES]


def identity_of(record: bytes) -> bytes:
    """Return the identity that a record has, and one that no leaf has if it isn't the record of an entry."""
    is_plain = b"\\" not in record
    if is_plain and (start := _START.match(record)) and (rest := _REST.search(record, start.end())):
        bucket, fingerprint, key = start.groups(b"")
        recorded_at, version_id = rest.groups()
        object_id = sha256(b"\0".join((bucket, version_id, key))).digest()
        return identity(object_id, recorded_at, fingerprint)
    try:
        object_id, _, time = named_object(record)
        return identity(object_id, time.encode(), str(json.loads(record).get("fingerprint", "")).encode())
    except ValueError:
        return b"\xff" * IDENTITY_BYTES


def spill_block(block: Block, folder: Path, parts: int) -> int:
    """Spill the hash of each record of a block, and return how many rows there are."""
    rows = (
        ENTRY_ROW.pack(
            sha256(record).digest() + (NO_IDENTITY if block.columns else identity_of(record)), place
        )
        for place, record in block.placed()
    )
    return spill(rows, folder, parts)


def rows_at(blocks: list[Block], places: set[int]) -> Iterator[bytes]:
    """Read again the records at some places."""
    for number in sorted({place >> 32 for place in places}):
        yield from (record for place, record in blocks[number].placed() if place in places)


def named_object(record: bytes) -> tuple[bytes, str, str]:
    """Return what a record says about itself: its object id, its key and when it was recorded.

    Raise ValueError if it isn't the record of an entry.
    """
    try:
        members = json.loads(record)
        version = ObjectVersion(**{name: members[name] for name in ("bucket", "key", "version_id")})
        return bytes.fromhex(version.object_id), str(version.key), str(members["recorded_at"])
    except (KeyError, TypeError, RecursionError, UnicodeEncodeError) as error:
        raise ValueError(f"not the record of an entry: {error!r}") from None
