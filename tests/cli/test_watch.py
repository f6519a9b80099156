from __future__ import annotations

import errno
import itertools
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from cli.caller import folder_changes
from cli.caller.files import Found, LocalFile, NotTaken, find_files_below
from cli.caller.folder_changes import ticks
from cli.caller.watch_journal import journal_path, open_journal
from cli.caller.watched_folder import LONGEST_PAUSE_SECONDS, FileState, WatchedFolder
from cli.errors import BillEError
from tests.cli.fake_stack import API_PATH, FakeStack, problem, s3_error
from tests.local.eventually import eventually

API = "https://api.example"


def look(folder: Path) -> Found:
    return find_files_below(folder)


class TestFolder:
    @pytest.fixture
    def scans(self, tmp_path: Path) -> Path:
        (tmp_path / "scans").mkdir()
        return tmp_path / "scans"

    def test_file_is_complete_once_it_has_been_quiet(self, scans: Path) -> None:
        watched, file = WatchedFolder(5.0), scans / "a.pdf"
        file.write_bytes(b"half")

        assert watched.complete(look(scans), now=0.0) == []
        assert watched.complete(look(scans), now=4.9) == []
        file.write_bytes(b"half and more")
        assert watched.complete(look(scans), now=6.0) == []
        assert watched.complete(look(scans), now=10.9) == []
        assert watched.complete(look(scans), now=11.0) == [LocalFile(path=file, name="a.pdf")]

    def test_same_size_at_another_time_is_a_change_and_so_is_another_file_of_the_name(
        self, scans: Path
    ) -> None:
        watched, file = WatchedFolder(1.0), scans / "a.pdf"
        file.write_bytes(b"12")
        watched.complete(look(scans), now=0.0)
        os.utime(file, ns=(1, 1))
        assert watched.complete(look(scans), now=1.0) == []
        (scans / "b.tmp").write_bytes(b"12")
        os.utime(scans / "b.tmp", ns=(1, 1))
        (scans / "b.tmp").rename(file)
        assert watched.complete(look(scans), now=2.0) == []
        assert len(watched.complete(look(scans), now=3.0)) == 1

    def test_temporary_name_is_passed_over_until_it_becomes_the_final_one(self, scans: Path) -> None:
        watched = WatchedFolder(1.0)
        (scans / "scan.pdf.part").write_bytes(b"x")
        for now in (0.0, 5.0):
            assert watched.complete(look(scans), now=now) == []
        (scans / "scan.pdf.part").rename(scans / "scan.pdf")

        watched.complete(look(scans), now=6.0)
        assert [file.name for file in watched.complete(look(scans), now=7.0)] == ["scan.pdf"]

    def test_what_is_done_comes_up_again_only_if_it_changes(self, scans: Path) -> None:
        watched, file = WatchedFolder(1.0), scans / "a.pdf"
        file.write_bytes(b"1")
        watched.complete(look(scans), now=0.0)
        watched.done("a.pdf", watched.state_of("a.pdf"))

        assert watched.complete(look(scans), now=9.0) == []
        assert watched.waiting == 0
        file.write_bytes(b"22")
        watched.complete(look(scans), now=10.0)
        assert len(watched.complete(look(scans), now=11.0)) == 1

    def test_file_that_goes_away_is_forgotten(self, scans: Path) -> None:
        watched, file = WatchedFolder(1.0), scans / "a.pdf"
        file.write_bytes(b"1")
        found = look(scans)
        watched.complete(found, now=0.0)
        file.unlink()

        assert watched.complete(found, now=5.0) == []
        assert watched.complete(look(scans), now=6.0) == []
        assert watched.waiting == 0

    def test_pauses_after_failures_grow_to_a_limit_and_each_reason_is_told_once(self, scans: Path) -> None:
        watched, file, now = WatchedFolder(0.0), scans / "a.pdf", 0.0
        file.write_bytes(b"1")
        watched.complete(look(scans), now)
        told = [watched.failed("a.pdf", "no network", now)]
        for _ in range(9):
            before = now
            while not watched.complete(look(scans), now):
                now += 5.0
            assert now - before <= LONGEST_PAUSE_SECONDS
            told.append(watched.failed("a.pdf", "no network", now))
        assert now - before == LONGEST_PAUSE_SECONDS
        told.append(watched.failed("a.pdf", "denied", now))

        assert told == [5.0, *[None] * 9, LONGEST_PAUSE_SECONDS]

    def test_next_look_is_due_when_a_file_may_be_complete_or_is_to_be_tried_again(self, scans: Path) -> None:
        watched = WatchedFolder(2.0)
        assert watched.next_due() == math.inf
        (scans / "a.pdf").write_bytes(b"1")
        watched.complete(look(scans), now=1.0)
        assert watched.next_due() == 3.0
        watched.failed("a.pdf", "no network", now=3.0)
        assert watched.next_due() == 8.0

    def test_skipped_files_are_news_once(self) -> None:
        watched, skipped = WatchedFolder(1.0), NotTaken(path=Path("x.part"), reason="unfinished")

        assert watched.news([skipped]) == [skipped]
        assert watched.news([skipped]) == []
        assert watched.news([]) == []
        assert watched.news([skipped]) == [skipped]


