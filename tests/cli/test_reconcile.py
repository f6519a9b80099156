from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.operator.findings import State
from cli.operator.resend import event_maker, send_messages
from functions.contract import schema
from functions.contract.entry import ContentFinding, Entry, ObjectVersion, Outcome, Reason, format_time
from functions.contract.s3_events import parse_body
from functions.reconciliation.inventory import StoredVersion
from tests.cli.conftest import ChangeCall, Run, denied
from tests.cli.operated_stack import BUCKET, LOG_BUCKET, LONG_AGO, SHARDS, TABLE, OperatedStack

ALL = ("--age", "0")


def reconciled(operator: Run, *arguments: str) -> tuple[int, dict[str, Any]]:
    ran = operator("reconcile", "--json", *arguments)
    assert ran.out, ran.err
    return ran.code, json.loads(ran.out)


def test_complete_ledger_is_exit_code_0(operator: Run, operated: OperatedStack) -> None:
    for name in ("a.png", "größe +1%.png", "a.png"):
        operated.record(operated.upload(name))
    operated.s3.delete_object(Bucket=BUCKET, Key="a.png")

    code, report = reconciled(operator, *ALL)

    assert (code, report["complete"]) == (0, True)
    assert (report["totals"]["versions"], report["totals"]["recorded"]) == (3, 3)


def test_empty_bucket_and_ledger_are_complete(operator: Run) -> None:
    assert reconciled(operator)[0] == 0


def test_missing_version_is_exit_code_1_and_named(operator: Run, operated: OperatedStack) -> None:
    operated.record(operated.upload("a.png"))
    lost = operated.upload("lost.png")

    code, report = reconciled(operator, *ALL)

    assert (code, report["complete"]) == (1, False)
    assert [(one["key"], one["version_id"]) for one in report["missing"]] == [("lost.png", lost.version_id)]
    assert operated.sent() == []


def test_young_version_is_in_flight_and_not_judged(operator: Run, operated: OperatedStack) -> None:
    operated.upload("new.png")

    code, report = reconciled(operator)

    assert code == 0
    assert (report["totals"]["missing"], report["totals"]["in_flight"]) == (0, 1)
    assert [one["key"] for one in report["in_flight"]] == ["new.png"]


def test_version_with_two_entries_is_exit_code_1(operator: Run, operated: OperatedStack) -> None:
    version = operated.upload("a.png")
    operated.record(version)
    operated.record(version, fingerprint="0" * 64, reason=Reason.EMPTY)

    code, report = reconciled(operator, *ALL)

    assert code == 1
    assert report["repeated"] == [{"key": "a.png", "version_id": version.version_id, "entries": 2}]


def test_version_that_is_gone_is_unknown_unless_its_entry_says_so(
    operator: Run, operated: OperatedStack
) -> None:
    operated.record(operated.upload("a.png"))
    gone = ObjectVersion(bucket=BUCKET, key="gone.png", version_id="y")
    operated.record(gone, reason=Reason.OBJECT_MISSING)
    code, report = reconciled(operator)
    assert (code, report["totals"]["gone"]) == (0, 1)

    operated.record(ObjectVersion(bucket=BUCKET, key="deleted.png", version_id="x"))
    code, report = reconciled(operator)

    assert (code, report["complete"], report["confirmed"]) == (1, True, False)
    assert [one["key"] for one in report["unknown"]] == ["deleted.png"]
    assert [one["key"] for one in report["unbacked"]] == ["deleted.png"]


def test_receipt_is_unbacked_until_a_duplicate_restores_it(operator: Run, operated: OperatedStack) -> None:
    version = operated.upload("a.png")
    receipt = operated.record(version, uploaded_at=LONG_AGO)
    operated.s3.delete_object(Bucket=BUCKET, Key="a.png", VersionId=version.version_id)
    operated.dynamodb.put_item(TableName=TABLE, Item=schema.backing_note(receipt.fingerprint or "", version))
    ran = operator("reconcile")
    assert ran.code == 1
    assert "0 in flight; 1 unknown; 1 unbacked" in ran.out
    assert "unbacked: no object version of a receipt is left" in ran.err

    operated.record(
        operated.upload("again.png"),
        outcome=Outcome.DUPLICATE,
        fingerprint=receipt.fingerprint,
        duplicate_of=version,
        restores=True,
    )
    code, report = reconciled(operator, *ALL)

    assert (code, report["totals"]["unknown"], report["totals"]["unbacked"]) == (1, 1, 0)
    assert report["totals"]["not_an_entry"] == 0


