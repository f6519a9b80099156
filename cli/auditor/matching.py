"""Matching what the log has with what the package has, part by part of the spilled rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cli.auditor.log_reading import IN_PERIOD, LEAF_ROW_BYTES, OBJECT_ROW_BYTES
from cli.auditor.rows import ROW_BYTES
from cli.auditor.spill import KEY_BYTES, read_part

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(kw_only=True)
class Unmatched:
    """What is left over of a part, for each file of entries.

    ``leaves`` are the object ids of leaves without a row, by the index of the leaf. ``rows`` are the places
    of rows without a leaf, and ``repeated`` says how often there were other rows with the same record.
    """

    leaves: dict[int, bytes] = field(default_factory=dict)
    rows: set[int] = field(default_factory=set)
    repeated: int = 0


def match_part(part: int, leaf_rows: Path, files: Sequence[Path]) -> list[Unmatched]:
    """Match the hashes of records."""
    leaves = {row[:KEY_BYTES]: row for row in read_part(leaf_rows, LEAF_ROW_BYTES, part)}
    result = []
    for folder in files:
        rows = [*read_part(folder, ROW_BYTES, part)]
        places = {row[:KEY_BYTES]: row for row in rows}
        unmatched = Unmatched(repeated=len(rows) - len(places))
        unmatched.rows = {
            int.from_bytes(places[each][KEY_BYTES:], "big") for each in places.keys() - leaves.keys()
        }
        for each in leaves.keys() - places.keys():
            row = leaves[each]
            if row[-1:] == IN_PERIOD:
                index = int.from_bytes(row[2 * KEY_BYTES : -1], "big")
                unmatched.leaves[index] = row[KEY_BYTES : 2 * KEY_BYTES]
        result.append(unmatched)
    return result


def twice_in_part(part: int, object_rows: Path) -> list[bytes]:
    """Return the object ids that have more than one leaf."""
    counted = Counter(row[:KEY_BYTES] for row in read_part(object_rows, OBJECT_ROW_BYTES, part))
    return [object_id for object_id, count in counted.items() if count > 1]


def without_leaf(part: int, object_rows: Path, listed: Path) -> list[int]:
    """Return the places in a listing of object versions that have no leaf."""
    sealed = {row[:KEY_BYTES] for row in read_part(object_rows, OBJECT_ROW_BYTES, part)}
    return [
        int.from_bytes(row[KEY_BYTES:], "big")
        for row in read_part(listed, ROW_BYTES, part)
        if row[:KEY_BYTES] not in sealed
    ]
