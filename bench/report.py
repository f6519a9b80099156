"""Results as text: a markdown page with plots, and what the terminal shows."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.plots import svg
from bench.results import Aim, Result, Table

PAGE, PLOTS = "benchmarks.md", "benchmarks"


def write_page(results: Sequence[Result], folder: Path, measured_on: str) -> Path:
    """Write ``benchmarks.md`` and its plots into a folder; return the page's path."""
    plots = folder / PLOTS
    plots.mkdir(parents=True, exist_ok=True)
    for stale in plots.glob("*.svg"):
        stale.unlink()
    for result in results:
        for plot in result.plots:
            (plots / f"{plot.name}.svg").write_text(svg(plot), encoding="utf-8")
    page = folder / PAGE
    page.write_text("\n\n".join(_page(results, measured_on)) + "\n", encoding="utf-8")
    return page


def terminal_text(result: Result) -> str:
    """Return what a measure found as text for a terminal."""
    parts = [f"== {result.title}"]
    for table in result.tables:
        parts += [f"   {table.caption}:"] if table.caption else []
        parts.append(_columns(table))
    parts += [f"   {_aim_sentence(aim)}" for aim in result.aims]
    parts += [
        f"   {'holds' if count.holds else 'DIFFERS'}: {count.text}: {count.actual}"
        + ("" if count.holds else f" (expected {count.expected})")
        for count in result.counts
    ]
    return "\n".join(parts)


def _page(results: Sequence[Result], measured_on: str) -> Iterator[str]:
    yield "# Benchmarks"
    yield (
        "Written by `make bench`, which measures everything again, side by side and in turn, on the "
        "machine that it runs on. Compare counts and ratios: times by the clock are context. "
        "One measure alone: `.venv/bin/python -m bench --only NAME`."
    )
    yield (
        f"This run: {measured_on}, Python {platform.python_version()}, {os.cpu_count()} cores "
        f"({platform.machine()})."
    )
    yield (
        "The baselines are in `bench/baselines/`. *naive*: what public samples copy: one message at a "
        "time, clients made in each invocation, only the first record, the object in memory, an "
        "unconditional put, a scan behind the API. *naive, batch 10*: the same with ten messages in turn. "
        "*idempotency*: the batch and idempotency utilities of AWS Lambda Powertools, as its documentation "
        "shows them. *The limit*: one GET and one write per receipt, all at the same time, nothing checked "
        "and nothing logged."
    )
    yield "## Aims"
    yield _markdown(
        Table(
            columns=["", "figure", "aim", "", "measure"],
            rows=[
                [aim.text, _figure(aim), _limit(aim), "met" if aim.met else "**not met**", f"`{result.name}`"]
                for result in results
                for aim in result.aims
            ],
        )
    )
    for result in results:
        yield f"## {result.title}"
        yield f"`.venv/bin/python -m bench --only {result.name}`"
        yield result.method
        for table in result.tables:
            if table.caption:
                yield f"{table.caption}:"
            yield _markdown(table)
        for plot in result.plots:
            yield f"![{plot.title}]({PLOTS}/{plot.name}.svg)"
        if result.counts:
            yield "These counts hold exactly, or the bench fails:"
            yield "\n".join(f"- {count.text}: {count.actual}" for count in result.counts)


def _markdown(table: Table) -> str:
    lines = [list(table.columns), ["---"] + ["---:"] * (len(table.columns) - 1), *map(list, table.rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _columns(table: Table) -> str:
    lines = [list(table.columns), *map(list, table.rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.columns))]
    return "\n".join(
        "   " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _aim_sentence(aim: Aim) -> str:
    return f"{'met' if aim.met else 'NOT MET'}: {aim.text}: {_figure(aim)} (aim: {_limit(aim)})"


def _figure(aim: Aim) -> str:
    return f"{aim.figure:.3g}{aim.unit}"


def _limit(aim: Aim) -> str:
    return f"{'at most' if aim.at_most else 'at least'} {aim.limit:.3g}{aim.unit}"