def test_note_that_an_object_is_gone_is_no_entry(operator: Run, operated: OperatedStack) -> None:
    version = operated.upload("a.png")
    operated.dynamodb.put_item(TableName=TABLE, Item=schema.missing_note(version, LONG_AGO))

    code, report = reconciled(operator, *ALL)

    assert (code, report["totals"]["missing"]) == (1, 1)


def test_entry_of_an_upload_since_the_listing_is_not_unknown(operator: Run, operated: OperatedStack) -> None:
    operated.record(operated.upload("a.png"))
    since = datetime.now(UTC) + timedelta(minutes=5)
    operated.record(ObjectVersion(bucket=BUCKET, key="new.png", version_id="x"), uploaded_at=since)

    assert reconciled(operator, *ALL)[0] == 0


INVENTED = ObjectVersion(bucket=BUCKET, key="invented.png", version_id="3sL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY")


@dataclass(frozen=True, kw_only=True)
class Tampered:
    """A stack whose three uploads have true entries, and an administrator who changes them."""

    operated: OperatedStack
    receipt: Entry
    duplicate: Entry
    rejected: Entry

    def rewrite(self, entry: Entry, /, **attributes: Any) -> None:
        """Change attributes of an entry, or remove them (None), and move it if they are parts of its key."""
        changed = {**schema.to_item(entry, SHARDS), **attributes}
        self._put_instead(entry, {name: value for name, value in changed.items() if value is not None})

    def replace(self, entry: Entry, **changes: Any) -> None:
        """Write an entry anew, with all that follows from the changes."""
        upload = {name: changes.pop(name) for name in ("uploaded_at", "resent") if name in changes}
        changed = replace(entry, upload=replace(entry.upload, **upload), **changes)
        self._put_instead(entry, schema.to_item(changed, SHARDS))

    def _put_instead(self, entry: Entry, item: Any) -> None:
        key: Any = {
            schema.FINGERPRINT: {"S": schema.partition_key(entry)},
            schema.ENTRY: {"S": schema.sort_key(entry)},
        }
        self.operated.dynamodb.delete_item(TableName=TABLE, Key=key)
        self.operated.dynamodb.put_item(TableName=TABLE, Item=item)

    def invent(self, version: ObjectVersion, **changes: Any) -> None:
        self.operated.record(version, **changes)


@pytest.fixture
def tampered(operated: OperatedStack) -> Tampered:
    receipt = operated.record(operated.upload("receipt.png"))
    return Tampered(
        operated=operated,
        receipt=receipt,
        duplicate=operated.record(
            operated.upload("copy.png"),
            outcome=Outcome.DUPLICATE,
            fingerprint=receipt.fingerprint,
            duplicate_of=receipt.upload.version,
        ),
        rejected=operated.record(operated.upload("empty.png", b""), reason=Reason.EMPTY),
    )


def moved_to(place: str) -> dict[str, Any]:
    return {schema.MONTH_SHARD: {"S": place}}


def back_dated(stack: Tampered, moment: datetime, **changes: Any) -> None:
    stack.replace(stack.receipt, recorded_at=moment, **changes)


DAY = timedelta(days=1)
FIRST_DAY = datetime.fromisoformat(f"{schema.FIRST_MONTH}-01T00:00:00Z")
ELSEWHERE = ObjectVersion(bucket="others", key="a.png", version_id="v")

