"""Upload what is put into a folder, for as long as the command runs.

A file is sent once it hasn't changed for --quiet seconds. Its key is its path within the folder. What `bill-e
upload` skips is skipped here, too: hidden files, symbolic links, and the temporary names of unfinished
downloads. Files are never moved, changed or deleted.

Files that were there before are sent as well, unless their bytes have been accepted. A state file remembers
what was sent, so that a restart doesn't send it again. What fails is tried again, first after 5 seconds and
later every 5 minutes. The folder is looked at when the system says that it has changed, and every 15
seconds in any case, since network drives don't always say it.

Each event is a line. SIGTERM and Ctrl-C end the command, which then says what is left to send.
"""

from __future__ import annotations

import argparse
import json
import os
import stat
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cli.answers import ApiEntry
from cli.caller.connection import StackConnection, connect
from cli.caller.files import Found, LocalFile, NotTaken, find_files_below
from cli.caller.folder_changes import ticks
from cli.caller.outcomes import wait_for_outcomes
from cli.caller.transfer import AlreadyAccepted, Failed, NotSent, Result, Uploaded
from cli.caller.upload_run import upload_files
from cli.caller.watch_journal import WatchJournal, journal_path, open_journal
from cli.caller.watched_folder import FileState, WatchedFolder
from cli.commands import Audience, Command
from cli.errors import BillEError, SignInError, UsageError
from cli.options import (
    add_json,
    completed_as_file,
    named_path,
    positive_integer,
    positive_number,
    stack_of,
    token_of,
)
from cli.screen.entries import detail_of
from cli.screen.terminal import Terminal, second_of, size_text

LOOK_AGAIN_SECONDS = 15.0
POLL_OUTCOMES_SECONDS = 0.01
"""The time for one look at the ledger; the rest is for the next tick."""

OUTCOME_OVERDUE = timedelta(minutes=10)
SETTLING_SECONDS = 10.0
"""How long entries of what a killed run had sent may take, before they are looked up."""

FILES_AT_ONCE = 1_000
"""How many files are sent before the folder and the ledger are looked at again."""

