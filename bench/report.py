"""Results as text: a markdown page, and what the terminal shows."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.results import Aim, Section, Table

ABOUT = """# Benchmarks

`make bench` wrote this page. It measures every contestant in turn on one machine, so compare counts and
ratios: times by the clock are only context. `.venv/bin/python -m bench --only NAME` makes a single measure.

This run: {date}, Python {python}, {cores} cores ({machine}).

The baselines are in `bench/baselines/`.

- *naive* is what public samples do: it takes one message at a time and only the first record in it, makes its
  clients in each invocation, holds the whole object in memory, overwrites what is there, and answers the API
  with a scan.
- *naive, batch 10* is the same function with ten messages in a batch, which it handles one after another.
- *idempotency* uses the batch and idempotency utilities of AWS Lambda Powertools as documented.
- *the limit* makes one GET and one write per receipt, all at the same time, and checks and logs nothing."""


def write_page(sections: Sequence[Section], page: Path, date: str) -> None:
    """Write all results to a markdown page."""
    page.write_text("\n\n".join(_page(sections, date)) + "\n", encoding="utf-8")


def terminal_text(section: Section) -> str:
    """Return what a measure found as text for a terminal."""
    parts = [f"== {section.title}"]
    for table in section.findings.tables:
        parts += [f"   {table.caption}:"] if table.caption else []
        parts += _columns(table)
    for aim in section.findings.aims:
        is_met = "met" if aim.met else "NOT MET"
        parts.append(f"   {is_met}: {aim.text}: {_figure(aim)} (aim: {_limit(aim)})")
    for count in section.findings.counts:
        found = f"{count.text}: {count.actual}"
        parts.append(
            f"   holds: {found}" if count.holds else f"   DIFFERS: {found} (expected {count.expected})"
        )
    return "\n".join(parts)


def _page(sections: Sequence[Section], date: str) -> Iterator[str]:
    yield ABOUT.format(
        date=date, python=platform.python_version(), cores=os.cpu_count(), machine=platform.machine()
    )
    yield "## Aims"
    aims = {
        aim.text: [_figure(aim), _limit(aim), "met" if aim.met else "**not met**", f"`{each.name}`"]
        for each in sections
        for aim in each.findings.aims
    }
    yield _markdown(Table(columns=["", "figure", "aim", "", "measure"], rows=aims))
    for each in sections:
        yield f"## {each.title}"
        yield f"`.venv/bin/python -m bench --only {each.name}`"
        yield each.method
        for table in each.findings.tables:
            yield from [f"{table.caption}:"] if table.caption else []
            yield _markdown(table)
        if each.findings.counts:
            yield "These counts hold exactly, or the bench fails:"
            yield "\n".join(f"- {count.text}: {count.actual}" for count in each.findings.counts)


def _markdown(table: Table) -> str:
    heads, *rows = table.lines()
    return "\n".join(
        f"| {' | '.join(line)} |" for line in (heads, ["---"] + ["---:"] * (len(heads) - 1), *rows)
    )


def _columns(table: Table) -> list[str]:
    lines = table.lines()
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "   " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]


def _figure(aim: Aim) -> str:
    return f"{aim.figure:.3g}{aim.unit}"


def _limit(aim: Aim) -> str:
    return f"{'at most' if aim.at_most else 'at least'} {aim.limit:.3g}{aim.unit}"
