"""Results as markdown, for the terminal and for docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence

from bench.results import FigureTable, Section

ABOUT = """# Benchmarks

`make bench` wrote this page. It measures every contestant in turn on one machine, so compare counts and
ratios: wall-clock times are only context. `.venv/bin/python -m bench --only NAME` makes a single measure.

This run: {date}, Python {python}, {cores} cores ({machine}).

The baselines are in `bench/baselines/`.

- *naive* is what public samples do: it takes one message at a time and only reads its first record, makes new
  clients in each invocation, holds the whole object in memory, overwrites existing items, and answers the API
  with a scan.
- *naive, batch 10* is the same function with ten messages in a batch, which it handles one after another.
- *idempotency* uses the batch and idempotency utilities of AWS Lambda Powertools as documented.
- *the limit* makes one GET and one write per receipt, all at the same time, and checks and logs nothing."""


def page_text(sections: Sequence[Section], date: str) -> str:
    """Return the page with all results."""
    about = ABOUT.format(
        date=date, python=platform.python_version(), cores=os.cpu_count(), machine=platform.machine()
    )
    return "\n\n".join([about, aims_text(sections), *map(section_text, sections)]) + "\n"


def aims_text(sections: Sequence[Section]) -> str:
    """Return the table of all aims."""
    rows = {
        aim.text: {
            "figure": f"{aim.figure:.3g}{aim.unit}",
            "aim": f"{'at most' if aim.at_most else 'at least'} {aim.limit:.3g}{aim.unit}",
            "": "met" if aim.met else "**not met**",
            "measure": f"`{each.name}`",
        }
        for each in sections
        for aim in each.aims
    }
    return f"## Aims\n\n{_table_text(FigureTable(rows))}"


def section_text(section: Section) -> str:
    """Return what a measure found, and how."""
    parts = [f"## {section.title}", f"`.venv/bin/python -m bench --only {section.name}`", section.method]
    for table in section.tables:
        parts += [f"{table.caption}:"] if table.caption else []
        parts.append(_table_text(table))
    if section.counts:
        parts.append("These counts hold exactly, or the bench fails:")
        parts.append("\n".join(f"- {count.text}: {count.actual}" for count in section.counts))
    return "\n\n".join(parts)


def _table_text(table: FigureTable) -> str:
    heads, *rows = table.lines()
    widths = [max(3, *map(len, column)) for column in zip(heads, *rows, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))} |"
        for line in (heads, rule, *rows)
    )
