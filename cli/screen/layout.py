"""Fits a table into the width of a terminal: columns are left out, and long cells take several lines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from rich.cells import cell_len, chop_cells

DROPPED_FIRST = (
    *("VERSION", "TYPE", "UPLOADER", "SIZE", "RECEIVED", "FINGERPRINT"),
    *("UPLOADED", "FIRST SENT", "RECORDED", "STATE", "KEY"),
)
"""Which columns a narrow table leaves out, in this order, until the others fit. The last is needed most."""

FLEXIBLE = frozenset({"DETAIL", "FILE", "KEY", "REASON"})
"""The columns whose cells may take several lines."""

LEAST_WIDTH = 15
"""How narrow a flexible column may become before another column is left out."""

GAP = 2


def fitting_columns(rows: Sequence[Mapping[str, str]], width: int) -> list[str]:
    """Return the names of the columns that a table of this width has room for."""
    natural = natural_widths(rows)
    kept = list(natural)
    for name in (*DROPPED_FIRST, ""):
        least = sum(min(natural[each], LEAST_WIDTH) if each in FLEXIBLE else natural[each] for each in kept)
        if least + GAP * (len(kept) - 1) <= width:
            break
        kept = [each for each in kept if each != name]
    return kept


def natural_widths(rows: Sequence[Mapping[str, str]]) -> dict[str, int]:
    """Return how wide each column would have to be for its name and its longest cell."""
    return {name: max(cell_len(name), *(cell_len(row[name]) for row in rows)) for name in rows[0]}


def fitted_widths(natural: Mapping[str, int], width: int) -> dict[str, int]:
    """Return the widths of the columns, of which the flexible ones share what the others leave."""
    widths = dict(natural)
    left = width - GAP * (len(widths) - 1) - sum(widths[name] for name in widths if name not in FLEXIBLE)
    flexible = [name for name in widths if name in FLEXIBLE]
    # Where all are too wide, the last one, which is DETAIL, gets what is left over.
    narrow_first = sorted(flexible, key=lambda name: min(widths[name], left // len(flexible)))
    for place, name in enumerate(narrow_first):
        share = left // (len(narrow_first) - place)
        widths[name] = min(widths[name], max(share, LEAST_WIDTH))
        left -= widths[name]
    return widths


def physical_lines(cells: Sequence[str], widths: Sequence[int]) -> Iterator[list[str]]:
    """Yield the lines that a row takes: for each, the part of every cell, padded to its column's width."""
    wrapped = [wrapped_cell(cell, width) for cell, width in zip(cells, widths, strict=True)]
    for number in range(max(map(len, wrapped))):
        parts = [lines[number] if number < len(lines) else "" for lines in wrapped]
        yield [part + " " * (width - cell_len(part)) for part, width in zip(parts, widths, strict=True)]


def wrapped_cell(text: str, width: int) -> list[str]:
    """Break a cell into lines, after a space or after a character that separates the parts of a key.

    Digits with a hyphen between them, such as a date, stay together. Only a part that is wider than its
    column is broken anywhere.
    """
    if cell_len(text) <= width:
        return [text]
    lines = [""]
    for part in re.findall(r"(?:[^\s/_-]|(?<=\d)-(?=\d))*[\s/_-]?", text):
        if cell_len(lines[-1]) + cell_len(part.rstrip()) <= width:
            lines[-1] += part
        elif cell_len(part) <= width:
            lines.append(part)
        else:
            lines += chop_cells(part, width)
    return [line.rstrip() for line in lines if line.strip()] or [""]
