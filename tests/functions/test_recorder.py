from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from functions.contract.entry import (
    Caller,
    ContentFinding,
    Entry,
    ObjectVersion,
    Outcome,
    Reason,
    Upload,
    Uploader,
    UploadLocation,
    Via,
)
from functions.contract.form_metadata import write_caller
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
from local.in_process.events import BUCKET, FORM_SIGNER
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
    metadata: dict[ObjectVersion, dict[str, str]] = field(default_factory=dict)

    @contextlib.contextmanager
    def open(self, version: ObjectVersion, _: Callable[[], None]) -> Iterator[Stored]:
        if version not in self.held:
            raise ObjectMissingError
        yield stored(self.held[version], metadata=self.metadata.get(version, {}))

    def record(self, entry: Entry, before_call: Callable[[], None] = lambda: None) -> Recorded:
        before_call()
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


def recorder_of(memory: Any, location: UploadLocation, form_signer: str | None = FORM_SIGNER) -> Recorder:
    rules = Rules(accepted_types=frozenset({"image/png"}), max_bytes=100)
    return Recorder(
        location=location,
        form_signer=form_signer,
        objects=memory,
        ledger=memory,
        rules=rules,
        now=lambda: NOW,
    )


def accepted(data: bytes, **changes: Any) -> Entry:
    of_the_bytes = {"fingerprint": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}
    return entry("lunch.png", NOW, **{"upload": UPLOAD, **of_the_bytes, **changes})


def rejected(data: bytes, reason: Reason, **changes: Any) -> Entry:
    return accepted(data, outcome=Outcome.REJECTED, reason=reason, **{"media_type": None, **changes})


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (PNG, accepted(PNG)),
        (PNG + TEXT, accepted(PNG + TEXT, findings=(ContentFinding.TRAILING_DATA,))),
        (TEXT, rejected(TEXT, Reason.UNSUPPORTED_TYPE)),
        (
            PNG[:50],
            rejected(
                PNG[:50],
                Reason.DAMAGED,
                media_type="image/png",
                detail="ends after 50 bytes, inside the chunk IDAT that should have 10",
            ),
        ),
        (b"", rejected(b"", Reason.EMPTY)),
        (PNG.ljust(101), rejected(PNG.ljust(101), Reason.TOO_LARGE, fingerprint=None)),
    ],
    ids=["accepted", "with a finding", "unsupported type", "damaged", "empty", "too large"],
)
def test_an_object_gets_the_entry_that_its_bytes_call_for(
    data: bytes, expected: Entry, recorder: Recorder, memory: Memory
) -> None:
    memory.held[UPLOAD.version] = data

    recorded = recorder.record(UPLOAD, deadline=ENOUGH)

    assert recorded == Recorded(entry=expected, is_new=True)
    assert memory.entries == [expected]
    assert memory.searched == []


def test_every_entry_gets_a_salt_of_its_own(recorder: Recorder, memory: Memory) -> None:
    for key, data in {"a": PNG, "b": TEXT, "c": PNG.ljust(101)}.items():
        version = replace(UPLOAD.version, key=key)
        memory.held[version] = data
        recorder.record(replace(UPLOAD, version=version), deadline=ENOUGH)

    salts = [each.salt or "" for each in memory.entries]
    assert [len(bytes.fromhex(salt)) for salt in salts] == [16, 16, 16]
    assert len({*salts}) == 3


@pytest.mark.parametrize(
    ("key", "data", "reason"),
    [
        ("2026/", b"", Reason.FOLDER_MARKER),
        ("2026/november/", b"", Reason.FOLDER_MARKER),
        ("/", b"", Reason.FOLDER_MARKER),
        ("2026", b"", Reason.EMPTY),
        ("2026/ ", b"", Reason.EMPTY),
        ("2026/", TEXT, Reason.UNSUPPORTED_TYPE),
        ("2026/", PNG.ljust(101), Reason.TOO_LARGE),
        ("2026/", PNG, None),
    ],
)
@pytest.mark.parametrize("resent", [False, True])
def test_only_an_empty_object_whose_key_ends_in_a_slash_is_a_folder_marker(
    key: str, data: bytes, reason: Reason | None, resent: bool, recorder: Recorder, memory: Memory
) -> None:
    version = replace(UPLOAD.version, key=key)
    memory.held[version] = data

    recorder.record(replace(UPLOAD, version=version, resent=resent), deadline=ENOUGH)

    assert [each.reason for each in memory.entries] == [reason]