class TestJournal:
    STATE = FileState(inode=1, size_bytes=2, modified_ns=3)

    def test_what_was_begun_and_what_is_done_is_read_back(self, tmp_path: Path) -> None:
        path = tmp_path / "deep" / "journal"
        with open_journal(path, API) as journal:
            journal.begin([("a", self.STATE), ("b\udcff\n", self.STATE)])
            journal.finish("a", self.STATE)

        with open_journal(path, API) as journal:
            assert journal.done == {"a": self.STATE}
            assert journal.begun == {"b\udcff\n": self.STATE}

    def test_line_that_a_kill_cut_off_is_passed_over_and_the_next_one_isnt_lost(self, tmp_path: Path) -> None:
        path = tmp_path / "journal"
        with open_journal(path, API) as journal:
            journal.finish("a", self.STATE)
        with path.open("a") as file:
            file.write('{"what": "done", "na')

        with open_journal(path, API) as journal:
            journal.finish("b", self.STATE)
        with open_journal(path, API) as journal:
            assert journal.done == {"a": self.STATE, "b": self.STATE}

    def test_second_watch_is_refused_and_a_folder_that_cannot_be_made_is_named(self, tmp_path: Path) -> None:
        with (
            open_journal(tmp_path / "journal", API),
            pytest.raises(BillEError, match="another `bill-e watch` has"),
            open_journal(tmp_path / "journal", API),
        ):
            pass
        (tmp_path / "file").write_bytes(b"")
        with (
            pytest.raises(BillEError, match=r"the state file .* cannot be used"),
            open_journal(tmp_path / "file" / "j", API),
        ):
            pass

    def test_each_folder_and_stack_has_a_journal_of_its_own(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
        paths = {journal_path(tmp_path / name, url) for name in "ab" for url in ("https://1", "https://2")}

        assert len(paths) == 4
        assert {path.parent for path in paths} == {tmp_path / "bill-e"}

    def test_what_is_tried_again_is_written_once_and_then_counts_as_done(self, tmp_path: Path) -> None:
        path = tmp_path / "journal"
        with open_journal(path, API) as journal:
            for _ in range(3):
                journal.begin([("a", self.STATE)])
            lines = path.read_text().splitlines()
            journal.finish("a", self.STATE)

            assert sum("begun" in line for line in lines) == 1
            assert (journal.begun, journal.done) == ({}, {"a": self.STATE})

    def test_journal_of_another_stack_is_refused(self, tmp_path: Path) -> None:
        for _ in range(2):
            with open_journal(tmp_path / "journal", API):
                pass
        with (
            pytest.raises(BillEError, match=f"says what was sent to {API}, .* at https://other"),
            open_journal(tmp_path / "journal", "https://other"),
        ):
            pass


class TestTicks:
    @pytest.fixture
    def quick(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(folder_changes, "TICK_SECONDS", 0.3)

    def until_changed(self, told: Iterator[bool]) -> None:
        assert any(itertools.islice(told, 20))

    @pytest.mark.usefixtures("quick")
    def test_files_are_noticed_in_folders_that_come_later_and_in_a_folder_that_comes_back(
        self, tmp_path: Path
    ) -> None:
        scans, told = tmp_path / "scans", ticks(tmp_path / "scans")
        scans.mkdir()
        assert next(told)  # What came before anybody listened.
        (scans / "new").mkdir()
        self.until_changed(told)
        self.until_changed(told)  # What came before anybody listened to the new folder.
        (scans / "new" / "a.pdf").write_bytes(b"1")
        self.until_changed(told)
        shutil.rmtree(scans)
        assert not all(itertools.islice(told, 5))
        scans.mkdir()
        self.until_changed(told)

    @pytest.mark.usefixtures("quick")
    def test_symbolic_links_are_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "outside").mkdir()
        (tmp_path / "scans").mkdir()
        (tmp_path / "scans" / "link").symlink_to(tmp_path / "outside")
        (tmp_path / "scans" / "loop").symlink_to(".")
        told = ticks(tmp_path / "scans")
        next(told)
        (tmp_path / "outside" / "a.pdf").write_bytes(b"1")

        assert not any(itertools.islice(told, 2))

    def test_system_without_watches_still_ticks(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refused(*_: object, **__: object) -> NoReturn:
            raise OSError(errno.ENOSPC, "No space left on device")

        pauses: list[float] = []
        monkeypatch.setattr("watchfiles.watch", refused)
        monkeypatch.setattr("time.sleep", pauses.append)

        assert not any(itertools.islice(ticks(tmp_path), 20))
        assert len(pauses) == 20


Events = Callable[..., list[dict[str, Any]]]


class Watching:
    """`bill-e watch` in a process of its own."""

    def __init__(self, folder: Path, scans: Path, outputs: Path) -> None:
        self._log = folder / "watch.log"
        self._command = [
            *(sys.executable, "-c", "import sys; from cli import start; sys.exit(start())"),
            *("watch", str(scans), "--quiet", "0.3", "--json", "--outputs", str(outputs)),
        ]
        self.state = folder / "state.jsonl"
        self._environment = os.environ | {"XDG_STATE_HOME": str(folder / "state")}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        command = [*self._command, "--state", str(self.state), *options]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=self._environment)

    def end(self, number: int) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        assert self.process is not None
        return self.process.wait(timeout=30)

    def events(self, *kinds: str) -> list[tuple[str, str]]:
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        events = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
        return [(each["event"], Path(each["path"]).name) for each in events if each["event"] in kinds]

    def until(self, *expected: tuple[str, str]) -> None:
        kinds = {kind for kind, _ in expected}
        eventually(
            f"{expected}, but the log is {self._log}",
            lambda: {*expected} <= {*self.events(*kinds)},
            timeout_seconds=30,
        )

    def said(self) -> str:
        return self._log.read_text()


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    (tmp_path / "scans").mkdir()
    return tmp_path / "scans"


@pytest.fixture
def watching(stack: FakeStack, tmp_path: Path, scans: Path) -> Iterator[Watching]:
    made = Watching(tmp_path, scans, stack.write_outputs(tmp_path))
    made.start()
    try:
        yield made
    finally:
        if made.process and made.process.poll() is None:
            made.end(signal.SIGKILL)


def test_what_is_there_and_what_comes_is_sent_and_each_outcome_is_told(
    stack: FakeStack, watching: Watching, scans: Path
) -> None:
    (scans / "first.png").write_bytes(b"first")
    watching.until(("uploaded", "first.png"), ("accepted", "first.png"))
    (scans / "2026").mkdir()
    (scans / "2026" / "copy.png").write_bytes(b"second")
    (scans / "script.png").write_bytes(b"#!/bin/sh")
    watching.until(("accepted", "copy.png"), ("rejected", "script.png"))

    assert {key for key, _ in stack.objects} == {"first.png", "2026/copy.png", "script.png"}
    assert watching.end(signal.SIGTERM) == 128 + signal.SIGTERM
    assert watching.events("stopped") == [("stopped", "")]
    assert "Traceback" not in watching.said()


def test_kill_and_restart_send_nothing_twice(stack: FakeStack, watching: Watching, scans: Path) -> None:
    (scans / "kept.png").write_bytes(b"kept")
    (scans / "rejected.png").write_bytes(b"#!")
    watching.until(("accepted", "kept.png"), ("rejected", "rejected.png"))
    watching.end(signal.SIGKILL)
    (scans / "meanwhile.png").write_bytes(b"meanwhile")

    watching.start()
    watching.until(("accepted", "meanwhile.png"))

    assert len(stack.objects) == 3
    assert watching.end(signal.SIGINT) == 128 + signal.SIGINT


def test_bytes_that_were_accepted_before_are_not_sent(
    stack: FakeStack, watching: Watching, scans: Path
) -> None:
    stack.store("elsewhere.png", b"known")
    (scans / "mine.png").write_bytes(b"known")

    watching.until(("known", "mine.png"))
    assert len(stack.objects) == 1


def test_what_fails_is_tried_again_and_said_once(stack: FakeStack, watching: Watching, scans: Path) -> None:
    stack.planned += [("PUT ", s3_error(403, "AccessDenied", "Access Denied"))]
    stack.planned += [("GET /receipts", problem(500, "broken", "The ledger is broken"))] * 3
    (scans / "a.png").write_bytes(b"a")

    watching.until(("failed", "a.png"), ("accepted", "a.png"))
    assert sorted(watching.events("failed")) == [("failed", ""), ("failed", "a.png")]
    assert "caller_policy" in watching.said()


def test_folder_that_goes_and_comes_back_is_watched_again(
    stack: FakeStack, watching: Watching, scans: Path
) -> None:
    watching.until(("watching", "scans"))
    scans.rmdir()
    watching.until(("gone", "scans"))
    scans.mkdir()
    (scans / "new.png").write_bytes(b"new")

    watching.until(("back", "scans"), ("accepted", "new.png"))
    assert len(stack.objects) == 1


def test_what_has_arrived_is_told_and_kept_while_others_are_still_being_sent(
    stack: FakeStack, watching: Watching, scans: Path
) -> None:
    watching.end(signal.SIGKILL)
    release = threading.Event()

    def hold(count: int) -> None:
        if count > 1:
            release.wait(timeout=60)

    stack.when_stored = hold
    (scans / "first.png").write_bytes(b"#!")
    (scans / "second.png").write_bytes(b"second")
    try:
        watching.start("--concurrency", "1")
        watching.until(("uploaded", "first.png"))
        watching.end(signal.SIGKILL)
    finally:
        release.set()

    with open_journal(watching.state, f"{stack.url}{API_PATH}") as journal:
        assert (set(journal.done), set(journal.begun)) == ({"first.png"}, {"second.png"})


def test_failed_look_up_is_told_and_files_are_sent_all_the_same(
    stack: FakeStack, watching: Watching, scans: Path
) -> None:
    stack.planned += [("POST /receipts/lookup", problem(500, "broken", "The ledger is broken"))]
    (scans / "a.png").write_bytes(b"a")

    watching.until(("failed", ""), ("accepted", "a.png"))
    assert "sent without knowing what had been accepted before" in watching.said()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such a name")
def test_name_that_is_not_utf8_is_told_and_the_others_are_sent(
    stack: FakeStack, watching: Watching, scans: Path
) -> None:
    watching.until(("watching", "scans"))
    (scans / os.fsdecode(b"\xff.png")).write_bytes(b"1")
    watching.until(("failed", "\udcff.png"))
    (scans / "line\nbreak.png").write_bytes(b"2")
    watching.until(("accepted", "line\nbreak.png"))

    assert [key for key, _ in stack.objects] == ["line\nbreak.png"]
    assert watching.end(signal.SIGTERM) == 128 + signal.SIGTERM
    assert '"left": 1' in watching.said()


def test_folder_named_as_a_leftover_is_watched_and_the_commands_own_files_in_it_are_not_sent(
    stack: FakeStack, watching: Watching, tmp_path: Path
) -> None:
    watching.end(signal.SIGKILL)
    folder = tmp_path / "inbox.tmp"
    folder.mkdir()
    inside = Watching(folder, folder, stack.write_outputs(tmp_path))
    inside.start()
    try:
        for name in ("a.png", "b.png", "c.png"):
            (folder / name).write_bytes(name.encode())
            inside.until(("accepted", name))
    finally:
        inside.end(signal.SIGTERM)

    assert [key for key, _ in stack.objects] == ["a.png", "b.png", "c.png"]
    assert {*inside.events("skipped")} == {("skipped", "state.jsonl"), ("skipped", "watch.log")}


def test_second_watch_of_a_folder_ends_at_once(watching: Watching) -> None:
    watching.until(("watching", "scans"))
    first = watching.process
    watching.start()
    try:
        assert watching.wait() == 1
        assert "another `bill-e watch` has" in watching.said()
    finally:
        watching.process = first