ATTACKS: dict[str, tuple[Callable[[Tampered], None], State, str]] = {
    "outcome": (
        lambda stack: stack.rewrite(stack.receipt, outcome={"S": "REJECTED"}),
        State.INCONSISTENT,
        "it is REJECTED without a reason",
    ),
    "outcome, with its key and reason": (
        lambda stack: stack.replace(
            stack.receipt, outcome=Outcome.REJECTED, reason=Reason.UNSUPPORTED_TYPE, media_type=None
        ),
        State.INCONSISTENT,
        "the ledger has no receipt that it can be a duplicate of",
    ),
    "accepted instead of empty": (
        lambda stack: stack.replace(
            stack.rejected, outcome=Outcome.ACCEPTED, reason=None, size_bytes=7, fingerprint="0" * 64
        ),
        State.INCONSISTENT,
        "its media type is none that ACCEPTED allows",
    ),
    "reason": (
        lambda stack: stack.replace(
            stack.rejected, reason=Reason.TOO_LARGE, fingerprint=None, size_bytes=9_000_000
        ),
        State.DIFFERS,
        "its size is 9,000,000 bytes, but S3 has 0",
    ),
    "size": (
        lambda stack: stack.replace(stack.receipt, size_bytes=8),
        State.DIFFERS,
        "its size is 8 bytes, but S3 has 7",
    ),
    "no size": (
        lambda stack: stack.rewrite(stack.receipt, size_bytes=None),
        State.INCONSISTENT,
        "its size is none that ACCEPTED allows",
    ),
    "time of upload, earlier": (
        lambda stack: stack.replace(
            stack.receipt, uploaded_at=stack.receipt.upload.uploaded_at - timedelta(seconds=2)
        ),
        State.DIFFERS,
        "its time of upload doesn't go with S3's",
    ),
    "time of upload, later": (
        lambda stack: stack.replace(
            stack.receipt,
            uploaded_at=stack.receipt.upload.uploaded_at + timedelta(minutes=16),
            recorded_at=stack.receipt.upload.uploaded_at + timedelta(minutes=14),
        ),
        State.DIFFERS,
        "its time of upload doesn't go with S3's",
    ),
    "time of what was resent": (
        lambda stack: stack.replace(
            stack.receipt, resent=True, uploaded_at=stack.receipt.upload.uploaded_at + timedelta(seconds=1)
        ),
        State.DIFFERS,
        "its time of upload doesn't go with S3's",
    ),
    "back-dated": (
        lambda stack: back_dated(stack, stack.receipt.upload.uploaded_at - DAY),
        State.INCONSISTENT,
        "it was recorded before it was uploaded",
    ),
    "back-dated, with its upload": (
        lambda stack: back_dated(stack, FIRST_DAY, uploaded_at=FIRST_DAY),
        State.DIFFERS,
        "its time of upload doesn't go with S3's",
    ),
    "back-dated in the table alone": (
        lambda stack: stack.rewrite(stack.receipt, recorded={"S": schema.recorded_key(FIRST_DAY, INVENTED)}),
        State.INCONSISTENT,
        "its place in the time index is not that of its recorded time",
    ),
    "recorded in the future": (
        lambda stack: stack.replace(stack.receipt, recorded_at=datetime.now(UTC) + timedelta(hours=1)),
        State.INCONSISTENT,
        "its recorded time is in the future",
    ),
    "another month": (
        lambda stack: stack.rewrite(stack.receipt, **moved_to("2027-01#0")),
        State.INCONSISTENT,
        "its place in the time index",
    ),
    "a month before the first": (
        lambda stack: back_dated(stack, FIRST_DAY - DAY),
        State.INCONSISTENT,
        f"its month is before the ledger's first, {schema.FIRST_MONTH}",
    ),
    "a shard that nobody reads": (
        lambda stack: stack.rewrite(
            stack.receipt, **moved_to(f"{format_time(stack.receipt.recorded_at)[:7]}#{SHARDS}")
        ),
        State.INCONSISTENT,
        f"it can't be in shard {SHARDS}",
    ),
    "invented": (lambda stack: stack.invent(INVENTED), State.UNKNOWN, "not in the bucket"),
    "missing, though it is there": (
        lambda stack: stack.replace(
            stack.receipt,
            outcome=Outcome.REJECTED,
            reason=Reason.OBJECT_MISSING,
            **dict.fromkeys(("fingerprint", "size_bytes", "media_type")),
        ),
        State.DIFFERS,
        "it says object_missing, but the object version is in the bucket",
    ),
    "duplicate of another": (
        lambda stack: stack.replace(stack.duplicate, duplicate_of=stack.rejected.upload.version),
        State.INCONSISTENT,
        "the ledger has no receipt that it can be a duplicate of",
    ),
    "swapped fingerprint of a receipt with a duplicate": (
        lambda stack: stack.replace(stack.receipt, fingerprint="0" * 64),
        State.INCONSISTENT,
        "the ledger has no receipt that it can be a duplicate of",
    ),
    "fingerprint in capitals": (
        lambda stack: stack.replace(stack.receipt, fingerprint="A" * 64),
        State.INCONSISTENT,
        "its fingerprint is none that ACCEPTED allows",
    ),
    "another bucket": (lambda stack: stack.invent(ELSEWHERE), State.FOREIGN, "in another bucket, others"),
    "neither an entry nor a note": (
        lambda stack: stack.rewrite(stack.receipt, outcome=None),
        State.NOT_AN_ENTRY,
        "its sort key is 'RECEIPT', and it has no 'outcome'",
    ),
    "entry dressed as a note": (
        lambda stack: stack.rewrite(
            stack.receipt,
            fingerprint={"S": schema.unread_partition(stack.receipt.upload.version)},
            entry={"S": schema.MISSING},
        ),
        State.INCONSISTENT,
        "its key is not that of its outcome and object version",
    ),
    "note in the place of an entry": (
        lambda stack: stack.rewrite(stack.receipt, entry={"S": schema.MISSING}, outcome=None),
        State.NOT_AN_ENTRY,
        "its sort key is 'MISSING', and it has no 'outcome'",
    ),
}