SIGNED = f"AWS:{FORM_SIGNER}:bill-e-api-uploads-function"
CALLER = Caller(principal="arn:aws:iam::123456789012:user/erika")


@pytest.mark.parametrize(
    ("principal", "via", "recorded", "caller"),
    [
        (SIGNED, Via.POST, Via.FORM, CALLER),
        (SIGNED, Via.PUT, Via.PUT, None),
        (SIGNED, Via.COPY, Via.COPY, None),
        (SIGNED, Via.MULTIPART, Via.MULTIPART, None),
        (SIGNED, None, None, None),
        (SIGNED.replace(FORM_SIGNER, "AROAOFSOMEBODYELSE"), Via.POST, Via.POST, None),
        (SIGNED.replace(FORM_SIGNER, f"{FORM_SIGNER}2"), Via.POST, Via.POST, None),
        (f"AWS:AROAOFSOMEBODYELSE:{SIGNED}", Via.POST, Via.POST, None),
        (f"AWS:{FORM_SIGNER}", Via.POST, Via.POST, None),
        (f"{FORM_SIGNER}:session", Via.POST, Via.POST, None),
        (None, Via.POST, Via.POST, None),
    ],
)
def test_only_a_form_of_the_stack_names_its_caller(
    principal: str | None, via: Via, recorded: Via, caller: Caller | None, recorder: Recorder, memory: Memory
) -> None:
    uploader = replace(UPLOAD.uploader, principal=principal, via=via)
    memory.held[UPLOAD.version] = PNG
    memory.metadata[UPLOAD.version] = {"caller": write_caller(CALLER)}

    recorder.record(replace(UPLOAD, uploader=uploader), deadline=ENOUGH)

    as_proven = replace(uploader, via=recorded, caller=caller)
    assert [each.upload.uploader for each in memory.entries] == [as_proven]


@pytest.mark.parametrize("held", [{}, {UPLOAD.version: PNG}], ids=["missing", "without metadata"])
def test_a_form_without_metadata_names_nobody(
    held: dict[ObjectVersion, bytes], recorder: Recorder, memory: Memory
) -> None:
    uploader = replace(UPLOAD.uploader, principal=SIGNED, via=Via.POST)
    memory.held |= held
    memory.missing[UPLOAD.version] = NOW - SETTLED

    recorder.record(replace(UPLOAD, uploader=uploader), deadline=ENOUGH)

    assert [each.upload.uploader for each in memory.entries] == [replace(uploader, via=Via.FORM)]


def test_where_there_are_no_forms_nobody_is_believed(memory: Any) -> None:
    recorder = recorder_of(memory, UploadLocation(bucket=BUCKET, prefix=""), form_signer=None)
    uploader = replace(UPLOAD.uploader, principal="AWS:None:session", via=Via.POST)
    memory.held[UPLOAD.version] = PNG
    memory.metadata[UPLOAD.version] = {"caller": write_caller(CALLER)}

    recorder.record(replace(UPLOAD, uploader=uploader), deadline=ENOUGH)

    assert [each.upload.uploader for each in memory.entries] == [uploader]


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
    memory.metadata[UPLOAD.version] = {"caller": write_caller(CALLER)}
    signed = replace(UPLOAD.uploader, principal=SIGNED, via=Via.POST)
    as_stored = Upload(
        version=UPLOAD.version,
        uploaded_at=MODIFIED,
        uploader=Uploader(principal=None, source_ip=None),
        resent=True,
    )

    recorder.record(replace(UPLOAD, uploader=signed, resent=True), deadline=ENOUGH)

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
