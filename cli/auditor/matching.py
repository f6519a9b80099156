"""Matching what the log has with what the package has, part by part of the spilled rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.auditor.log_reading import LEAF_ROW, OBJECT_ROW, LogContext
from cli.auditor.rows import ENTRY_ROW, NO_IDENTITY
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
    """Match the hashes of records, and what the leaves say with what the records do."""
    leaves: dict[bytes, bytes] = {}
    sealed: dict[bytes, bytes] = {}
    lying: list[bytes] = []
    for record, leaf, said in LEAF_ROW.iter_unpack(read_part(context.leaf_rows, part)):
        if sealed.get(record, said) != said:
            lying.append(leaves[record])
        leaves[record], sealed[record] = leaf, said
    result = []
    for folder in files:
        data = read_part(folder, part)
        places: dict[bytes, int] = {}
        matched: set[bytes] = set()
        strangers: dict[bytes, bytes] = {}
        for record, place, said in ENTRY_ROW.iter_unpack(data):
            places[record] = place
            if record not in sealed:
                strangers[record] = said
            elif said in {NO_IDENTITY, sealed[record]}:
                matched.add(record)
        if strangers:
            others = LEAF_ROW.iter_unpack(read_part(context.other_leaf_rows, part))
            matched |= {record for record, _, said in others if strangers.get(record) in {NO_IDENTITY, said}}
        missing = map(OBJECT_ROW.unpack, [*lying, *(leaves[record] for record in leaves.keys() - matched)])
        result.append(
            Unmatched(
                leaves={index: object_id for object_id, index in missing},
                rows={places[record] for record in places.keys() - matched},
                repeated=len(data) // ENTRY_ROW.size - len(places),
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
    return [
        place
        for object_id, place in OBJECT_ROW.iter_unpack(read_part(listed, part))
        if object_id not in sealed
    ]