@pytest.mark.claim(
    "`bill-e reconcile` names an entry that an administrator rewrote, moved or invented, if it contradicts "
    "itself or what S3's listing says",
    section="Hostile input",
)
@pytest.mark.parametrize(("attack", "state", "detail"), ATTACKS.values(), ids=ATTACKS)
def test_entry_that_an_administrator_changed_is_named(
    operator: Run, tampered: Tampered, attack: Callable[[Tampered], None], state: State, detail: str
) -> None:
    assert reconciled(operator, *ALL)[0] == 0
    attack(tampered)

    code, report = reconciled(operator, *ALL)

    assert (code, report["confirmed"]) == (1, False)
    details = [one["detail"] for one in report[state.name.lower()]]
    assert [one for one in details if detail in one], report
    assert detail in operator("reconcile", *ALL).out


@pytest.mark.claim(
    "`bill-e reconcile --checksums` names an entry with another fingerprint than the SHA-256 that S3 stored",
    section="Hostile input",
)
def test_checksums_find_a_swapped_fingerprint(operator: Run, operated: OperatedStack) -> None:
    contents = {"a.png": b"first", "b.png": b"second", "c.png": b"third"}
    fingerprints = [hashlib.sha256(content).hexdigest() for content in contents.values()]
    swapped = [fingerprints[1], fingerprints[0], fingerprints[2]]
    for (key, content), fingerprint in zip(contents.items(), swapped, strict=True):
        version = operated.upload(key, content, ChecksumAlgorithm="SHA256")
        operated.record(version, fingerprint=fingerprint, size_bytes=len(content))
    operated.record(operated.upload("without.png"))

    without = operator("reconcile", *ALL)
    assert without.code == 0
    assert "fingerprints were not compared: --checksums and --read do that" in without.out

    code, report = reconciled(operator, *ALL, "--checksums")
    assert (code, report["checksums"]) == (1, {"compared": 3, "without": 1})
    assert {one["key"]: one["detail"] for one in report["differs"]} == {
        key: f"its fingerprint isn't the SHA-256 that S3 stored, {fingerprint}"
        for key, fingerprint in zip(("a.png", "b.png"), fingerprints, strict=False)
    }


def test_version_that_is_deleted_before_its_checksum_is_read_is_not_compared(
    operator: Run, operated: OperatedStack, change_call: ChangeCall
) -> None:
    version = operated.upload("a.png", ChecksumAlgorithm="SHA256")
    operated.record(version)

    def delete_first(call: Callable[..., Any], **parameters: Any) -> Any:
        operated.s3.delete_object(Bucket=BUCKET, Key=version.key, VersionId=version.version_id)
        return call(**parameters)

    change_call("s3", "head_object", delete_first)

    code, report = reconciled(operator, *ALL, "--checksums")
    assert (code, report["checksums"]) == (0, {"compared": 0, "without": 1})


