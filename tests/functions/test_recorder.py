from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from functions.contract.entry import Entry, ObjectVersion, Outcome, Reason
from functions.ledger.store import Recorded
from functions.processor.deadline import Deadline, OutOfTimeError
from functions.processor.examination import Rules
from functions.processor.objects import ObjectMissingError
from functions.processor.recorder import SETTLING_INVOCATIONS, MissingTooRecentlyError, Recorder
from tests.functions import examples
from tests.functions.examples import PNG, TEXT, Stored, stored, upload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

UPLOADED_AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
NOW = UPLOADED_AT + timedelta(seconds=3)
UPLOAD = upload(uploaded_at=UPLOADED_AT)
ENOUGH = Deadline(lambda: 60_000)
SETTLED = SETTLING_INVOCATIONS * ENOUGH.allotted


@dataclass
class MemoryObjects:
    held: dict[ObjectVersion, bytes] = field(default_factory=dict)

    @contextlib.contextmanager
    def open(self, version: ObjectVersion) -> Iterator[Stored]:
        if version not in self.held:
            raise ObjectMissingError
        yield stored(self.held[version])


@dataclass
class MemoryLedger:
    """A ledger that takes every entry, and finds the first one of an object version."""

    entries: list[Entry] = field(default_factory=list)
    searched: list[tuple[datetime, datetime]] = field(default_factory=list)
    missing: dict[ObjectVersion, datetime] = field(default_factory=dict)

    def record(self, entry: Entry) -> Recorded:
        self.entries.append(entry)
        return Recorded(entry=entry, is_new=True)

    def find(
        self, version: ObjectVersion, *, since: datetime, until: datetime, before_page: Callable[[], None]
    ) -> Entry | None:
        before_page()
        self.searched.append((since, until))
        return next((entry for entry in self.entries if entry.upload.version == version), None)

    def note_missing(self, version: ObjectVersion, now: datetime) -> datetime:
        return self.missing.setdefault(version, now)


@pytest.fixture
def objects() -> MemoryObjects:
    return MemoryObjects()


@pytest.fixture
def ledger() -> MemoryLedger:
    return MemoryLedger()


@pytest.fixture
def recorder(objects: MemoryObjects, ledger: MemoryLedger) -> Recorder:
    rules = Rules(accepted_types=frozenset({"image/png"}), max_bytes=100)
    return Recorder(objects=cast("Any", objects), ledger=cast("Any", ledger), rules=rules, now=lambda: NOW)


def entry(data: bytes, **changes: Any) -> Entry:
    of_the_bytes = {"fingerprint": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}
    return examples.entry("lunch.png", NOW, **{"upload": UPLOAD, **of_the_bytes, **changes})


MISSING = entry(
    b"",
    outcome=Outcome.REJECTED,
    reason=Reason.OBJECT_MISSING,
    fingerprint=None,
    size_bytes=None,
    media_type=None,
)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (PNG, entry(PNG)),
        (
            TEXT,
            entry(TEXT, outcome=Outcome.REJECTED, reason=Reason.UNSUPPORTED_TYPE, media_type=None),
        ),
        (b"", entry(b"", outcome=Outcome.REJECTED, reason=Reason.EMPTY, media_type=None)),
        (
            PNG.ljust(101),
            entry(
                PNG.ljust(101),
                outcome=Outcome.REJECTED,
                reason=Reason.TOO_LARGE,
                media_type=None,
                fingerprint=None,
            ),
        ),
    ],
    ids=["accepted", "unsupported type", "empty", "too large"],
)
def test_an_object_gets_the_entry_that_its_bytes_call_for(
    data: bytes, expected: Entry, recorder: Recorder, objects: MemoryObjects, ledger: MemoryLedger
) -> None:
    objects.held[UPLOAD.version] = data

    recorded = recorder.record(UPLOAD, deadline=ENOUGH)

    assert recorded == Recorded(entry=expected, is_new=True)
    assert ledger.entries == [expected]
    assert ledger.searched == []


def test_an_object_that_is_found_to_be_missing_comes_back(recorder: Recorder, ledger: MemoryLedger) -> None:
    with pytest.raises(MissingTooRecentlyError, match="known for 0:00:00, 0:02:00 needed"):
        recorder.record(UPLOAD, deadline=ENOUGH)

    assert ledger.entries == []
    assert ledger.missing == {UPLOAD.version: NOW}


def test_an_object_that_others_may_have_read_just_before_comes_back(
    recorder: Recorder, ledger: MemoryLedger
) -> None:
    ledger.missing[UPLOAD.version] = NOW - SETTLED + timedelta(milliseconds=1)

    with pytest.raises(MissingTooRecentlyError):
        recorder.record(UPLOAD, deadline=ENOUGH)

    assert ledger.entries == []


def test_an_object_that_has_been_missing_for_long_is_rejected(
    recorder: Recorder, ledger: MemoryLedger
) -> None:
    ledger.missing[UPLOAD.version] = NOW - SETTLED

    recorded = recorder.record(UPLOAD, deadline=ENOUGH)

    assert recorded == Recorded(entry=MISSING, is_new=True)
    assert ledger.entries == [MISSING]
    assert ledger.searched == [(UPLOADED_AT, NOW)]


@pytest.mark.parametrize("noticed_before", [None, SETTLED])
def test_a_missing_object_that_already_has_an_entry_gets_no_other(
    noticed_before: timedelta | None, recorder: Recorder, ledger: MemoryLedger
) -> None:
    ledger.entries.append(entry(PNG))
    if noticed_before is not None:
        ledger.missing[UPLOAD.version] = NOW - noticed_before

    recorded = recorder.record(UPLOAD, deadline=ENOUGH)

    assert recorded == Recorded(entry=entry(PNG), is_new=False)
    assert ledger.entries == [entry(PNG)]


@pytest.mark.parametrize(
    ("data", "left_ms", "needed_ms"),
    [(PNG, 5_999, 6_000), (PNG, 24_999, 25_000), (None, 24_999, 25_000)],
    ids=["while reading", "before recording", "while searching the ledger"],
)
def test_work_in_progress_is_given_up_when_time_runs_out(
    data: bytes | None,
    left_ms: int,
    needed_ms: int,
    recorder: Recorder,
    objects: MemoryObjects,
    ledger: MemoryLedger,
) -> None:
    if data is not None:
        objects.held[UPLOAD.version] = data

    with pytest.raises(OutOfTimeError, match=f"{left_ms} ms left, {needed_ms} ms needed"):
        recorder.record(UPLOAD, deadline=Deadline(lambda: left_ms))

    assert ledger.entries == []


def test_work_in_progress_continues_if_there_is_time_for_a_call(
    recorder: Recorder, objects: MemoryObjects
) -> None:
    objects.held[UPLOAD.version] = PNG

    assert recorder.record(UPLOAD, deadline=Deadline(lambda: 25_000)).is_new
