"""A folder into which others put files: which of them are complete, and which have been dealt with."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cli.caller.files import Found, LocalFile, NotTaken

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 5.0, 300.0
"""How long a file that failed waits for the next attempt; each pause is twice the one before."""


@dataclass(frozen=True, kw_only=True)
class FileState:
    """What tells whether a file has changed. A file that replaces another has an inode of its own."""

    inode: int
    size_bytes: int
    modified_ns: int

    @classmethod
    def of(cls, path: Path) -> FileState | None:
        """Look at a file, which may have gone."""
        try:
            status = path.stat()
        except OSError:
            return None
        return cls(inode=status.st_ino, size_bytes=status.st_size, modified_ns=status.st_mtime_ns)


@dataclass(kw_only=True)
class _Pending:
    state: FileState
    since: float
    failures: int = 0
    not_before: float = 0.0
    reason: str | None = None


class WatchedFolder:
    """Remembers each file of a folder as it was last seen. Times are seconds of any clock that only goes on.

    A file is complete once it hasn't changed for ``quiet_seconds``. Nobody can tell for sure: a scanner that
    pauses for longer leaves a part, which gets an entry of its own (REJECTED, since it ends too early), and
    the whole file is a new one.
    """

    def __init__(self, quiet_seconds: float) -> None:
        self._quiet_seconds = quiet_seconds
        self._seen: dict[str, _Pending] = {}
        self._done: dict[str, FileState] = {}
        self._told: set[NotTaken] = set()

    @property
    def waiting(self) -> int:
        """How many files have been seen and not been dealt with."""
        return len(self._seen)

    def next_due(self) -> float:
        """When a file may be complete, or is to be sent again, if nothing changes until then."""
        return min(
            (max(seen.since + self._quiet_seconds, seen.not_before) for seen in self._seen.values()),
            default=math.inf,
        )

    def complete(self, found: Found, now: float) -> list[LocalFile]:
        """Return the files that are to be sent now, of those that a look at the folder has found."""
        there = {file.name: file for file in found.files}
        for name in [name for name in self._seen if name not in there]:
            del self._seen[name]
        due = []
        for name, file in there.items():
            state = FileState.of(file.path)
            if state is None or self._done.get(name) == state:
                continue
            seen = self._seen.get(name)
            if seen is None or seen.state != state:
                self._seen[name] = _Pending(state=state, since=now)
            elif now - seen.since >= self._quiet_seconds and now >= seen.not_before:
                due.append(file)
        return due

    def news(self, skipped: Iterable[NotTaken]) -> list[NotTaken]:
        """Return what wasn't skipped for the same reason when the folder was last looked at."""
        now = {*skipped}
        new = now - self._told
        self._told = now
        return sorted(new, key=lambda each: each.path)

    def state_of(self, name: str) -> FileState:
        """Return a file's state when it was found complete."""
        return self._seen[name].state

    def done(self, name: str, state: FileState) -> None:
        """Don't send a file again, unless it changes."""
        self._done[name] = state
        self._seen.pop(name, None)

    def failed(self, name: str, reason: str, now: float) -> float | None:
        """Send a file again later. Return in how many seconds, or ``None`` if it failed so before."""
        seen = self._seen.get(name)
        if seen is None:
            return None
        pause = min(FIRST_PAUSE_SECONDS * 2**seen.failures, LONGEST_PAUSE_SECONDS)
        is_new = seen.reason != reason
        seen.failures, seen.not_before, seen.reason = seen.failures + 1, now + pause, reason
        return pause if is_new else None
