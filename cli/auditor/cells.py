"""How the rows of `entries.csv` become the records that were sealed."""

from __future__ import annotations

import csv
import io
import json
import re
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from cli.screen.entries import FORMULA_STARTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_NUMBERS: Final = frozenset({"size_bytes"})
_FLAGS: Final = frozenset({"resent", "restores"})
_LISTS: Final = frozenset({"findings"})

_COLUMN: Final = re.compile(r"[a-z_]+(\.[a-z_]+)*")

_STARTS: Final = "".join(FORMULA_STARTS).encode()
_ESCAPED: Final = bytes(range(0x20)) + b"\\"
_MARKS: Final = bytes.maketrans(_STARTS + _ESCAPED, b"=" * len(_STARTS) + b"\\" * len(_ESCAPED))
"""Makes a backslash of all that JSON escapes, and `=` of what else makes a cell a formula at its start."""


class CellReader:
    """Turns rows with these columns into records. Raises ValueError if they can't be those of entries.

    Nearly all rows are plain: each cell is in quotes, and is in the record as it is in the row. For the rows
    that have the same cells empty, a record with gaps is made once and filled with the cells of each row.
    That takes a third of the time of `record_of_cells`, which gives the same record.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        is_clear = not any(other.startswith(f"{name}.") for name in columns for other in columns)
        is_usual = columns and len({*columns}) == len(columns) and all(map(_COLUMN.fullmatch, columns))
        if not (is_clear and is_usual):
            raise ValueError(f"its columns aren't those of entries: {', '.join(columns)}")
        self._columns = [name.split(".") for name in columns]
        self._flags = self._columns_of(_FLAGS)
        self._lists = self._columns_of(_LISTS)
        self._forms: dict[bytes, tuple[bytes, Callable[[Sequence[bytes]], Any]]] = {}

    def records(self, rows: bytes) -> Iterator[bytes]:
        """Turn rows into records, and into nothing what can't come from a record."""
        quotes = 2 * len(self._columns)
        for row in _rows(rows):
            cells = row[1:-1].split(b'","')
            if (
                row.count(b'"') == 2 * len(cells) == quotes
                and row[0] == row[-1] == ord('"')
                and b"\\" not in (marked := row.translate(_MARKS))
                and b'"=' not in marked
            ):
                yield self._filled(cells)
            else:
                yield from self._others(row)

    def _columns_of(self, names: frozenset[str]) -> list[int]:
        return [at for at, path in enumerate(self._columns) if path[-1] in names]

    def _filled(self, cells: list[bytes]) -> bytes:
        for at in self._flags:
            if cells[at] == b"false":
                cells[at] = b""
        for at in self._lists:
            cells[at] = cells[at].replace(b" ", b'","')
        given = bytes(map(bool, cells))
        if given not in self._forms:
            self._forms[given] = self._form(given)
        form, pick = self._forms[given]
        record: bytes = form % pick(cells)
        return record

    def _form(self, given: bytes) -> tuple[bytes, Callable[[Sequence[bytes]], Any]]:
        """Make the record of rows in which these cells are given, with gaps, and what picks their cells."""
        record: dict[str, Any] = {}
        for at, path in enumerate(self._columns):
            if given[at]:
                _put(record, path, [f"<{at}>"] if path[-1] in _LISTS else f"<{at}>")
        form = canonical(record).decode()
        for at in (*self._flags, *self._columns_of(_NUMBERS)):
            form = form.replace(f'"<{at}>"', f"<{at}>")
        order = [int(at) for at in re.findall(r"<(\d+)>", form)]
        return re.sub(r"<\d+>", "%b", form).encode(), itemgetter(*order) if order else lambda _: ()

    def _others(self, row: bytes) -> Iterator[bytes]:
        """Read what may be several rows, as other programs write them."""
        try:
            for cells in csv.reader(io.StringIO(f"{row.decode()}\r\n", newline=""), strict=True):
                try:
                    yield record_of_cells(self._columns, cells)
                except (ValueError, KeyError):
                    yield b""
        except (UnicodeDecodeError, csv.Error):
            yield b""


def _rows(data: bytes) -> Iterator[bytes]:
    """Cut at the line breaks that have an even number of quotes before them."""
    lines: list[bytes] = []
    is_open = 0
    for line in data.removesuffix(b"\r\n").split(b"\r\n"):
        lines.append(line)
        is_open ^= line.count(b'"') % 2
        if not is_open:
            yield b"\r\n".join(lines)
            lines.clear()
    if lines:
        yield b"\r\n".join(lines)


def record_of_cells(columns: Sequence[Sequence[str]], cells: Sequence[str]) -> bytes:
    """Turn a row of `entries.csv` back into the record, or raise ValueError for one that can't come from it.

    ``columns`` are the names in the header, split at their dots. Only one row stands for a record: a cell
    with a formula must have its apostrophe, or a spreadsheet would run it.
    """
    record: dict[str, Any] = {}
    for path, cell in zip(columns, cells, strict=True):
        if cell and (value := _value(path[-1], cell)) is not False:
            _put(record, path, value)
    return canonical(record)


def canonical(record: object) -> bytes:
    """Write a record of text, whole numbers, flags and lists as RFC 8785 has it, quickly.

    The names of members are ASCII, so their order by code points is the one by UTF-16 code units.
    """
    return _ENCODER.encode(record).encode()


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _put(record: dict[str, Any], path: Sequence[str], value: object) -> None:
    for name in path[:-1]:
        record = record.setdefault(name, {})
    record[path[-1]] = value


def _value(name: str, cell: str) -> object:
    if name in _NUMBERS:
        number = int(cell)
        if str(number) != cell:
            raise ValueError(f"{name} is {cell!r}")
        return number
    if name in _FLAGS:
        return {"true": True, "false": False}[cell]
    if name in _LISTS:
        return cell.split(" ")
    if cell[0] in FORMULA_STARTS:
        if cell[0] != "'" or cell[1:2] not in FORMULA_STARTS or len(cell) == 1:
            raise ValueError(f"{name} isn't protected from being taken for a formula")
        return cell[1:]
    return cell
