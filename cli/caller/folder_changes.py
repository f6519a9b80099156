"""Noticing changes in a folder, as far as the system tells of them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import watchfiles

TICK_SECONDS = 1.0
TRY_AGAIN_TICKS = 15


def ticks(folder: Path) -> Iterator[bool]:
    """Yield about once a second, and sooner if something has changed: whether that may be so.

    Nothing is said of changes on most network drives, in folders whose names aren't UTF-8, in a folder that
    isn't there, and if the system allows no more watches (`fs.inotify.max_user_watches`).
    """
    while True:
        before, folders = _identity(folder), _folders(folder)
        listening = False
        try:
            # Each folder by itself, since a recursive watch follows symbolic links out of the folder.
            for changes in watchfiles.watch(
                *folders,
                watch_filter=None,
                rust_timeout=int(TICK_SECONDS * 1000),
                yield_on_timeout=True,
                recursive=False,
                ignore_permission_denied=True,
            ):
                yield bool(changes) or not listening  # Before it listened, anything may have changed.
                listening = True
                if _identity(folder) != before or (changes and _folders(folder) != folders):
                    break
        except (OSError, RuntimeError):
            # A folder has gone, there are no more watches, or a file was added whose name isn't UTF-8.
            soon = listening or _folders(folder) != folders
            for _ in range(1 if soon else TRY_AGAIN_TICKS):
                time.sleep(TICK_SECONDS)
                yield False


def _folders(folder: Path) -> dict[Path, tuple[int, int] | None]:
    """Return the folder and those in it that can be watched, to tell whether they are still the same."""
    found = [Path(path) for path, _, _ in os.walk(folder) if _is_utf8(path)]
    return {path: _identity(path) for path in found}


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_utf8(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
