from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from functions.contract.entry import Entry, ObjectVersion, Outcome, Reason, Upload, Uploader, UploadLocation
from functions.ledger.store import Recorded
from functions.processor.examination import Rules
from functions.processor.invocation import Deadline, OutOfTimeError
from functions.processor.objects import ObjectMissingError
from functions.processor.recorder import (
    SETTLING_INVOCATIONS,
    ForeignUploadError,
    MissingTooRecentlyError,
    Recorder,
)
from local.in_process.events import BUCKET
from tests.functions.examples import MODIFIED, PNG, TEXT, Stored, entry, stored, upload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

UPLOADED_AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
NOW = UPLOADED_AT + timedelta(seconds=3)
UPLOAD = upload(uploaded_at=UPLOADED_AT)
ENOUGH = Deadline(lambda: 60_000)
SETTLED = SETTLING_INVOCATIONS * ENOUGH.allotted


@dataclass
class Memory:
    """S3 and the ledger. The ledger takes every entry, and finds the first one of an object version."""

    held: dict[ObjectVersion, bytes] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    searched: list[tuple[datetime, datetime]] = field(default_factory=list)
    missing: dict[ObjectVersion, datetime] = field(default_factory=dict)

    @contextlib.contextmanager
    def open(self, version: ObjectVersion, _: Callable[[], None]) -> Iterator[Stored]:
        if version not in self.held:
            raise ObjectMissingError
        yield stored(self.held[version])

    def record(self, entry: Entry) -> Recorded:
        self.entries.append(entry)
        return Recorded(entry=entry, is_new=True)

    def find(
        self, version: ObjectVersion, *, since: datetime, until: datetime, before_page: Callable[[], None]
    ) -> Entry | None:
        before_page()
        self.searched.append((since, until))
        return next((entry for entry in self.entries if entry.upload.version == version), None)

    def standing(
        self, version: ObjectVersion, _: str | None, before_call: Callable[[], None]
    ) -> Entry | None:
        before_call()
        return next((entry for entry in self.entries if entry.upload.version == version), None)

    def note_missing(self, version: ObjectVersion, now: datetime) -> datetime:
        return self.missing.setdefault(version, now)


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def recorder(memory: Any) -> Recorder:
    return recorder_of(memory, UploadLocation(bucket=BUCKET, prefix=""))


def recorder_of(memory: Any, location: UploadLocation) -> Recorder:
    rules = Rules(accepted_types=frozenset({"image/png"}), max_bytes=100)
    return Recorder(location=location, objects=memory, ledger=memory, rules=rules, now=lambda: NOW)


def accepted(data: bytes, **changes: Any) -> Entry:
    of_the_bytes = {"fingerprint": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}
    return entry("lunch.png", NOW, **{"upload": UPLOAD, **of_the_bytes, **changes})


def rejected(data: bytes, reason: Reason, **changes: Any) -> Entry:
    return accepted(data, outcome=Outcome.REJECTED, reason=reason, media_type=None, **changes)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (PNG, accepted(PNG)),
        (TEXT, rejected(TEXT, Reason.UNSUPPORTED_TYPE)),
        (b"", rejected(b"", Reason.EMPTY)),
        (PNG.ljust(101), rejected(PNG.ljust(101), Reason.TOO_LARGE, fingerprint=None)),
    ],
    ids=["accepted", "unsupported type", "empty", "too large"],
)
def test_an_object_gets_the_entry_that_its_bytes_call_for(
    data: bytes, expected: Entry, recorder: Recorder, memory: Memory
) -> None:
    memory.held[UPLOAD.version] = data

    recorded = recorder.record(UPLOAD, deadline=ENOUGH)

    assert recorded == Recorded(entry=expected, is_new=True)
    assert memory.entries == [expected]
    assert memory.searched == []


@pytest.mark.parametrize("known_for", [timedelta(), SETTLED - timedelta(milliseconds=1)])
def test_an_object_that_went_missing_recently_comes_back(
    known_for: timedelta, recorder: Recorder, memory: Memory
) -> None:
    if known_for:
        memory.missing[UPLOAD.version] = NOW - known_for

    with pytest.raises(MissingTooRecentlyError, match=f"first noticed {known_for} ago, 0:02:00 needed"):
        recorder.record(UPLOAD, deadline=ENOUGH)

    assert memory.entries == []
    assert memory.missing == {UPLOAD.version: NOW - known_for}


