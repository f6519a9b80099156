"""The progress of long work, on the error stream: a bar on a terminal, elsewhere a line each minute."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)

Advance = Callable[[int], None]
"""Adds to what is done. Any thread may call it."""

SECONDS_BETWEEN_LINES = 60.0
"""Where there is no terminal, progress is a line in a log, which is read later."""

now = time.monotonic


@contextmanager
def upload_bar(console: Console, files: int, total_bytes: int) -> Iterator[tuple[Advance, Advance]]:
    """Show the progress of uploads; yields a function that counts bytes, and one that counts files."""
    if not console.is_terminal:
        yield (lambda _: None), _lines(console, "uploaded", files)
        return
    count = TextColumn("uploading {task.fields[done]:,}/{task.fields[files]:,}")
    with _bar(console, count, BarColumn(), DownloadColumn(), TransferSpeedColumn()) as bar:
        task = bar.add_task("", total=total_bytes, done=0, files=files)

        def count_files(count: int) -> None:
            bar.update(task, done=bar.tasks[0].fields["done"] + count)

        yield (lambda count: bar.advance(task, count)), count_files


@contextmanager
def count_bar(
    console: Console, doing: str, total: int | None = None, *, in_bytes: bool = False
) -> Iterator[Advance]:
    """Show how many things are done, out of `total` if that is known; bytes have larger units and a speed."""
    if not console.is_terminal:
        yield _lines(console, doing, total)
        return
    columns: tuple[ProgressColumn, ...] = (TextColumn("{task.description}: {task.completed:,.0f}"),)
    if in_bytes:
        columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    elif total is not None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
        )
    with _bar(console, *columns, TimeElapsedColumn()) as bar:
        task = bar.add_task(doing, total=total)
        yield lambda count: bar.advance(task, count)


def _bar(console: Console, *columns: ProgressColumn) -> Progress:
    return Progress(*columns, console=console, transient=True, redirect_stdout=False)


def _lines(console: Console, doing: str, total: int | None) -> Advance:
    done, last = 0, now()

    def advance(count: int) -> None:
        nonlocal done, last
        done += count
        if now() - last >= SECONDS_BETWEEN_LINES:
            last = now()
            console.file.write(f"{doing}: {done:,} {'so far' if total is None else f'of {total:,}'}\n")
            console.file.flush()

    return advance
