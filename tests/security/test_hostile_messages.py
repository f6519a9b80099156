"""The processor against messages that S3 would never send, though they come from its queue.

Whatever is in a batch, nothing is raised, a message is only acknowledged when each of its uploads has an
entry, and every entry is right about the bytes in the bucket.
"""

from __future__ import annotations

import copy
import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from functions.contract.entry import NULL_VERSION, Entry, ObjectVersion, Outcome, Reason, Upload, Uploader
from functions.contract.s3_events import VIA, UnreadableMessageError, parse_body
from local.in_process.events import s3_event, s3_record
from local.whole_files import png
from tests.functions.account import MAX_BYTES, TOO_LARGE
from tests.functions.examples import JPEG, PDF, S3_TEST_EVENT, TEXT, upload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.functions.account import Account

LONGEST_LOG_LINE = 8_000
HUGE_NUMBER, HUGE_DIGITS = "the number", "9" * 5_000
"""A number over Python's limit can't be dumped, so a text stands for it until then."""

ALMOST_ANY_TEXT = st.text(st.characters(), max_size=40)  # half surrogates and NUL included
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, -1, 2**63, 10**400, 1e308, 0.1, float("nan"), float("-inf"), HUGE_NUMBER]),
    ALMOST_ANY_TEXT,
    st.sampled_from(
        [
            *("", "null", "../..", "%00", "%", "%zz", "%ff", "+", "\ud800", "\udfff\ud800", "x" * 2_000),
            *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "2026-W47-7T10:00Z", "2026-11-22"),
            *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "ObjectCreated:", "2", "2.", "3.0"),
            *(
                "s3:TestEvent",
                "arn:aws:s3:eu-central-1:123456789012:accesspoint/other",
                "-",
                "a..b",
                "A" * 300,
            ),
        ]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ALMOST_ANY_TEXT, inner, max_size=4),
    max_leaves=8,
)
PATHS = [
    *(["eventVersion"], ["eventName"], ["eventTime"], ["userIdentity"], ["userIdentity", "principalId"]),
    *(["requestParameters"], ["requestParameters", "sourceIPAddress"], ["responseElements"], ["s3"]),
    *(["s3", "bucket"], ["s3", "bucket", "name"], ["s3", "object"], ["s3", "object", "key"]),
    *(["s3", "object", "versionId"], ["s3", "object", "size"], ["extra"]),
]

NESTINGS = [("[", "]"), ('{"Records":', "}"), ('{"Records":[', "]}")]

UPLOADED_AT = datetime.now(UTC).replace(microsecond=0)


