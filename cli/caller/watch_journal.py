"""What a watch has sent, in a file, so that it sends nothing twice after a restart."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator
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
    was killed didn't learn whether they had arrived.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self.done: dict[str, FileState] = {}
        self.begun: dict[str, FileState] = {}
        file.seek(0)
        for line in file:
            self._read(line)
        file.seek(0, os.SEEK_END)
        if file.tell():
            file.write("\n")  # The last line may have been cut off.

    def begin(self, files: Iterable[tuple[str, FileState]]) -> None:
        """Say that files are about to be sent."""
        self._write(BEGUN, files)

    def finish(self, files: Iterable[tuple[str, FileState]]) -> None:
        """Say that files need not be sent again."""
        self._write(DONE, files)

    def _write(self, what: str, files: Iterable[tuple[str, FileState]]) -> None:
        for name, state in files:
            self._file.write(f"{json.dumps({'what': what, 'name': name, **asdict(state)})}\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def _read(self, line: str) -> None:
        try:
            members = json.loads(line)
            name, what = members.pop("name"), members.pop("what")
            state = FileState(**members)
        except (ValueError, TypeError, KeyError, AttributeError):
            return  # The end of a line that a kill has cut off. What it was about is looked up.
        if what == DONE:
            self.begun.pop(name, None)
            self.done[name] = state
        else:
            self.begun[name] = state


@contextmanager
def open_journal(path: Path) -> Iterator[WatchJournal]:
    """Open a journal that no other process has open, or raise a BillEError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+", encoding="utf-8") as file:
            if not _locked(file):
                raise BillEError(
                    f"another `bill-e watch` has {path} open: watch a folder only once, or give this one a "
                    "--state of its own"
                )
            yield WatchJournal(file)
    except OSError as error:
        raise BillEError(f"the state file {path} cannot be used: {error.strerror}") from error


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
