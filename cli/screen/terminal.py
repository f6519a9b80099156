"""How results look: coloured and fitted to the width on a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from typing import IO, Any

from rich.console import Console
from rich.text import Text

from cli.screen.layout import GAP, fitted_widths, fitting_columns, natural_widths, physical_lines
from cli.screen.progress import Advance, count_bar
from functions.contract.entry import Outcome
from functions.contract.file_names import is_unseen

COLOURS: dict[str, str] = {Outcome.ACCEPTED: "green", Outcome.DUPLICATE: "yellow", Outcome.REJECTED: "red"}
ABSENT = "-"
ROWS_AT_ONCE = 200
SHOWN = 100
"""How many rows of a kind `excerpt` shows."""
Row = Mapping[str, str]
"""Column name to cell, in the order of the columns."""


@dataclass(frozen=True, kw_only=True)
class Terminal:
    """Where a command writes: results to `out`, progress and warnings to `err`."""

    out: Console
    err: Console

    @classmethod
    def over(cls, out: IO[str], err: IO[str]) -> Terminal:
        """Write to two text streams."""
        plain: dict[str, Any] = {"markup": False, "emoji": False, "highlight": False}
        return cls(out=Console(file=out, **plain), err=Console(file=err, **plain))

    def write(self, line: str, style: str = "") -> None:
        """Write one line of the result."""
        _write(self.out, line, style)

    def complain(self, line: str, style: str = "") -> None:
        """Write one line about something that went wrong or that the user should know."""
        _write(self.err, line, style)

    def counting(self, doing: str, total: int | None = None) -> AbstractContextManager[Advance]:
        """Show on `err` how many things have been done, out of `total` if it is known."""
        return count_bar(self.err, doing, total)

    def counting_bytes(self, doing: str, total: int | None = None) -> AbstractContextManager[Advance]:
        """Show the same of bytes."""
        return count_bar(self.err, doing, total, in_bytes=True)

    def json(self, document: object) -> None:
        """Write a JSON document, in ASCII, so that nothing in it can control a terminal."""
        self.out.file.write(f"{json.dumps(document, indent=2)}\n")

    def json_of_lists(self, members: Mapping[str, object], lists: Mapping[str, Iterable[object]]) -> None:
        """Write a JSON object: `members`, then `lists`, item by item, so that any number fits into memory."""
        write = self.out.file.write
        write(
            "{" + ",".join(f"\n  {json.dumps(name)}: {json.dumps(value)}" for name, value in members.items())
        )
        for name, items in lists.items():
            write(f",\n  {json.dumps(name)}: [")
            separator = "\n    "
            for item in items:
                write(f"{separator}{json.dumps(item)}")
                separator = ",\n    "
            write("]" if separator == "\n    " else "\n  ]")
        write("\n}\n")

    def table(self, rows: Iterable[Row]) -> None:
        """Write rows as they come, aligned in blocks, without holding all of them in memory.

        On a terminal, a narrow table leaves out columns (`DROPPED_FIRST`), and goes on in the next line.
        """
        source = iter(rows)
        columns: list[str] = []
        while block := [_printable(row) for row in islice(source, ROWS_AT_ONCE)]:
            is_first = not columns
            if is_first:
                columns = fitting_columns(block, self.out.width) if self.out.is_terminal else [*block[0]]
            kept = [{name: row[name] for name in columns} for row in block]
            natural = natural_widths(kept)
            widths = fitted_widths(natural, self.out.width) if self.out.is_terminal else natural
            if is_first:
                self._row(dict(zip(columns, columns, strict=True)), widths, style="bold")
            for row in kept:
                self._row(row, widths)

    def excerpt(self, *kinds: tuple[int, Iterable[Row], str]) -> None:
        """Write the first rows of each kind as one table, and say how many are left out.

        A kind is the number of its rows, the rows, and a clause for the sentence about those left out.
        """
        self.table(row for _, rows, _ in kinds for row in islice(rows, SHOWN))
        for count, _, clause in kinds:
            if count > SHOWN:
                self.complain(f"and {count - SHOWN:,} more{clause}: --json lists all")

    def fields(self, fields: Row) -> None:
        """Write names and values, one per line."""
        width = max(map(len, fields))
        for name, value in fields.items():
            _write(self.out, f"{name:<{width}}  {value}", COLOURS.get(value, ""), in_words=False)

    def _row(self, row: Row, widths: Mapping[str, int], style: str = "") -> None:
        for parts in physical_lines([*row.values()], [*widths.values()]):
            if self.out.is_terminal:
                cells = (Text(part, style=COLOURS.get(part.strip(), style)) for part in parts)
                line = Text(" " * GAP).join(cells)
                line.rstrip()
                self.out.print(line, soft_wrap=True)
            else:
                self.out.file.write(f"{(' ' * GAP).join(parts).rstrip()}\n")


def printable(text: str) -> str:
    """Escape characters that control a terminal or mislead a reader, such as ESC or a right-to-left override.

    Whoever uploads chooses keys and file names. This escapes the Unicode categories of control, format,
    surrogate, private-use and unassigned characters, and the line and paragraph separators.
    """
    return "".join(_escape(character) if is_unseen(character) else character for character in text)


def _printable(row: Row) -> Row:
    return {name: printable(cell) for name, cell in row.items()}


def size_text(size_bytes: int | None) -> str:
    """Write a size for people: 0 B, 1.5 kB, 20.0 MB (powers of 1000)."""
    if size_bytes is None:
        return ABSENT
    if size_bytes < 1000:
        return f"{size_bytes} B"
    size, unit = size_bytes / 1000, "kB"
    for larger in ("MB", "GB", "TB"):
        if size < 999.95:
            break
        size, unit = size / 1000, larger
    return f"{size:.1f} {unit}"


def second_of(time: str) -> str:
    """Cut an RFC 3339 time in UTC to whole seconds."""
    return f"{time[:19]}Z" if len(time) > 20 else time


def _write(console: Console, line: str, style: str, *, in_words: bool = True) -> None:
    if console.is_terminal:
        text = printable(line)
        if in_words:
            # A word that is too long, such as a path, stays whole so that it can be copied.
            text = textwrap.fill(text, console.width, break_long_words=False, break_on_hyphens=False)
        console.print(Text(text, style=style), soft_wrap=True)
    else:
        # Not through rich, which would end the process by itself when the pipe is closed.
        console.file.write(f"{printable(line)}\n")


def _escape(character: str) -> str:
    return character.encode("unicode_escape", errors="surrogatepass").decode()