@pytest.mark.parametrize(
    ("place", "option"),
    [
        (ELSEWHERE, ("--former-bucket", "others")),
        (ObjectVersion(bucket=BUCKET, key="scans/a.png", version_id="v"), ("--former-prefix", "scans/")),
    ],
)
def test_entries_about_a_place_that_the_stack_had_before_are_foreign_unless_it_is_named(
    operator: Run, operated: OperatedStack, place: ObjectVersion, option: tuple[str, str]
) -> None:
    operated.rewrite_outputs(upload_prefix="receipts/")
    operated.record(operated.upload("receipts/a.png"))
    operated.record(place)

    code, report = reconciled(operator, *ALL, "--prefix", "2026/")
    assert (code, [one["key"] for one in report["foreign"]]) == (1, [place.key])
    assert operator("reconcile", *ALL, option[0], "another").code == 1

    named = operator("reconcile", *ALL, *option)
    assert named.code == 0
    assert "entries about former places, not compared with S3: 1" in named.out
    assert reconciled(operator, *ALL, *option)[1]["totals"]["former"] == 1


def test_entries_of_the_stack_outside_the_prefix_are_not_judged(operator: Run, tampered: Tampered) -> None:
    tampered.rewrite(tampered.receipt, outcome={"S": "REJECTED"})
    tampered.replace(tampered.rejected, size_bytes=0, uploaded_at=LONG_AGO)
    tampered.invent(INVENTED)

    assert reconciled(operator, *ALL, "--prefix", "2026/")[0] == 0


def test_duplicate_whose_receipt_is_outside_the_prefix_is_founded(
    operator: Run, operated: OperatedStack
) -> None:
    receipt = operated.record(operated.upload("a.png"))
    operated.record(
        operated.upload("2026/copy.png"),
        outcome=Outcome.DUPLICATE,
        fingerprint=receipt.fingerprint,
        duplicate_of=receipt.upload.version,
    )

    assert reconciled(operator, *ALL, "--prefix", "2026/")[0] == 0


def test_true_entry_of_every_kind_is_confirmed(operator: Run, operated: OperatedStack) -> None:
    kinds: dict[Reason, dict[str, Any]] = {
        Reason.TOO_LARGE: {"size_bytes": 7},
        Reason.UNSUPPORTED_TYPE: {"size_bytes": 7, "fingerprint": "0" * 64, "media_type": "text/plain"},
        Reason.DAMAGED: {
            "size_bytes": 7,
            "fingerprint": "0" * 64,
            "media_type": "image/png",
            "detail": "ends after 7 bytes, before the chunk IEND",
        },
        Reason.UNREADABLE: {"size_bytes": 7},
    }
    for reason, changes in kinds.items():
        operated.record(operated.upload(f"{reason}.png"), reason=reason, **changes)
    operated.record(operated.upload("resent.png"), resent=True)
    operated.record(operated.upload("locked.pdf"), findings=(ContentFinding.ENCRYPTED,))
    late = operated.upload("late.png")
    operated.record(late, recorded_at=operated.uploaded_at[late] + timedelta(minutes=3))
    slow = operated.upload("slow.png")
    operated.record(slow, uploaded_at=operated.uploaded_at[slow] + timedelta(minutes=14))

    assert reconciled(operator, *ALL)[0] == 0


def test_multipart_upload_may_take_days(operator: Run, operated: OperatedStack) -> None:
    named: Any = {"Bucket": BUCKET, "Key": "scan.pdf"}
    upload = operated.s3.create_multipart_upload(**named)["UploadId"]
    part = operated.s3.upload_part(**named, UploadId=upload, PartNumber=1, Body=b"receipt")
    parts: Any = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    done = operated.s3.complete_multipart_upload(**named, UploadId=upload, MultipartUpload=parts)
    version = ObjectVersion(bucket=BUCKET, key="scan.pdf", version_id=done["VersionId"])
    began = operated.s3.head_object(**named)["LastModified"]

    for days, code in ((7, 0), (9, 1)):
        operated.record(version, uploaded_at=began + timedelta(days=days), recorded_at=began + days * DAY)
        assert reconciled(operator, *ALL)[1]["totals"]["differs"] == code


def test_entry_in_a_shard_of_a_smaller_number_is_consistent(operator: Run, operated: OperatedStack) -> None:
    for number in range(12):
        operated.record(operated.upload(f"{number}.png"))
    operated.rewrite_outputs(ledger_shards=SHARDS + 3)

    assert reconciled(operator, *ALL)[0] == 0


