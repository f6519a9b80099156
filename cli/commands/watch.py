"""Upload what is put into a folder, for as long as the command runs.

A file is sent once it hasn't changed for --quiet seconds. Its key is its path within the folder. What `bill-e
upload` skips is skipped here, too: hidden files, symbolic links, and the temporary names of unfinished
downloads. Files are never moved, changed or deleted.

Files that were there before are sent as well, unless their bytes have been accepted. A state file remembers
what was sent, so that a restart sends nothing twice. What fails is tried again, after 5 seconds at first and
every 5 minutes at last. The folder is looked at when the system says that it has changed, and every 15
seconds in any case, since network drives don't always say it.

Each event is a line. SIGTERM and Ctrl-C end the command, which then says what is left to send.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import watchfiles

from cli.answers import ApiEntry
from cli.caller.connection import StackConnection, connect
from cli.caller.files import Found, LocalFile, find_files
from cli.caller.outcomes import wait_for_outcomes
from cli.caller.transfer import AlreadyAccepted, Failed, NotSent, Result, Uploaded
from cli.caller.upload_run import UploadRun, upload_files
from cli.caller.watch_journal import WatchJournal, journal_path, open_journal
from cli.caller.watched_folder import FileState, WatchedFolder
from cli.commands import Audience, Command
from cli.errors import BillEError, UsageError
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
from cli.screen.terminal import Terminal, size_text

LOOK_AGAIN_SECONDS = 15.0
TICK_MILLISECONDS = 1_000
POLL_OUTCOMES_SECONDS = 0.01
"""The time for one look at the ledger; the rest is for the next tick."""

OUTCOME_OVERDUE = timedelta(minutes=10)
SETTLING_SECONDS = 10.0
"""How long entries of what a killed run had sent may take, before they are looked up."""


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
        open_journal(state) as journal,
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
        )
        try:
            watch.run()
        finally:
            watch.tell_what_is_left()
    return 0


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
    """One run of the command."""

    folder: Path
    stack: StackConnection
    journal: WatchJournal
    files: WatchedFolder
    concurrency: int
    tell: Tell
    clock: Callable[[], float] = time.monotonic
    _waiting: dict[Uploaded, datetime] = field(default_factory=dict)
    _is_there: bool = True

    def run(self) -> None:
        """Send what is complete, again and again."""
        for name, state in self.journal.done.items():
            self.files.done(name, state)
        if self.journal.begun:
            self.tell("waiting", "", f"{SETTLING_SECONDS:.0f} s for what the last run was sending")
            time.sleep(SETTLING_SECONDS)
        self.tell("watching", str(self.folder.absolute()))
        for _ in self._ticks():
            self.look()

    def look(self) -> None:
        """Look at the folder and at the ledger once."""
        self._learn_outcomes()
        if not self.folder.is_dir():
            if self._is_there:
                self.tell("gone", str(self.folder), "there is no such folder any more; waiting for it")
            self._is_there = False
            return
        if not self._is_there:
            self.tell("back", str(self.folder))
        self._is_there = True
        found = find_files([self.folder])
        for passed_over in self.files.news((*found.skipped, *found.unreadable)):
            if passed_over.path != self.folder:
                self.tell("skipped", str(passed_over.path), passed_over.reason)
        if due := self.files.complete(found, self.clock()):
            self._send(due)

    def _send(self, due: Sequence[LocalFile]) -> None:
        states = {file.path: (file.name, self.files.state_of(file.name)) for file in due}
        self.journal.begin(states.values())
        run = upload_files(
            Found(files=tuple(due), skipped=(), unreadable=()),
            self.stack.send_file,
            look_up=self.stack.look_up,
            concurrency=self.concurrency,
            on_bytes=lambda _: None,
            on_result=lambda _: None,
        )
        self._take(run, states)
        if isinstance(run.stopped_by, BillEError):
            self._put_off(run, states, str(run.stopped_by))
        elif run.stopped_by:
            raise run.stopped_by

    def _take(self, run: UploadRun, states: dict[Path, tuple[str, FileState]]) -> None:
        finished = []
        for result in run.results:
            name, state = states[result.path]
            if isinstance(result, Failed):
                self._failed(name, result.path, result.reason)
            elif not isinstance(result, NotSent):
                self.files.done(name, state)
                finished.append((name, state))
                self._tell_arrival(result)
        self.journal.finish(finished)

    def _put_off(self, run: UploadRun, states: dict[Path, tuple[str, FileState]], reason: str) -> None:
        """Try all files again later that a refused sign-in has left."""
        for result in run.results:
            if isinstance(result, NotSent):
                self._failed(states[result.path][0], result.path, reason)

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
                self.tell("known", str(result.path), f"accepted before, at {result.recorded_at}")

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
            self.tell("failed", "", f"outcomes can't be read: {error}")
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
        left = self.files.waiting
        self.tell("stopped", "", f"{left} to send, {len(self._waiting)} without an outcome yet", left=left)

    def _ticks(self) -> Iterator[None]:
        """Tick when the folder changes, and otherwise so often that quiet files and outcomes are noticed."""
        while True:
            last = self.clock() - LOOK_AGAIN_SECONDS  # What was there before is looked at, too.
            before = _inode(self.folder)
            if before is None:
                yield
                time.sleep(TICK_MILLISECONDS / 1000)
                continue
            for changes in watchfiles.watch(
                self.folder,
                watch_filter=None,
                rust_timeout=TICK_MILLISECONDS,
                yield_on_timeout=True,
                ignore_permission_denied=True,
            ):
                overdue = self.clock() - last >= LOOK_AGAIN_SECONDS
                if changes or overdue or self.files.waiting or self._waiting:
                    last = self.clock()
                    yield
                if _inode(self.folder) != before:
                    break


def _inode(folder: Path) -> int | None:
    state = FileState.of(folder)
    return None if state is None else state.inode


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
