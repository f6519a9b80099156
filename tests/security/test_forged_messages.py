"""The processor against operators: what the right to send messages can't write into the ledger."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from functions.contract.entry import Caller, Entry, Outcome, Reason, Upload, Uploader, Via
from functions.contract.form_metadata import write_caller
from functions.processor.examination import Rules
from local.in_process.events import (
    BUCKET,
    FORM_SIGNER,
    QUEUE_ARN,
    RESEND_QUEUE_ARN,
    SOURCE,
    s3_event,
    s3_record,
)
from tests.functions.examples import PNG, upload

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.functions.account import Account

KEY_OF_OTHERS = "arn:aws:kms:eu-central-1:999999999999:key/5c7e0f6b-0000-4000-8000-000000000000"
LONG_AGO, FAR_AHEAD = datetime(2001, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)


def later(account: Account, deliver: Callable[[], object]) -> None:
    """Deliver again and again, until any wait for a missing object is over."""
    for hours in range(5):
        account.clock.ahead = timedelta(hours=hours)
        deliver()


def as_stored(account: Account, made: Upload) -> Upload:
    """An upload as far as S3's answer tells it."""
    which = {"Bucket": BUCKET, "Key": made.version.key, "VersionId": made.version.version_id}
    modified = account.s3.head_object(**which)["LastModified"]  # type: ignore[arg-type]
    nobody = Uploader(principal=None, source_ip=None)
    return replace(made, uploaded_at=modified, uploader=nobody, resent=True)