def test_prefix_comes_after_the_stacks_own(operator: Run, operated: OperatedStack) -> None:
    operated.rewrite_outputs(upload_prefix="receipts/")
    for key in ("receipts/2026/a.png", "receipts/b.png", "2026/elsewhere.png"):
        operated.upload(key)

    assert [one["key"] for one in reconciled(operator, *ALL)[1]["missing"]] == [
        "receipts/2026/a.png",
        "receipts/b.png",
    ]
    assert [one["key"] for one in reconciled(operator, *ALL, "--prefix", "2026/")[1]["missing"]] == [
        "receipts/2026/a.png"
    ]


def test_fix_sends_events_that_the_processor_reads_and_is_not_complete_yet(
    operator: Run, operated: OperatedStack
) -> None:
    lost = [operated.upload(key) for key in ("größe + 1%/領収書.png", "b.png")]
    operated.record(operated.upload("recorded.png"))

    code, report = reconciled(operator, *ALL, "--fix")

    assert (code, report["sent"]) == (1, 2)
    sent = operated.sent()
    uploads = [upload for record in sent for upload in parse_body(json.dumps({"Records": [record]}))]
    assert {upload.version for upload in uploads} == set(lost)
    assert {record["eventSource"] for record in sent} == {"bill-e:reconcile"}
    assert all((upload.uploader.principal or "").startswith("bill-e:reconcile:") for upload in uploads)
    stored = {one["version_id"]: one["modified"] for one in report["missing"]}
    assert {upload.version.version_id: format_time(upload.uploaded_at) for upload in uploads} == stored


def test_dry_run_of_a_fix_shows_the_messages_and_sends_none(operator: Run, operated: OperatedStack) -> None:
    operated.upload("lost.png")

    code, report = reconciled(operator, *ALL, "--fix", "--dry-run")

    assert (code, report["sent"]) == (1, 0)
    assert [message["Records"][0]["s3"]["object"]["key"] for message in report["messages"]] == ["lost.png"]
    assert operated.sent() == []


def test_dry_run_without_fix_is_wrong_usage(operator: Run) -> None:
    assert "--dry-run goes with --fix" in operator("reconcile", "--dry-run").error(2)


@pytest.mark.parametrize("age", ["-1", "soon", "nan", "1e99", ""])
def test_age_that_is_none_is_refused(operator: Run, age: str) -> None:
    assert repr(age) in operator("reconcile", f"--age={age}").error(2)


def test_table_shows_what_needs_a_look_then_totals_and_queues(operator: Run, operated: OperatedStack) -> None:
    operated.upload("lost.png")
    operated.record(ObjectVersion(bucket=BUCKET, key="deleted.png", version_id="x"))
    operated.sqs.send_message(QueueUrl=operated.dead_letter_queue_url, MessageBody="x")
    for _ in range(2):
        operated.sqs.send_message(QueueUrl=operated.resend_queue_url, MessageBody="x")

    ran = operator("reconcile", *ALL)

    states = [line.split()[0] for line in ran.out.splitlines()]
    assert states[:4] == ["STATE", "missing", "unknown", "unbacked"]
    assert "object versions: 1 = 0 recorded + 1 missing + 0 in flight; 1 unknown; 1 unbacked" in ran.out
    assert "about 0 messages waiting in the queue, 0 being processed, 1 dead letters" in ran.out
    assert "about 2 messages waiting in the resend queue, 0 being processed" in ran.out
    report = reconciled(operator, *ALL)[1]
    assert (report["queue"]["waiting"], report["resend_queue"]) == (0, {"waiting": 2, "in_work": 0})
    assert "look at the dead letters first" in ran.err
    assert "unknown: somebody deleted the object version for good, or invented the entry" in ran.err