def test_an_object_that_has_been_missing_for_long_is_rejected(recorder: Recorder, memory: Memory) -> None:
    memory.missing[UPLOAD.version] = NOW - SETTLED
    missing = rejected(b"", Reason.OBJECT_MISSING, fingerprint=None, size_bytes=None)

    recorded = recorder.record(UPLOAD, deadline=ENOUGH)

    assert recorded == Recorded(entry=missing, is_new=True)
    assert memory.entries == [missing]
    assert memory.searched == [(UPLOADED_AT, NOW)]


@pytest.mark.parametrize("missing", [{}, {UPLOAD.version: NOW - SETTLED}], ids=["new", "known for long"])
def test_a_missing_object_that_already_has_an_entry_gets_no_other(
    missing: dict[ObjectVersion, datetime], recorder: Recorder, memory: Memory
) -> None:
    memory.entries.append(accepted(PNG))
    memory.missing |= missing

    recorded = recorder.record(UPLOAD, deadline=ENOUGH)

    assert recorded == Recorded(entry=accepted(PNG), is_new=False)
    assert memory.entries == [accepted(PNG)]


@pytest.mark.parametrize(
    ("held", "left_ms", "needed_ms"),
    [({UPLOAD.version: PNG}, 5_999, 6_000), ({UPLOAD.version: PNG}, 24_999, 25_000), ({}, 24_999, 25_000)],
    ids=["while reading", "before recording", "while searching the ledger"],
)
def test_work_in_progress_is_given_up_when_time_runs_out(
    held: dict[ObjectVersion, bytes], left_ms: int, needed_ms: int, recorder: Recorder, memory: Memory
) -> None:
    memory.held |= held

    with pytest.raises(OutOfTimeError, match=f"{left_ms} ms left, {needed_ms} ms needed"):
        recorder.record(UPLOAD, deadline=Deadline(lambda: left_ms))

    assert memory.entries == []


def test_a_resent_upload_is_recorded_as_s3_has_it(recorder: Recorder, memory: Memory) -> None:
    memory.held[UPLOAD.version] = PNG
    as_stored = Upload(
        version=UPLOAD.version,
        uploaded_at=MODIFIED,
        uploader=Uploader(principal=None, source_ip=None),
        resent=True,
    )

    recorder.record(replace(UPLOAD, resent=True), deadline=ENOUGH)

    assert memory.entries == [accepted(PNG, upload=as_stored)]


@pytest.mark.parametrize("missing", [{}, {UPLOAD.version: NOW - SETTLED}], ids=["new", "known for long"])
def test_a_resent_upload_that_is_not_there_leaves_no_trace(
    missing: dict[ObjectVersion, datetime], recorder: Recorder, memory: Memory
) -> None:
    memory.missing |= missing

    with pytest.raises(ObjectMissingError):
        recorder.record(replace(UPLOAD, resent=True), deadline=ENOUGH)

    assert memory.entries == []
    assert memory.missing == missing
    assert memory.searched == []


@pytest.mark.parametrize("resent", [False, True])
@pytest.mark.parametrize(
    "elsewhere", [{"bucket": "other"}, {"key": "lunch.png"}, {"key": "Receipts/a"}, {"key": "a/receipts/"}]
)
def test_an_upload_of_elsewhere_is_refused_unread(
    elsewhere: dict[str, str], resent: bool, memory: Any
) -> None:
    version = replace(UPLOAD.version, **{"key": "receipts/lunch.png", **elsewhere})
    memory.held[version] = PNG
    recorder = recorder_of(memory, UploadLocation(bucket=BUCKET, prefix="receipts/"))

    with pytest.raises(ForeignUploadError, match=f"objects below receipts/ in {BUCKET}"):
        recorder.record(replace(UPLOAD, version=version, resent=resent), deadline=ENOUGH)

    assert memory.entries == []


def test_work_in_progress_continues_if_there_is_time_for_a_call(recorder: Recorder, memory: Memory) -> None:
    memory.held[UPLOAD.version] = PNG

    assert recorder.record(UPLOAD, deadline=Deadline(lambda: 25_000)).is_new
