"""The rows of a package's two files of entries, cut into blocks that are read in several processes."""

from __future__ import annotations

import csv
import json
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

ROW: Final = Struct(f">{KEY_BYTES}sQ")
"""The hash of a record, and the place of its row."""

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


def spill_block(block: Block, folder: Path, parts: int) -> int:
    """Spill the hash of each record of a block, and return how many rows there are."""
    return spill(
        (ROW.pack(sha256(record).digest(), place) for place, record in block.placed()), folder, parts
    )


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