def test_more_than_the_table_shows_is_counted(
    operator: Run, operated: OperatedStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.screen.terminal.SHOWN", 2)
    for number in range(5):
        operated.upload(f"{number}.png")

    ran = operator("reconcile", *ALL)

    assert ran.out.count("missing  ") == 2
    assert "and 3 more that are missing: --json lists all" in ran.err


SENDING = pytest.mark.parametrize("command", [["reconcile", "--age=0", "--fix"], ["backfill"]], ids=" ".join)


@SENDING
@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"uploads_bucket": "others"}, "takes no events from bucket others"),
        (
            {"queue_url": "https://sqs.eu-central-1.amazonaws.com/123456789012/gone"},
            "the queue doesn't exist",
        ),
        ({"ledger_table": "gone"}, "ledger table gone (dynamodb:Scan): it doesn't exist"),
        ({"ledger_table": None, "queue_url": None}, "no output 'ledger_table', 'queue_url'"),
    ],
)
def test_outputs_that_do_not_fit_are_one_sentence_and_nothing_is_sent(
    operator: Run, operated: OperatedStack, command: list[str], changed: dict[str, str | None], sentence: str
) -> None:
    operated.upload("lost.png")
    operated.rewrite_outputs(**changed)

    assert sentence in operator(*command).refusal()
    assert operated.sent() == []


@SENDING
def test_ledger_of_other_buckets_only_is_refused(
    operator: Run, operated: OperatedStack, command: list[str]
) -> None:
    operated.upload("lost.png")
    operated.record(ObjectVersion(bucket="others", key="a.png", version_id="v"))

    sentence = "has no entry about bucket uploads, but 1 about others: are these the outputs of one stack?"
    assert sentence in operator(*command).refusal()
    assert operated.sent() == []


def test_bucket_that_is_gone_is_one_sentence(operator: Run, operated: OperatedStack) -> None:
    operated.s3.delete_bucket(Bucket=BUCKET)

    sentence = "listing bucket uploads (s3:ListBucketVersions): the bucket doesn't exist"
    assert sentence in operator("reconcile").refusal()


@pytest.mark.parametrize(
    ("service", "call", "permission"),
    [
        ("sqs", "get_queue_attributes", "sqs:GetQueueAttributes"),
        ("dynamodb", "scan", "dynamodb:Scan"),
        ("sqs", "send_message_batch", "sqs:SendMessage"),
        ("s3", "head_object", "s3:GetObjectVersion"),
    ],
)
def test_missing_permission_is_named(
    operator: Run, operated: OperatedStack, change_call: ChangeCall, service: str, call: str, permission: str
) -> None:
    operated.upload("lost.png")
    operated.record(operated.upload("a.png"))
    change_call(service, call, denied)

    said = operator("reconcile", *ALL, "--fix", "--checksums").refusal()
    assert f"({permission}" in said
    assert "access denied" in said
    assert ("the stack's output operator_policy" in said) == (permission != "s3:GetObjectVersion")


@pytest.mark.parametrize("command", ["reconcile", "backfill", "dead-letters"])
def test_endpoint_that_does_not_answer_is_one_sentence(
    operator: Run, operated: OperatedStack, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _seconds: None)
    document = {
        "outputs": json.loads(operated.outputs.read_text()),
        "endpoint_url": "http://127.0.0.1:9",
        "operator_access_key_id": "AKID",
        "operator_secret_access_key": "secret",
    }
    operated.outputs.write_text(json.dumps(document))

    assert "cannot connect to http://127.0.0.1:9" in operator(command).refusal()


def test_event_of_a_version_without_versioning_is_read_as_null() -> None:
    resources: Any = SimpleNamespace(bucket="receipts", region="r", user_id=lambda: "AIDAEXAMPLE")
    event_of = event_maker(resources, "bill-e:backfill")
    version = StoredVersion(key="a+b c.png", version_id="null", size_bytes=3, modified=format_time(LONG_AGO))

    (upload,) = parse_body(json.dumps(event_of(version)))

    assert upload.version == ObjectVersion(bucket="receipts", key="a+b c.png", version_id="null")
    assert upload.uploaded_at == LONG_AGO
    assert upload.uploader.principal == "bill-e:backfill:AIDAEXAMPLE"


class FlakyQueue:
    """A queue that refuses some messages of a batch the first `refusals` times."""

    def __init__(self, refusals: int) -> None:
        self.taken: list[str] = []
        self._refusals = refusals

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803
        assert QueueUrl
        failed: list[dict[str, Any]] = []
        if self._refusals:
            self._refusals -= 1
            failed = [
                {"Id": entry["Id"], "Code": "InternalError", "Message": "try again"} for entry in Entries[::2]
            ]
        refused = {entry["Id"] for entry in failed}
        taken = [entry for entry in Entries if entry["Id"] not in refused]
        self.taken += [entry["MessageBody"] for entry in taken]
        return {"Successful": [{"Id": entry["Id"]} for entry in taken], "Failed": failed}