class Uploaded:
    """What was uploaded, and what of it is still in the bucket. Entries have to agree with it."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.contents: dict[ObjectVersion, tuple[bytes, str | None]] = {}
        self.made: list[Upload] = []
        for number in range(3):
            self._put(f"photo-{number}.png", png(bytes(number // 2)), "image/png")
        self._put("bill.pdf", PDF, "application/pdf")
        self._put("bill.jpg", JPEG, "image/jpeg")
        self._put("note.txt", TEXT, None)
        self._put("empty.png", b"", None)
        self._put("video.png", TOO_LARGE, "image/png")
        gone = self._put("gone.png", png(b"gone"), "image/png")
        account.delete(gone)
        del self.contents[gone.version]
        self.good = self._put("good.png", png(b"good"), "image/png")

    def _put(self, key: str, data: bytes, media_type: str | None) -> Upload:
        made = replace(self.account.put(key, data), uploaded_at=UPLOADED_AT)
        self.contents[made.version] = data, media_type
        self.made.append(made)
        return made

    def as_stored(self, version: ObjectVersion) -> Upload:
        """An upload, as far as S3 itself knows it."""
        head = self.account.s3.head_object(
            Bucket=version.bucket, Key=version.key, VersionId=version.version_id
        )
        nobody = Uploader(principal=None, source_ip=None)
        return Upload(version=version, uploaded_at=head["LastModified"], uploader=nobody, resent=True)


def dumped(event: object) -> str:
    return json.dumps(event).replace(json.dumps(HUGE_NUMBER), HUGE_DIGITS)


@st.composite
def s3_records(draw: st.DrawFn, made: list[Upload]) -> object:
    """A record about one of the uploads. Up to two of its fields are replaced or left out."""
    record: dict[str, Any] = copy.deepcopy(s3_record(draw(st.sampled_from(made))))
    for _ in range(draw(st.integers(0, 2))):
        *parents, name = draw(st.sampled_from(PATHS))
        owner: Any = record
        for parent in parents:
            owner = owner.get(parent) if isinstance(owner, dict) else None
        if not isinstance(owner, dict):
            continue
        if draw(st.booleans()):
            owner[name] = draw(VALUES)
        else:
            owner.pop(name, None)
    return record


@st.composite
def bodies(draw: st.DrawFn, made: list[Upload]) -> str:
    """A message body: an event of S3, intact or damaged, or something else."""
    records = st.lists(s3_records(made), min_size=1, max_size=4)
    match draw(st.integers(0, 9)):
        case 0:
            return draw(st.text(st.characters(), min_size=1))
        case 1:
            return dumped(draw(VALUES))
        case 2:
            depth = draw(st.sampled_from([10, 500, 900, 980, 1_000, 100_000]))
            opening, closing = draw(st.sampled_from(NESTINGS))
            return opening * depth + "1" + closing * depth
        case 3:
            text = dumped({"Records": draw(records)})
            return text[: draw(st.integers(1, len(text)))]
        case 4:
            return f'{{"Records": {dumped(draw(records))}, "Records": {dumped(draw(records))}}}'
        case 5:
            return dumped(
                {**json.loads(S3_TEST_EVENT), **draw(st.fixed_dictionaries({}, optional={"Records": VALUES}))}
            )
        case 6:
            return dumped({"Records": [*draw(records), draw(VALUES)]})
        case _:
            return dumped(
                {"Records": draw(records), **draw(st.dictionaries(ALMOST_ANY_TEXT, VALUES, max_size=1))}
            )


class Told:
    """What a body says, read without the code under test."""

    def __init__(self, body: str) -> None:
        self.records: list[dict[str, Any]] = []
        self.is_json = True
        self.is_test_event = False
        self.has_other_records = False
        self.repeats_a_name = False
        try:
            event = json.loads(body, object_pairs_hook=self._object)
        except (ValueError, RecursionError):
            self.is_json = False
            return
        if isinstance(event, dict):
            self.is_test_event = event.get("Event") == "s3:TestEvent" and "Records" not in event
            records = event.get("Records")
            self.has_other_records = isinstance(records, list) and len(records) != len(self.records)

    def _object(self, pairs: list[tuple[str, object]]) -> dict[str, object]:
        value = dict(pairs)
        self.repeats_a_name |= len(value) < len(pairs)
        if "s3" in value:
            self.records.append(value)
        return value

    def uploads(self) -> Iterator[Upload]:
        for record in self.records:
            stored = record["s3"]["object"]
            yield Upload(
                version=ObjectVersion(
                    bucket=record["s3"]["bucket"]["name"],
                    key=unquote_plus(stored["key"]),
                    version_id=stored.get("versionId") or "null",
                ),
                uploaded_at=datetime.fromisoformat(record["eventTime"]).astimezone(UTC),
                uploader=Uploader(
                    principal=(record.get("userIdentity") or {}).get("principalId") or None,
                    source_ip=(record.get("requestParameters") or {}).get("sourceIPAddress") or None,
                    via=VIA.get(record["eventName"]),
                ),
            )


def why_untrue(entry: Entry, uploaded: Uploaded, told: list[Upload]) -> str | None:
    """Say what is wrong with an entry, or ``None`` if nothing is."""
    version = entry.upload.version
    if entry.upload not in told:
        return "no message told of this upload"
    if entry.reason is Reason.OBJECT_MISSING:
        claimed = (entry.outcome, entry.fingerprint, entry.size_bytes, entry.media_type)
        if version in uploaded.contents:
            return "the object is there"
        return None if claimed == (Outcome.REJECTED, None, None, None) else "nothing can be known of it"
    if version.version_id == NULL_VERSION:
        return None if entry.reason is Reason.UNVERSIONED else "S3 can overwrite it"
    if version not in uploaded.contents:
        return "the object is not there"
    data, media_type = uploaded.contents[version]
    if len(data) > MAX_BYTES:
        expected: tuple[object, ...] = (Outcome.REJECTED, Reason.TOO_LARGE, None, len(data), None)
    else:
        is_accepted = media_type in {"image/png", "application/pdf"}
        reason = Reason.EMPTY if not data else None if is_accepted else Reason.UNSUPPORTED_TYPE
        outcome = Outcome.REJECTED if reason else Outcome.ACCEPTED
        expected = outcome, reason, hashlib.sha256(data).hexdigest(), len(data), media_type
    is_first = entry.outcome is not Outcome.DUPLICATE
    outcome = entry.outcome if is_first else Outcome.ACCEPTED
    claimed_all = outcome, entry.reason, entry.fingerprint, entry.size_bytes, entry.media_type
    return None if claimed_all == expected else f"the object is {expected}"


def check_ledger(entries: list[Entry], uploaded: Uploaded, told: list[Upload]) -> None:
    assert [(entry, why) for entry in entries if (why := why_untrue(entry, uploaded, told))] == []
    versions = [entry.upload.version for entry in entries]
    assert len(versions) == len(set(versions)), "an object version has two entries"
    receipts = {entry.fingerprint: entry for entry in entries if entry.outcome is Outcome.ACCEPTED}
    assert len(receipts) == sum(entry.outcome is Outcome.ACCEPTED for entry in entries)
    for entry in entries:
        if entry.outcome is Outcome.DUPLICATE:
            assert entry.duplicate_of == receipts[entry.fingerprint].upload.version
        else:
            assert entry.duplicate_of is None


@pytest.fixture
def uploaded(account: Account) -> Uploaded:
    return Uploaded(account)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.claim(
    "no message is acknowledged before each of its uploads has a correct entry, and no message causes a "
    "stack trace, whatever is in the batch",
    section="Hostile input",
)
def test_every_acknowledged_upload_has_a_correct_entry_whatever_is_in_the_batch(
    uploaded: Uploaded, data: st.DataObject
) -> None:
    account = uploaded.account
    account.empty_ledger()
    account.clock.ahead = timedelta()
    hostile = data.draw(st.lists(bodies(uploaded.made), min_size=1, max_size=3))
    batch = [*hostile, s3_event(uploaded.good)]

    at_first = deliver(batch, uploaded, receive_count=1)
    assert Reason.OBJECT_MISSING not in {entry.reason for entry in at_first}

    account.clock.ahead = timedelta(hours=1)
    in_the_end = deliver(batch, uploaded, receive_count=2)
    assert all(entry in in_the_end for entry in at_first), "an entry did not stay as it was"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.claim(
    "whatever operators send, an entry is about an object version in the bucket, has its time and size from "
    "S3, names no uploader, and says that it was resent",
    section="Only what is true enters the ledger",
)
def test_whatever_operators_send_only_what_is_in_the_bucket_is_recorded(
    uploaded: Uploaded, data: st.DataObject
) -> None:
    account = uploaded.account
    account.empty_ledger()
    hostile = data.draw(st.lists(bodies(uploaded.made), min_size=1, max_size=3))

    for hours in (0, 1):
        account.clock.ahead = timedelta(hours=hours)
        account.process_resent(*hostile)

    entries = account.entries()
    as_stored = [uploaded.as_stored(entry.upload.version) for entry in entries]
    check_ledger(entries, uploaded, as_stored)


def deliver(batch: list[str], uploaded: Uploaded, *, receive_count: int) -> list[Entry]:
    """Deliver a batch whose last message is good, check what is always true, and return the ledger."""
    came_back = uploaded.account.process(*batch, receive_count=receive_count)

    entries = uploaded.account.entries()
    recorded = {entry.upload.version for entry in entries}
    told_by_all: list[Upload] = []
    for index, body in enumerate(batch):
        told = Told(body)
        if f"m{index}" in came_back:
            told_by_all += _as_far_as_readable(told)
            continue
        assert told.is_json
        assert not told.repeats_a_name
        assert told.records or told.is_test_event
        assert not told.has_other_records
        uploads = list(told.uploads())
        assert {one.version for one in uploads} <= recorded
        told_by_all += uploads
    assert f"m{len(batch) - 1}" not in came_back, "a good message suffered from its neighbours"
    check_ledger(entries, uploaded, told_by_all)
    for line in uploaded.account.log():
        assert len(json.dumps(line)) < LONGEST_LOG_LINE
        assert "exception" not in line, "a stack trace: nobody expected this error"
    return entries


def _as_far_as_readable(told: Told) -> list[Upload]:
    try:
        return list(told.uploads())
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        return []


@given(bodies([upload(uploaded_at=UPLOADED_AT)]))
@example("[" * 100_000)
@example('{"Records": ' + "[" * 900 + "]" * 900 + "}")
@example('{"Records": [{"eventVersion": ' + HUGE_DIGITS + "}]}")
@pytest.mark.claim(
    "any message body is either read or refused in one short sentence", section="Hostile input"
)
def test_a_body_is_read_or_refused_in_one_short_sentence(body: str) -> None:
    try:
        parse_body(body)
        refused = ""
    except UnreadableMessageError as error:
        refused = str(error)
    assert len(refused) < 300
    assert refused.isprintable()


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z"])
@pytest.mark.claim("an upload is recorded whatever time its event claims", section="Hostile input")
def test_an_upload_is_recorded_whatever_time_its_event_claims(uploaded: Uploaded, time: str) -> None:
    record = s3_record(uploaded.made[0])
    record["s3"]["object"]["versionId"] = "no-such-version"
    record["eventTime"] = time
    body = json.dumps({"Records": [record]})

    assert uploaded.account.process(body) == ["m0"]
    uploaded.account.clock.ahead = timedelta(hours=1)
    assert uploaded.account.process(body, receive_count=2) == []

    (entry,) = uploaded.account.entries()
    assert entry.reason is Reason.OBJECT_MISSING
    assert not [line for line in uploaded.account.log() if "exception" in line]