OWN = "this command's own log or state file"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    completed_as_file(parser.add_argument("folder", metavar="FOLDER", type=named_path, help="the folder"))
    parser.add_argument(
        "--prefix",
        default="",
        help="put this before each key, such as scanner-2/, after the stack's own prefix (default: nothing)",
    )
    parser.add_argument(
        "--quiet",
        type=positive_number,
        default=5.0,
        metavar="SECONDS",
        help="send a file once it hasn't changed for so long (default: 5)",
    )
    state = parser.add_argument(
        "--state",
        type=named_path,
        metavar="FILE",
        help="where to remember what was sent (default: a file for this folder and stack in "
        "$XDG_STATE_HOME/bill-e or ~/.local/state/bill-e)",
    )
    completed_as_file(state)
    parser.add_argument(
        "--concurrency", type=positive_integer, default=4, metavar="N", help="parallel uploads (default: 4)"
    )
    add_json(parser, "write each event as a line of JSON to stdout")


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Watch until somebody ends it."""
    if not options.folder.is_dir():
        raise UsageError(f"{options.folder} is not a folder")
    access = stack_of(options)
    state = options.state or journal_path(options.folder, access.api_url)
    with (
        open_journal(state, access.api_url) as journal,
        connect(
            access, token=token_of(options), prefix=options.prefix, concurrency=options.concurrency
        ) as stack,
    ):
        watch = Watch(
            folder=options.folder,
            stack=stack,
            journal=journal,
            files=WatchedFolder(options.quiet),
            concurrency=options.concurrency,
            tell=_teller(terminal, as_json=options.json),
            own=_regular_files(1, 2, state),
        )
        try:
            watch.run()
        finally:
            watch.tell_what_is_left()
    return 0


def _regular_files(*opened: int | Path) -> frozenset[tuple[int, int]]:
    """Identify the files among what is open: a log or a state file in the folder would be sent for ever."""
    found = set()
    for each in opened:
        try:
            status = os.stat(each)  # noqa: PTH116 - a number of an open file has no Path
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode):
            found.add((status.st_dev, status.st_ino))
    return frozenset(found)


Tell = Callable[..., None]
"""Writes an event: what happened, to which path, and details."""


def _teller(terminal: Terminal, *, as_json: bool) -> Tell:
    def tell(event: str, path: str = "", detail: str = "", **members: object) -> None:
        moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if as_json:
            document = {"time": moment, "event": event, "path": path, "detail": detail, **members}
            terminal.out.file.write(f"{json.dumps(document)}\n")
        else:
            terminal.write("  ".join(filter(None, (moment, f"{event:<9}", path, detail))))
        terminal.out.file.flush()

    return tell


@dataclass(kw_only=True)
class Watch:
    """One run of the command. `own` are the files that it writes itself."""

    folder: Path
    stack: StackConnection
    journal: WatchJournal
    files: WatchedFolder
    concurrency: int
    tell: Tell
    own: frozenset[tuple[int, int]] = frozenset()
    clock: Callable[[], float] = time.monotonic
    _waiting: dict[Uploaded, datetime] = field(default_factory=dict)
    _missing: str | None = None
    _outcomes_missing: str | None = None

    def __post_init__(self) -> None:
        for name, state in self.journal.done.items():
            self.files.done(name, state)

    def run(self) -> None:
        """Send what is complete, again and again."""
        if self.journal.begun:
            self.tell("waiting", "", f"{SETTLING_SECONDS:.0f} s for what the last run was sending")
            time.sleep(SETTLING_SECONDS)
        sent_before = len(self.journal.done)
        remembered = f"the state file has {sent_before:,} files that were dealt with" if sent_before else ""
        self.tell("watching", str(self.folder.absolute()), remembered)
        looked = -LOOK_AGAIN_SECONDS
        for changed in ticks(self.folder):
            self._learn_outcomes()
            now = self.clock()
            if changed or now >= min(looked + LOOK_AGAIN_SECONDS, self.files.next_due()):
                looked = now
                while self.look():
                    self._learn_outcomes()

    def look(self) -> bool:
        """Look at the folder once, and send some of what is complete. Say whether there is more."""
        found = self._found()
        if found is None:
            return False
        for passed_over in self.files.news((*found.skipped, *found.unreadable)):
            self.tell("skipped", str(passed_over.path), passed_over.reason)
        due = self.files.complete(found, self.clock())
        if due:
            self._send(due[:FILES_AT_ONCE])
        return len(due) > FILES_AT_ONCE

    def _found(self) -> Found | None:
        """Return what the folder has without the command's own files, or ``None`` if it can't be read."""
        found = find_files_below(self.folder)
        missing = next((each.reason for each in found.unreadable if each.path == self.folder), None)
        if missing != self._missing:
            if missing:
                self.tell("gone", str(self.folder), f"{missing}; waiting for it")
            else:
                self.tell("back", str(self.folder))
        self._missing = missing
        if missing:
            return None
        own = [file for file in found.files if _identity(file) in self.own]
        return Found(
            files=tuple(file for file in found.files if file not in own) if own else found.files,
            skipped=(*found.skipped, *(NotTaken(path=file.path, reason=OWN) for file in own)),
            unreadable=found.unreadable,
        )

    def _send(self, due: Sequence[LocalFile]) -> None:
        states = {file.path: (file.name, self.files.state_of(file.name)) for file in due}
        self.journal.begin(states.values())
        taken: set[Path] = set()

        def take(result: Result) -> None:
            self._take(result, *states[result.path])
            taken.add(result.path)

        run = upload_files(
            Found(files=tuple(due), skipped=(), unreadable=()),
            self.stack.send_file,
            look_up=self.stack.look_up,
            concurrency=self.concurrency,
            on_bytes=lambda _: None,
            on_result=take,
        )
        for result in run.results:  # What has ended while an interrupt stopped the rest.
            if result.path not in taken and not isinstance(result, NotSent):
                take(result)
        if run.look_up_failure:
            self.tell(
                "failed", "", f"sent without knowing what had been accepted before: {run.look_up_failure}"
            )
        if isinstance(run.stopped_by, SignInError):
            for file in due:
                if file.path not in taken:
                    self._failed(file.name, file.path, str(run.stopped_by))
        elif run.stopped_by:
            raise run.stopped_by

    def _take(self, result: Result, name: str, state: FileState) -> None:
        if isinstance(result, Failed):
            self._failed(name, result.path, result.reason)
        else:
            self.files.done(name, state)
            self.journal.finish(name, state)
            self._tell_arrival(result)

    def _failed(self, name: str, path: Path, reason: str) -> None:
        pause = self.files.failed(name, reason, self.clock())
        if pause is not None:
            self.tell("failed", str(path), f"{reason}; next attempt in {pause:.0f} s", retry_seconds=pause)

    def _tell_arrival(self, result: Result) -> None:
        match result:
            case Uploaded():
                self._waiting[result] = datetime.now(UTC)
                detail = size_text(result.size_bytes)
                self.tell("uploaded", str(result.path), detail, key=result.key, version_id=result.version_id)
            case AlreadyAccepted():
                self.tell("known", str(result.path), f"accepted before, on {second_of(result.recorded_at)}")

    def _learn_outcomes(self) -> None:
        if not self._waiting:
            return
        try:
            for upload, entry in wait_for_outcomes(
                self.stack.api, self._waiting, timeout_seconds=POLL_OUTCOMES_SECONDS
            ):
                del self._waiting[upload]
                self._tell_outcome(upload, entry)
        except BillEError as error:
            if self._outcomes_missing != str(error):
                self.tell("failed", "", f"outcomes can't be read: {error}; asking again")
            self._outcomes_missing = str(error)
        else:
            self._outcomes_missing = None
        for upload, since in [*self._waiting.items()]:
            if datetime.now(UTC) - since > OUTCOME_OVERDUE:
                del self._waiting[upload]
                self.tell(
                    "overdue", str(upload.path), "no entry yet; `bill-e show` will tell", key=upload.key
                )

    def _tell_outcome(self, upload: Uploaded, entry: ApiEntry) -> None:
        self.tell(entry["outcome"].lower(), str(upload.path), detail_of(entry), key=upload.key, entry=entry)

    def tell_what_is_left(self) -> None:
        """Say what an interrupt leaves to the next run."""
        found = self._found()
        if found is not None:
            self.files.complete(found, self.clock())
        left = self.files.waiting
        self.tell("stopped", "", f"{left} to send, {len(self._waiting)} without an outcome yet", left=left)


def _identity(file: LocalFile) -> tuple[int, int] | None:
    try:
        status = file.path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


COMMAND = Command(
    name="watch",
    audience=Audience.CALLERS,
    summary="upload what is put into a folder",
    description=__doc__,
    examples=(
        "bill-e watch /srv/scans --stack prod",
        "bill-e watch ~/Dropbox/receipts --prefix dropbox/ --json --outputs outputs.json",
    ),
    add_options=add_options,
    run=run,
)
