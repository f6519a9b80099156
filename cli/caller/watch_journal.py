"""What a watch has sent, in a file, so that it sends nothing twice after a restart."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO

from cli.caller.watched_folder import FileState
from cli.errors import BillEError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

BEGUN, DONE = "begun", "done"


def journal_path(folder: Path, api_url: str) -> Path:
    """Return where the journal of a folder and a stack is, unless the user says otherwise."""
    home = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    name = hashlib.sha256(f"{folder.resolve()}\0{api_url}".encode(errors="surrogateescape")).hexdigest()
    return Path(home) / "bill-e" / f"watch-{name[:16]}.jsonl"


class WatchJournal:
    """A line for each file before it is sent, and one once it needs no more sending.

    ``done`` has the files that were dealt with, as they were then. ``begun`` has those of which a run that
    was killed didn't learn whether they had arrived. `api_url` is of the stack that they were sent to.
    """

    def __init__(self, file: IO[str], api_url: str) -> None:
        self._file = file
        self.done: dict[str, FileState] = {}
        self.begun: dict[str, FileState] = {}
        self.api_url: str | None = None
        file.seek(0)
        for line in file:
            self._read(line)
        file.seek(0, os.SEEK_END)
        # The last line may have been cut off.
        self._write(([""] if file.tell() else []) + ([] if self.api_url else [_line(api_url=api_url)]))
        self.api_url = self.api_url or api_url

    def begin(self, files: Iterable[tuple[str, FileState]]) -> None:
        """Say that files are about to be sent. What is tried again and again is said once."""
        self._add(BEGUN, [(name, state) for name, state in files if self.begun.get(name) != state])

    def finish(self, name: str, state: FileState) -> None:
        """Say that a file need not be sent again."""
        self._add(DONE, [(name, state)])

    def _add(self, what: str, files: Sequence[tuple[str, FileState]]) -> None:
        self._write(_line(what=what, name=name, **asdict(state)) for name, state in files)
        for name, state in files:
            self._remember(what, name, state)

    def _write(self, lines: Iterable[str]) -> None:
        """Hand lines to the system, which keeps them if the process is killed.

        After a power cut, some may be missing. What they were about is looked up.
        """
        try:
            self._file.writelines(f"{line}\n" for line in lines)
            self._file.flush()
        except OSError as error:
            raise _unusable(self._file.name, error) from error

    def _read(self, line: str) -> None:
        try:
            members = json.loads(line)
            self.api_url = members.pop("api_url", self.api_url)
            name, what = members.pop("name"), members.pop("what")
            state = FileState(**members)
        except (ValueError, TypeError, KeyError, AttributeError):
            return  # The end of a line that a kill has cut off. What it was about is looked up.
        self._remember(what, name, state)

    def _remember(self, what: str, name: str, state: FileState) -> None:
        if what == DONE:
            self.begun.pop(name, None)
            self.done[name] = state
        else:
            self.begun[name] = state


@contextmanager
def open_journal(path: Path, api_url: str) -> Iterator[WatchJournal]:
    """Open a stack's journal that no other process has open, or raise a BillEError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8", errors="replace")
    except OSError as error:
        raise _unusable(str(path), error) from error
    with file:
        if not _locked(file):
            raise BillEError(
                f"another `bill-e watch` has {path} open: watch a folder only once, or give this one a "
                "--state of its own"
            )
        journal = WatchJournal(file, api_url)
        if journal.api_url != api_url:
            raise BillEError(
                f"{path} says what was sent to {journal.api_url}, and this stack's API is at {api_url}: give "
                "another --state, or delete the file to send everything that this stack hasn't accepted"
            )
        yield journal


def _line(**members: object) -> str:
    return json.dumps(members)


def _unusable(path: str, error: OSError) -> BillEError:
    return BillEError(f"the state file {path} cannot be used: {error.strerror}")


def _locked(file: IO[str]) -> bool:
    """Lock a file until it is closed, which the system does if the process is killed."""
    try:
        if sys.platform == "win32":
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
