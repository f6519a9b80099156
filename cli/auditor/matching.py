"""Matching what the log has with what the package has, part by part of the spilled rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.auditor.log_reading import LEAF_ROW, OBJECT_ROW, LogContext
from cli.auditor.rows import ROW
from cli.auditor.spill import read_part

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Unmatched:
    """What is left over of a part, for each file of entries.

    ``leaves`` are the object ids of leaves without a row, by the index of the leaf. ``rows`` are the places
    of rows without a leaf, and ``repeated`` says how often there were other rows with the same record.
    """

    leaves: dict[int, bytes]
    rows: set[int]
    repeated: int


def match_part(part: int, context: LogContext, files: Sequence[Path]) -> list[Unmatched]:
    """Match the hashes of records."""
    leaves: dict[bytes, bytes] = dict(LEAF_ROW.iter_unpack(read_part(context.leaf_rows, part)))
    result = []
    for folder in files:
        data = read_part(folder, part)
        places: dict[bytes, int] = dict(ROW.iter_unpack(data))
        unsealed = places.keys() - leaves.keys()
        if unsealed:
            others = read_part(context.other_leaf_rows, part)
            unsealed -= {record for record, _ in LEAF_ROW.iter_unpack(others)}
        missing = (OBJECT_ROW.unpack(leaves[record]) for record in leaves.keys() - places.keys())
        result.append(
            Unmatched(
                leaves={index: object_id for object_id, index in missing},
                rows={places[record] for record in unsealed},
                repeated=len(data) // ROW.size - len(places),
            )
        )
    return result


def twice_in_part(part: int, context: LogContext) -> list[bytes]:
    """Return the object ids that have more than one leaf."""
    object_ids = [object_id for object_id, _ in OBJECT_ROW.iter_unpack(read_part(context.object_rows, part))]
    if len({*object_ids}) == len(object_ids):
        return []
    return [object_id for object_id, count in Counter(object_ids).items() if count > 1]


def without_leaf(part: int, context: LogContext, listed: Path) -> list[int]:
    """Return the places in a listing of object versions that have no leaf."""
    sealed = dict(OBJECT_ROW.iter_unpack(read_part(context.object_rows, part)))
    return [place for object_id, place in ROW.iter_unpack(read_part(listed, part)) if object_id not in sealed]
