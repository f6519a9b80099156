from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.caller.files import Found, LocalFile, NotTaken, find_files
from cli.caller.watch_journal import journal_path, open_journal
from cli.caller.watched_folder import LONGEST_PAUSE_SECONDS, FileState, WatchedFolder
from cli.errors import BillEError
from tests.cli.fake_stack import FakeStack, problem, s3_error
from tests.local.eventually import eventually


def look(folder: Path) -> Found:
    return find_files([folder])


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
        with open_journal(path) as journal:
            journal.begin([("a", self.STATE), ("b\udcff\n", self.STATE)])
            journal.finish([("a", self.STATE)])

        with open_journal(path) as journal:
            assert journal.done == {"a": self.STATE}
            assert journal.begun == {"b\udcff\n": self.STATE}

    def test_line_that_a_kill_cut_off_is_passed_over_and_the_next_one_isnt_lost(self, tmp_path: Path) -> None:
        path = tmp_path / "journal"
        with open_journal(path) as journal:
            journal.finish([("a", self.STATE)])
        with path.open("a") as file:
            file.write('{"what": "done", "na')

        with open_journal(path) as journal:
            journal.finish([("b", self.STATE)])
        with open_journal(path) as journal:
            assert journal.done == {"a": self.STATE, "b": self.STATE}

    def test_second_watch_is_refused_and_a_folder_that_cannot_be_made_is_named(self, tmp_path: Path) -> None:
        with (
            open_journal(tmp_path / "journal"),
            pytest.raises(BillEError, match="another `bill-e watch` has"),
            open_journal(tmp_path / "journal"),
        ):
            pass
        (tmp_path / "file").write_bytes(b"")
        with (
            pytest.raises(BillEError, match=r"the state file .* cannot be used"),
            open_journal(tmp_path / "file" / "j"),
        ):
            pass

    def test_each_folder_and_stack_has_a_journal_of_its_own(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
        paths = {journal_path(tmp_path / name, url) for name in "ab" for url in ("https://1", "https://2")}

        assert len(paths) == 4
        assert {path.parent for path in paths} == {tmp_path / "bill-e"}


Events = Callable[..., list[dict[str, Any]]]


class Watching:
    """`bill-e watch` in a process of its own."""

    def __init__(self, folder: Path, scans: Path, outputs: Path) -> None:
        self._log = folder / "watch.log"
        self._command = [
            *(sys.executable, "-c", "import sys; from cli import start; sys.exit(start())"),
            *("watch", str(scans), "--quiet", "0.3", "--json", "--outputs", str(outputs)),
        ]
        self._environment = os.environ | {"XDG_STATE_HOME": str(folder / "state")}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log, env=self._environment)

    def end(self, number: int) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(timeout=30)

    def events(self, *kinds: str) -> list[tuple[str, str]]:
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        events = [json.loads(line) for line in lines if line.startswith("{")]
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


def test_what_fails_is_tried_again_and_said_once(
    stack: FakeStack, watching: Watching, scans: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del monkeypatch
    stack.planned += [("PUT ", s3_error(403, "AccessDenied", "Access Denied"))]
    stack.planned += [("GET /receipts", problem(503, "unavailable", "The ledger is busy"))]
    (scans / "a.png").write_bytes(b"a")

    watching.until(("failed", "a.png"), ("accepted", "a.png"))
    assert watching.events("failed").count(("failed", "a.png")) == 1
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
