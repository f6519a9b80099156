"""Progress of long work, on the error stream: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)

Advance = Callable[[int], None]
"""Tells that so much more is done. May be called from any thread."""

STEPS = 10
"""How many lines at most tell of progress where there is no terminal."""


@contextmanager
def upload_bar(console: Console, files: int, total_bytes: int) -> Iterator[tuple[Advance, Advance]]:
    """Show how many bytes and files are uploaded: yields what to tell of the first, and of the second."""
    if not console.is_terminal:
        yield (lambda _: None), _lines(console, "uploaded", files)
        return
    columns = (
        TextColumn("uploading {task.fields[done]}/{task.fields[files]}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as bar:
        task = bar.add_task("", total=total_bytes, done=0, files=files)

        def add_files(count: int) -> None:
            bar.update(task, done=bar.tasks[0].fields["done"] + count)

        yield (lambda count: bar.advance(task, count)), add_files


@contextmanager
def count_bar(console: Console, doing: str, total: int) -> Iterator[Advance]:
    """Show how many of `total` things are done."""
    if not console.is_terminal:
        yield _lines(console, doing, total)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as bar:
        task = bar.add_task(doing, total=total)
        yield lambda count: bar.advance(task, count)


@contextmanager
def tally(console: Console, doing: str) -> Iterator[Advance]:
    """Show how many things are done, where nobody knows how many there are."""
    if not console.is_terminal:
        yield _powers(console, doing)
        return
    columns = (TextColumn("{task.description}: {task.completed:,.0f}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as bar:
        task = bar.add_task(doing, total=None)
        yield lambda count: bar.advance(task, count)


def _powers(console: Console, doing: str) -> Advance:
    """Write a line at 10,000 and at each doubling, so that any number takes few lines."""
    done, next_line = 0, 10_000

    def advance(count: int) -> None:
        nonlocal done, next_line
        done += count
        if done >= next_line:
            console.file.write(f"{doing}: {done:,} so far\n")
            console.file.flush()
            while next_line <= done:
                next_line *= 2

    return advance


def _lines(console: Console, doing: str, total: int) -> Advance:
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        before, done = done, done + count
        if done * STEPS // max(total, 1) > before * STEPS // max(total, 1):
            console.file.write(f"{doing}: {done} of {total}\n")
            console.file.flush()

    return advance