@pytest.mark.claim(
    "an event about another bucket or prefix is never recorded, though the processor's role could read the "
    "object, and the true upload of the same bytes is accepted",
    section="Only what is true enters the ledger",
)
@pytest.mark.parametrize("queue_arn", [QUEUE_ARN, RESEND_QUEUE_ARN])
def test_an_event_of_elsewhere_is_not_recorded(account: Account, queue_arn: str) -> None:
    elsewhere = "reports-of-others"
    account.s3.create_bucket(
        Bucket=elsewhere, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    account.s3.put_bucket_versioning(Bucket=elsewhere, VersioningConfiguration={"Status": "Enabled"})
    stored = account.s3.put_object(Bucket=elsewhere, Key="lunch.png", Body=PNG)
    foreign = upload("lunch.png", stored["VersionId"])
    foreign = replace(foreign, version=replace(foreign.version, bucket=elsewhere))

    came_back = account.process(s3_event(foreign), queue_arn=queue_arn)

    assert came_back == ["m0"]
    assert account.calls.made == []
    made = account.put("lunch.png", PNG)
    account.process(s3_event(made))
    assert account.outcomes() == {"lunch.png": Outcome.ACCEPTED}
    assert account.entries()[0].upload.version.bucket == BUCKET


@pytest.mark.claim(
    "S3 only answers for a bucket of the stack's own account", section="Only what is true enters the ledger"
)
def test_the_bucket_has_to_belong_to_the_account(account: Account) -> None:
    account.process(s3_event(account.put("lunch.png", PNG)))

    assert [given.get("ExpectedBucketOwner") for given in account.calls.parameters[:1]] == [
        SOURCE["account_id"]
    ]


@pytest.mark.claim(
    "an object version that was recorded and then deleted for good gets no second entry, whatever time a "
    "message about it claims",
    section="Only what is true enters the ledger",
)
@pytest.mark.parametrize("claimed", [LONG_AGO, datetime.now(UTC) + timedelta(minutes=20), FAR_AHEAD])
def test_a_deleted_version_gets_no_second_entry(account: Account, claimed: datetime) -> None:
    made = account.put("lunch.png", PNG)
    account.process(s3_event(made))
    recorded = account.entries()
    account.delete(made)

    later(account, lambda: account.process_resent(s3_event(replace(made, uploaded_at=claimed))))

    assert account.entries() == recorded


@pytest.mark.claim(
    "a message about an object that never was leaves no entry", section="Only what is true enters the ledger"
)
@pytest.mark.parametrize("version_id", ["3HL4kqtJvjVBH40Nrjfkd", "null", None])
def test_an_object_that_never_was_gets_no_entry(account: Account, version_id: str | None) -> None:
    record = s3_record(upload("phantom.png"))
    record["s3"]["object"]["versionId"] = version_id
    body = json.dumps({"Records": [record]})

    later(account, lambda: account.process_resent(body))

    assert account.entries() == []
    assert account.table.client.scan(TableName=account.table.name)["Items"] == [], "not even a note"


@pytest.mark.claim(
    "the entry of a resent upload has the time and the size of S3's answer, names no uploader, and says that "
    "it was resent",
    section="Only what is true enters the ledger",
)
def test_a_resent_message_is_not_believed(account: Account) -> None:
    made = account.put("lunch.png", PNG)
    forged = s3_record(
        replace(
            made,
            uploaded_at=LONG_AGO,
            uploader=Uploader(principal="AWS:AIDASOMEBODYELSE", source_ip="198.51.100.1"),
        )
    )
    forged["s3"]["object"]["size"] = 1

    account.process_resent(*[json.dumps({"Records": [forged]})] * 3)
    account.process(s3_event(made))

    (entry,) = account.entries()
    assert (entry.upload, entry.size_bytes) == (as_stored(account, made), len(PNG))


SESSION = "bill-e-api-uploads-function-0123456"
FORGED = {"caller": write_caller(Caller(principal="arn:aws:iam::123456789012:user/somebody-else"))}


def uploaded(account: Account, principal: str, via: Via, **asked: Any) -> Upload:
    """Upload an object with metadata as a form has it, and return what S3's event says of it."""
    stored = account.s3.put_object(Bucket=BUCKET, Key="lunch.png", Body=PNG, Metadata=FORGED, **asked)
    made = upload("lunch.png", stored["VersionId"])
    return replace(made, uploader=replace(made.uploader, principal=principal, via=via))


@pytest.mark.claim(
    "only a form names its caller: the same metadata of anybody else's upload is not believed, not even of a "
    "role whose session has the name of the upload-forms function's",
    section="Only what is true enters the ledger",
)
@pytest.mark.parametrize(
    ("principal", "via", "recorded"),
    [
        ("AWS:AIDAEXAMPLE", Via.PUT, Via.PUT),
        ("AWS:AIDAEXAMPLE", Via.POST, Via.POST),
        (f"AWS:AROAOFSOMEBODYELSE:{SESSION}", Via.PUT, Via.PUT),
        (f"AWS:AROAOFSOMEBODYELSE:{SESSION}", Via.POST, Via.POST),
        (f"AWS:AROAOFSOMEBODYELSE:{FORM_SIGNER}:x", Via.POST, Via.POST),
        (f"AWS:{FORM_SIGNER}:{SESSION}", Via.COPY, Via.COPY),
        (f"AWS:{FORM_SIGNER}:{SESSION}", Via.MULTIPART, Via.MULTIPART),
    ],
)
def test_metadata_of_anybody_else_is_not_believed(
    account: Account, principal: str, via: Via, recorded: Via
) -> None:
    account.process(s3_event(uploaded(account, principal, via)))

    (entry,) = account.entries()
    found = entry.upload.uploader
    assert (found.principal, found.via, found.caller) == (principal, recorded, None)


def test_a_form_names_its_caller_at_the_cost_of_any_upload(account: Account) -> None:
    made = uploaded(account, f"AWS:{FORM_SIGNER}:{SESSION}", Via.POST)

    account.process(s3_event(made))

    (entry,) = account.entries()
    assert entry.upload.uploader == replace(
        made.uploader, via=Via.FORM, caller=Caller(principal="arn:aws:iam::123456789012:user/somebody-else")
    )
    assert account.calls.made == ["GetObject", "PutItem"]


def test_a_form_names_its_caller_even_if_s3_will_not_return_the_object(account: Account) -> None:
    made = uploaded(account, f"AWS:{FORM_SIGNER}:{SESSION}", Via.POST, StorageClass="GLACIER")

    account.process(s3_event(made))

    (entry,) = account.entries()
    assert (entry.reason, entry.upload.uploader.via) == (Reason.UNREADABLE, Via.FORM)
    assert entry.upload.uploader.caller == Caller(principal="arn:aws:iam::123456789012:user/somebody-else")


@pytest.mark.claim(
    "an operator who sends an event about a form again names no caller: a resent message is not believed, "
    "even if it names the function that signs forms",
    section="Only what is true enters the ledger",
)
def test_a_resent_message_names_no_caller(account: Account) -> None:
    made = uploaded(account, f"AWS:{FORM_SIGNER}:{SESSION}", Via.POST)

    account.process_resent(s3_event(made))

    (entry,) = account.entries()
    assert entry.upload == as_stored(account, made)


@pytest.mark.claim(
    "a message in S3's queue that an operator of the last release sent is believed no more than a resent one",
    section="Only what is true enters the ledger",
)
def test_only_an_event_of_s3_itself_is_believed(account: Account) -> None:
    made = account.put("lunch.png", PNG)
    record = {**s3_record(made), "eventSource": "bill-e:backfill"}

    account.process(json.dumps({"Records": [record]}))

    (entry,) = account.entries()
    assert entry.upload == as_stored(account, made)


def refusing(account: Account, code: str) -> None:
    """Have S3 refuse to return objects, as it does if it can't decrypt them for the processor."""
    refusal: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": 403}}
    account.calls.fail_before = lambda name, _: (
        ClientError(refusal, "GetObject") if name == "GetObject" else None
    )


UNREADABLE: dict[str, tuple[dict[str, str], str | None]] = {
    "archived": ({"StorageClass": "GLACIER"}, None),
    "archived deeper": ({"StorageClass": "DEEP_ARCHIVE"}, None),
    "under another key": ({"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": KEY_OF_OTHERS}, "AccessDenied"),
    "under a deleted key": (
        {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": KEY_OF_OTHERS},
        "KMS.NotFoundException",
    ),
    "under its uploader's key": ({}, "InvalidRequest"),
}


@pytest.mark.claim(
    "an object that S3 will never return, since it is archived or under a key of somebody else, gets its one "
    "entry, REJECTED with the reason unreadable",
    section="Only what is true enters the ledger",
)
@pytest.mark.parametrize("resent", [False, True])
@pytest.mark.parametrize(("asked", "refusal"), UNREADABLE.values(), ids=UNREADABLE)
def test_an_unreadable_object_is_rejected(
    account: Account, asked: dict[str, Any], refusal: str | None, resent: bool
) -> None:
    stored = account.s3.put_object(Bucket=BUCKET, Key="lunch.png", Body=PNG, **asked)
    made = upload("lunch.png", stored["VersionId"], datetime.now(UTC).replace(microsecond=0))
    if refusal:
        refusing(account, refusal)
    deliver = account.process_resent if resent else account.process

    assert [deliver(s3_event(made)) for _ in range(2)] == [[], []]

    (entry,) = account.entries()
    assert entry == Entry(
        outcome=Outcome.REJECTED,
        upload=as_stored(account, made) if resent else made,
        recorded_at=entry.recorded_at,
        fingerprint=None,
        size_bytes=len(PNG),
        media_type=None,
        reason=Reason.UNREADABLE,
    )


@pytest.mark.claim(
    "an object version gets no second entry when an operator sends it again after it was archived or "
    "restored, or after the rules have changed",
    section="Only what is true enters the ledger",
)
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"GetObject": "InvalidObjectState"}, {}),
        ({}, {"GetObject": "InvalidObjectState"}),
        ({"rules": Rules(accepted_types=frozenset({"image/png"}), max_bytes=1)}, {}),
        ({}, {"rules": Rules(accepted_types=frozenset({"image/png"}), max_bytes=1)}),
        ({"rules": Rules(accepted_types=frozenset(), max_bytes=100)}, {}),
        ({}, {"rules": Rules(accepted_types=frozenset(), max_bytes=100)}),
    ],
    ids=["restored", "archived", "larger limit", "smaller limit", "one more type", "one type less"],
)
@pytest.mark.parametrize("is_copy", [False, True])
def test_what_is_known_of_a_version_changes_nothing_about_its_entry(
    account: Account,
    before: dict[str, Any],
    after: dict[str, Any],
    is_copy: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if is_copy:
        account.process(s3_event(account.put("first.png", PNG)))
    made = account.put("lunch.png", PNG)
    set_up(account, before, monkeypatch)
    account.process(s3_event(made))
    recorded = account.entries()

    set_up(account, after, monkeypatch)
    assert account.process_resent(s3_event(made)) == []

    assert account.entries() == recorded


def set_up(account: Account, change: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    account.handler("processor")
    recorder = sys.modules["functions.processor.handler"]._processor._recorder
    usual = Rules(accepted_types=frozenset({"image/png"}), max_bytes=1_000_000)
    monkeypatch.setattr(recorder, "_rules", change.get("rules", usual))
    account.calls.fail_before = lambda *_: None
    if code := change.get("GetObject"):
        refusing(account, code)


@pytest.mark.claim(
    "a message that comes again after its object was archived finds the entry that it made",
    section="Only what is true enters the ledger",
)
def test_a_redelivery_after_archiving_makes_no_second_entry(account: Account) -> None:
    made = account.put("lunch.png", PNG)
    account.process(s3_event(made))
    recorded = account.entries()
    refusing(account, "InvalidObjectState")

    assert account.process(s3_event(made)) == []

    assert account.entries() == recorded


@pytest.mark.claim(
    "an object that S3 refuses for a reason that may pass, such as a permission that is lacking, stays "
    "without an entry, and its message comes back",
    section="Only what is true enters the ledger",
)
@pytest.mark.parametrize("refusal", ["AccessDenied", "KMS.DisabledException", "SlowDown", "InternalError"])
def test_a_refusal_that_may_pass_is_no_rejection(account: Account, refusal: str) -> None:
    made = account.put("lunch.png", PNG)
    refusing(account, refusal)

    assert account.process(s3_event(made)) == ["m0"]
    assert account.entries() == []

    account.calls.fail_before = lambda *_: None
    assert account.process(s3_event(made)) == []
    assert account.outcomes() == {"lunch.png": Outcome.ACCEPTED}
