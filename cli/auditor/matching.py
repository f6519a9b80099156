"""Matching what the log has with what the package has, part by part of the spilled rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cli.auditor.log_reading import LEAF_ROW, OBJECT_ROW
from cli.auditor.rows import ROW
from cli.auditor.spill import read_part

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
    leaves = {record: rest for record, *rest in LEAF_ROW.iter_unpack(read_part(leaf_rows, part))}
    result = []
    for folder in files:
        data = read_part(folder, part)
        places: dict[bytes, int] = dict(ROW.iter_unpack(data))
        unmatched = Unmatched(repeated=len(data) // ROW.size - len(places))
        unmatched.rows = {places[record] for record in places.keys() - leaves.keys()}
        for object_id, index, is_in_period in (leaves[record] for record in leaves.keys() - places.keys()):
            if is_in_period:
                unmatched.leaves[index] = object_id
        result.append(unmatched)
    return result


def twice_in_part(part: int, object_rows: Path) -> list[bytes]:
    """Return the object ids that have more than one leaf."""
    object_ids = [object_id for object_id, _ in OBJECT_ROW.iter_unpack(read_part(object_rows, part))]
    if len({*object_ids}) == len(object_ids):
        return []
    return [object_id for object_id, count in Counter(object_ids).items() if count > 1]


def without_leaf(part: int, object_rows: Path, listed: Path) -> list[int]:
    """Return the places in a listing of object versions that have no leaf."""
    sealed = dict(OBJECT_ROW.iter_unpack(read_part(object_rows, part)))
    return [place for object_id, place in ROW.iter_unpack(read_part(listed, part)) if object_id not in sealed]