def test_messages_that_a_batch_refused_are_sent_again_and_none_twice() -> None:
    queue: Any = FlakyQueue(refusals=3)

    sent = sum(send_messages(queue, "q", (str(number) for number in range(95))))

    assert sorted(queue.taken, key=int) == [str(number) for number in range(95)]
    assert sent == 95


def test_queue_that_goes_on_refusing_is_reported_with_what_was_sent(
    operator: Run, operated: OperatedStack, change_call: ChangeCall
) -> None:
    operated.upload("lost.png")
    flaky = FlakyQueue(refusals=100)
    change_call("sqs", "send_message_batch", lambda _call, **batch: flaky.send_message_batch(**batch))

    sentence = "the queue did not take 1 messages: try again (InternalError); at least 0 of 1 were sent"
    assert sentence in operator("reconcile", *ALL, "--fix").refusal()


def test_sealed_entries_are_counted(operator: Run, operated: OperatedStack, tmp_path: Path) -> None:
    entries = [operated.record(operated.upload(f"{number}.png"), recorded_at=LONG_AGO) for number in range(3)]
    operated.seal(tmp_path / "log", *entries)

    _, report = reconciled(operator, *ALL)

    assert (report["totals"]["unsealed"], report["log"]["leaves"]) == (0, 3)
    assert (report["log"]["unsealed"], report["log"]["since"]) == (0, None)


def test_entry_that_is_not_sealed_after_15_minutes_is_a_finding(
    operator: Run, operated: OperatedStack, tmp_path: Path
) -> None:
    first = operated.record(operated.upload("first.png"), recorded_at=LONG_AGO)
    late = operated.record(operated.upload("late.png"), recorded_at=LONG_AGO + timedelta(hours=1))
    operated.record(operated.upload("young.png"), recorded_at=datetime.now(UTC) - timedelta(minutes=2))
    operated.seal(tmp_path / "log", first)

    code, report = reconciled(operator)
    said = operator("reconcile")

    assert (code, report["complete"], report["confirmed"]) == (1, True, False)
    assert [one["key"] for one in report["unsealed"]] == ["late.png"]
    assert (report["log"]["unsealed"], report["log"]["since"]) == (2, format_time(late.recorded_at))
    assert "log: 1 entries sealed, 2 not sealed yet, the oldest recorded at 2026-11-02T13:00:00Z" in said.out


def test_young_entries_are_counted_and_no_finding(
    operator: Run, operated: OperatedStack, tmp_path: Path
) -> None:
    operated.record(operated.upload("young.png"), recorded_at=datetime.now(UTC) - timedelta(minutes=2))
    operated.record(operated.upload("new.png"), recorded_at=datetime.now(UTC) + timedelta(minutes=2))
    operated.seal(tmp_path / "log")

    code, report = reconciled(operator)

    assert (code, report["log"]["unsealed"], report["unsealed"]) == (0, 1, [])


def test_log_without_a_checkpoint_has_no_leaves(operator: Run, operated: OperatedStack) -> None:
    operated.rewrite_outputs(log_bucket=LOG_BUCKET)
    operated.record(operated.upload("a.png"), recorded_at=LONG_AGO)

    code, report = reconciled(operator, *ALL)

    assert (code, report["totals"]["unsealed"], report["log"]["leaves"]) == (1, 1, 0)


def test_log_of_several_bundles_that_lacks_one_is_refused(
    operator: Run, operated: OperatedStack, tmp_path: Path
) -> None:
    entries = [
        operated.record(ObjectVersion(bucket=BUCKET, key=f"{number}.png", version_id="v"))
        for number in range(300)
    ]
    operated.seal(tmp_path / "log", *entries)
    assert reconciled(operator)[1]["log"]["leaves"] == 300

    operated.s3.delete_object(Bucket=LOG_BUCKET, Key="tile/entries/001.p/44")

    assert "tile/entries/001.p/44 of the log in bucket log can't be read" in operator("reconcile").error()


def test_stack_without_a_log_is_told_so(operator: Run) -> None:
    assert "the stack has no log yet" in operator("reconcile").out
