"""The reconciler against S3, DynamoDB and SQS in moto."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.contract import metric_names as names
from functions.contract.entry import Outcome, Reason, format_time
from functions.contract.environment import ReconcilerEnvironment, write_environment
from functions.contract.reconciliation import (
    BEGIN_WITH_AGE,
    PROGRESS_FOLDER,
    SLICE_SECONDS,
    TIMEOUT_SECONDS,
    ConfigurationPart,
    policy_digest,
)
from functions.contract.s3_events import parse_body
from functions.contract.schema import missing_note
from functions.reconciler import reconciliation
from functions.reconciler import slice as slice_
from functions.reconciler.compact_table import KEY_BYTES, CompactTable
from functions.reconciler.progress import Round
from functions.reconciliation.inventory import StoredVersion
from local.in_process.events import BUCKET, QUEUE_ARN
from tests.functions.examples import PNG, S3_TEST_EVENT, entry

if TYPE_CHECKING:
    from functions.contract.entry import Upload
    from tests.functions.account import Account

LOGS = "access-logs"
PREFIX = "receipts/"
STATEMENT: dict[str, Any] = {
    "Sid": "Kept",
    "Effect": "Deny",
    "Principal": "*",
    "Action": ["s3:DeleteBucket", "s3:DeleteObjectVersion"],
    "Resource": [f"arn:aws:s3:::{BUCKET}"],
}
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [STATEMENT]})
PROGRESS = f"{PROGRESS_FOLDER}progress.json"
EVERY_HOURS = 6
ALL_CLOSED: Any = dict.fromkeys(
    ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
)


@dataclass(kw_only=True)
class Watched:
    """An account with a reconciler, whose calls return small pages."""

    account: Account
    queues: dict[str, str]
    sqs: Any
    page_size: int = 3

    def upload(self, name: str, *, recorded: bool = True) -> Upload:
        made = self.account.put(f"{PREFIX}{name}", PNG + name.encode())
        if recorded:
            self.record(made)
        return made

    def record(self, made: Upload, **changes: Any) -> None:
        changed: dict[str, Any] = {"upload": made, "fingerprint": made.version.object_id} | changes
        self.account.store.record(entry(made.version.key, made.uploaded_at, **changed))

    def run(self, steps: int = 10_000, **event: int) -> dict[str, Any]:
        """Invoke the reconciler, which has time for so many pages."""
        times = count()

        def remaining() -> int:
            # The first question is about the claim; the others come before each page.
            return (
                TIMEOUT_SECONDS * 1000 if next(times) <= steps else (TIMEOUT_SECONDS - SLICE_SECONDS) * 1000
            )

        told: Any = SimpleNamespace(aws_request_id="id", get_remaining_time_in_millis=remaining)
        return self.account.handler("reconciler")(event, told)

    def judge_all(self, steps: int = 10_000) -> dict[str, Any]:
        """Begin a round that judges what was uploaded just now, and take its first slice."""
        self.account.clock.ahead += timedelta(seconds=2)
        return self.run(steps, **{BEGIN_WITH_AGE: 0})

    def finish(self, steps: int = 10_000) -> dict[str, Any]:
        told = {"complete": False}
        while not told["complete"]:
            told = self.run(steps)
        return told

    def sent(self, queue: str = "resends") -> list[str]:
        """Take what is in a queue, and return the version ids."""
        found = []
        while messages := self.sqs.receive_message(QueueUrl=self.queues[queue], MaxNumberOfMessages=10).get(
            "Messages"
        ):
            for message in messages:
                found += [upload.version.version_id for upload in parse_body(message["Body"])]
                self.sqs.delete_message(QueueUrl=self.queues[queue], ReceiptHandle=message["ReceiptHandle"])
        return sorted(found)

    def forget(self) -> None:
        """Take away the progress, as before the first invocation."""
        self.account.s3.delete_object(Bucket=LOGS, Key=PROGRESS)

    def metrics(self) -> dict[str, float]:
        return {
            name: line[name]
            for line in self.account.metrics()
            for name in (names.MISSING, names.UNBACKED, names.ROUND_AGE, names.CHANGED_CONFIGURATION)
            if name in line
        }


@pytest.fixture
def watched(account: Account, monkeypatch: pytest.MonkeyPatch) -> Watched:
    sqs = boto3.Session().client("sqs")
    queues = {
        name: sqs.create_queue(QueueName=name)["QueueUrl"]
        for name in ("uploads", "queue", "resends", "dead-letters")
    }
    s3 = account.s3
    s3.create_bucket(Bucket=LOGS, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    s3.put_bucket_versioning(Bucket=LOGS, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_policy(Bucket=BUCKET, Policy=POLICY)
    s3.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=ALL_CLOSED)
    notify(s3)
    variables = write_environment(
        ReconcilerEnvironment,
        service="reconciler",
        stack="test",
        ledger_table="ledger",
        location=f"{BUCKET}/{PREFIX}",
        queue_arn=QUEUE_ARN,
        # Moto sends events to the other one, and nobody takes them.
        queue_url=queues["queue"],
        resend_queue_url=queues["resends"],
        dead_letter_queue_url=queues["dead-letters"],
        policy_digest=policy_digest(POLICY),
        progress_bucket=LOGS,
        every_hours=EVERY_HOURS,
        age_seconds=3600,
    )
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    made = Watched(account=account, queues=queues, sqs=sqs)
    watched_client: Callable[..., Any] = boto3.client

    def client_with_small_pages(service: str, **options: Any) -> Any:
        client = watched_client(service, **options)
        sizes = {"s3.ListObjectVersions": "MaxKeys", "dynamodb.Scan": "Limit"}
        for call, name in sizes.items():
            client.meta.events.register(
                f"provide-client-params.{call}",
                lambda params, name=name, **_: {**params, name: made.page_size},
            )
        return client

    monkeypatch.setattr(boto3, "client", client_with_small_pages)
    monkeypatch.setattr(reconciliation, "datetime", account.clock)
    return made


def notify(s3: Any, **changes: Any) -> None:
    rules = [{"Name": "prefix", "Value": PREFIX}]
    ours = {
        "QueueArn": QUEUE_ARN,
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": rules}},
        **changes,
    }
    s3.put_bucket_notification_configuration(
        Bucket=BUCKET, NotificationConfiguration={"QueueConfigurations": [ours]}
    )


class TestRounds:
    def test_a_lost_notification_is_found_and_sent_once(self, watched: Watched) -> None:
        watched.upload("recorded.png")
        lost = watched.upload("lost.png", recorded=False)

        told = watched.judge_all()

        assert told["complete"]
        assert (told["versions"], told["missing"], told["sent"]) == (2, 1, 1)
        assert watched.metrics()[names.MISSING] == 1
        assert watched.sent() == [lost.version.version_id]

        watched.record(lost)
        assert watched.judge_all()["missing"] == 0
        assert watched.sent() == []

    @pytest.mark.parametrize(("steps", "page_size"), [(1, 1), (1, 4), (2, 3), (5, 2), (10_000, 1000)])
    def test_slices_of_any_size_find_the_same(self, watched: Watched, steps: int, page_size: int) -> None:
        watched.page_size = page_size
        lost = [watched.upload(f"{number}.png", recorded=number % 3 > 0) for number in range(10)][::3]
        # Two versions of one key, and one below another prefix.
        watched.upload("1.png")
        watched.account.put("elsewhere/x.png", PNG)

        told = watched.judge_all(steps)
        if steps == 1:
            assert not told["complete"]
        told = watched.finish(steps)

        assert (told["versions"], told["missing"], told["sent"], told["in_flight"]) == (11, 4, 4, 0)
        assert watched.sent() == sorted(made.version.version_id for made in lost)
        assert watched.metrics()[names.UNBACKED] == 0

    def test_stopped_at_any_call_it_goes_on_without_loss(
        self, watched: Watched, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lost = [watched.upload(f"{number}.png", recorded=number % 2 > 0) for number in range(6)][::2]
        monkeypatch.setattr(slice_, "MOST_UNSENT", 1)
        calls, stopped_at = watched.account.calls, []
        watched.account.clock.ahead += timedelta(hours=2)
        for stop, after in ((stop, after) for stop in count(1) for after in (False, True)):
            watched.forget()
            seen = count(1)

            def fail(operation: str, *_: Any, seen: Any = seen, stop: int = stop) -> Exception | None:
                return InterruptedError(operation) if next(seen) == stop else None

            with monkeypatch.context() as patch:
                patch.setattr(calls, "fail_after" if after else "fail_before", fail)
                try:
                    watched.finish(steps=3)
                    break
                except InterruptedError as stopped:
                    stopped_at.append((str(stopped), after))
            # Whatever that invocation had claimed is free by then.
            watched.account.clock.ahead += timedelta(seconds=TIMEOUT_SECONDS)
            told = watched.finish(steps=2)

            assert (told["versions"], told["missing"]) == (6, 3)
            sent = watched.sent()
            assert {*sent} == {made.version.version_id for made in lost}
            assert len(sent) == 3 or stopped_at[-1] in SENT_AND_NOT_SAVED
        assert {"GetObject", "Scan", "ListObjectVersions", "SendMessageBatch"} <= {
            name for name, _ in stopped_at
        }

    def test_an_upload_that_is_too_young_or_may_be_waiting_is_in_flight(self, watched: Watched) -> None:
        watched.upload("recorded.png")
        watched.upload("unrecorded.png", recorded=False)

        assert watched.run()["in_flight"] == 1
        assert watched.judge_all()["missing"] == 1
        watched.sqs.send_message(QueueUrl=watched.queues["queue"], MessageBody="{}")
        # The newest upload with an entry is a minute old, by the example's event.
        assert watched.judge_all()["in_flight"] == 1

    def test_a_multipart_upload_is_judged_when_it_must_have_ended(self) -> None:
        judged_at = datetime(2026, 11, 26, 12, tzinfo=UTC)
        round_ = Round(began_at=format_time(judged_at), age_seconds=0, queue_was_empty=True, may_send=True)

        def judged(days: int, *, multipart: bool) -> bool:
            modified = format_time(judged_at - timedelta(days=days, seconds=1))
            return round_.judges(
                StoredVersion(key="k", version_id="v", size_bytes=1, modified=modified, multipart=multipart)
            )

        assert [judged(0, multipart=False), judged(7, multipart=True), judged(8, multipart=True)] == [
            *(True, False, True)
        ]

    @pytest.mark.parametrize("queue", ["resends", "dead-letters"])
    def test_nothing_is_sent_while_it_may_be_among_resends_or_dead_letters(
        self, watched: Watched, queue: str
    ) -> None:
        watched.upload("lost.png", recorded=False)
        watched.sqs.send_message(QueueUrl=watched.queues[queue], MessageBody=S3_TEST_EVENT)

        told = watched.judge_all()

        assert (told["missing"], told["sent"]) == (1, 0)
        assert watched.sent(queue) == watched.sent() == []

    def test_nothing_is_sent_while_the_ledger_has_lost_entries(self, watched: Watched) -> None:
        for name in ("1.png", "2.png"):
            watched.upload(name)
        watched.judge_all()
        watched.account.empty_ledger()
        watched.upload("3.png")
        watched.account.output()

        told = watched.judge_all()

        assert (told["missing"], told["sent"]) == (2, 0)
        assert watched.judge_all()["sent"] == 0
        lost, _ = [line for line in watched.account.log() if "lost" in line["message"]]
        assert (lost["entries"], lost["entries_before"]) == (1, 2)

    def test_entries_about_other_places_and_other_items_are_passed_over(self, watched: Watched) -> None:
        made = watched.upload("1.png")
        elsewhere = replace(made, version=replace(made.version, bucket="former"))
        watched.record(elsewhere, fingerprint="e" * 64)
        rejected = watched.upload("2.png", recorded=False)
        watched.record(
            rejected, outcome=Outcome.REJECTED, reason=Reason.UNREADABLE, fingerprint=None, media_type=None
        )
        table = watched.account.table
        broken = {"fingerprint": {"S": "by hand"}, "entry": {"S": "RECEIPT"}}
        named = {name: {"S": f"{PREFIX}x"} for name in ("key", "version_id", "uploaded_at")}
        named["bucket"] = {"S": BUCKET}
        for item in (
            broken,
            broken | named | {"entry": {"S": "x"}},
            missing_note(made.version, datetime.now(UTC)),
        ):
            table.client.put_item(TableName=table.name, Item=item)

        told = watched.judge_all()

        assert (told["versions"], told["missing"]) == (2, 0)
        lines = watched.account.log()
        assert [line["fingerprint"] for line in lines if "is not an entry" in line["message"]] == [
            "by hand"
        ] * 2


SENT_AND_NOT_SAVED = {("SendMessageBatch", True), ("PutObject", False), ("PutObject", True)}
"""Where a stop makes the next invocation send something once more: it does no harm."""


class TestUnbacked:
    @pytest.mark.parametrize("steps", [1, 10_000])
    def test_a_receipt_is_backed_by_any_of_its_object_versions(self, watched: Watched, steps: int) -> None:
        kept, lost = (watched.upload(f"{name}.png") for name in ("kept", "lost"))
        again = watched.upload("kept-again.png", recorded=False)
        watched.record(again, fingerprint=kept.version.object_id)
        assert {one.outcome for one in watched.account.entries()} == {Outcome.ACCEPTED, Outcome.DUPLICATE}
        for made in (kept, lost):
            watched.account.delete(made)

        watched.judge_all(steps)
        watched.finish(steps)

        output = watched.account.output()
        assert f'"{names.UNBACKED}":1' in output
        assert f'"fingerprint_begins":"{lost.version.object_id[:32]}"' in output

    @pytest.mark.parametrize("steps", [1, 10_000])
    def test_a_receipt_is_backed_by_a_version_in_the_bucket_of_before(
        self, watched: Watched, steps: int
    ) -> None:
        again, lost = (watched.upload(f"{name}.png", recorded=False) for name in ("again", "lost"))
        former = replace(again, version=replace(again.version, bucket="former"))
        watched.record(former, fingerprint="e" * 64)
        watched.record(again, fingerprint="e" * 64)
        watched.record(lost)
        for made in (again, lost):
            watched.account.delete(made)

        watched.judge_all(steps)
        watched.finish(steps)

        output = watched.account.output()
        assert f'"{names.UNBACKED}":1' in output
        assert f'"fingerprint_begins":"{lost.version.object_id[:32]}"' in output

    def test_what_was_rejected_needs_no_object_version(self, watched: Watched) -> None:
        rejected = watched.upload("text.png", recorded=False)
        watched.record(rejected, outcome=Outcome.REJECTED, reason=Reason.UNSUPPORTED_TYPE)
        watched.account.delete(rejected)

        watched.judge_all()

        assert watched.metrics()[names.UNBACKED] == 0


class TestInvocations:
    def test_a_round_begins_when_it_is_due(self, watched: Watched) -> None:
        first = watched.run()["began_at"]
        watched.account.clock.ahead += timedelta(hours=EVERY_HOURS, seconds=-10)
        assert watched.run()["began_at"] == first
        assert watched.metrics()[names.ROUND_AGE] == pytest.approx(EVERY_HOURS * 3600 - 10, abs=5)

        watched.account.clock.ahead += timedelta(seconds=20)
        assert watched.run()["began_at"] > first
        assert watched.metrics()[names.ROUND_AGE] < 10

    def test_the_age_counts_from_the_first_round_until_one_is_complete(self, watched: Watched) -> None:
        watched.upload("1.png")
        watched.run(steps=0)
        watched.account.clock.ahead += timedelta(hours=30)

        assert not watched.run(steps=0)["complete"]
        assert watched.metrics()[names.ROUND_AGE] == pytest.approx(30 * 3600, abs=5)

    def test_progress_of_another_version_of_the_program_is_given_up(self, watched: Watched) -> None:
        watched.upload("lost.png", recorded=False)
        for written in (b"{}", b'{"round": {"phase": 1}}', b"no JSON"):
            watched.account.s3.put_object(Bucket=LOGS, Key=PROGRESS, Body=written)

            assert watched.judge_all()["missing"] == 1

    def test_no_two_invocations_take_a_slice(self, watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
        watched.upload("lost.png", recorded=False)
        calls = watched.account.calls
        others: list[dict[str, Any]] = []

        def meanwhile(operation: str, _: dict[str, Any]) -> None:
            if operation == "Scan" and not others:
                others.append({})
                others.append(watched.judge_all())

        monkeypatch.setattr(calls, "fail_before", meanwhile)
        assert watched.judge_all()["sent"] == 1
        assert others[1]["versions"] == 0
        assert len(watched.sent()) == 1

    def test_a_round_begins_anew_if_what_it_had_read_is_gone(self, watched: Watched) -> None:
        for number in range(4):
            watched.upload(f"{number}.png", recorded=number > 0)
        watched.judge_all(steps=1)
        s3 = watched.account.s3
        (run,) = s3.list_object_versions(Bucket=LOGS, Prefix=f"{PROGRESS_FOLDER}entries")["Versions"]
        s3.delete_object(Bucket=LOGS, Key=run["Key"], VersionId=run["VersionId"])

        assert watched.run() == {"complete": False}
        assert watched.judge_all()["missing"] == 1

    def test_progress_that_another_invocation_changed_is_left_alone(
        self, watched: Watched, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        watched.run()
        changed = b'{"complete_since": "2026-11-26T00:00:00.000000Z", "claimed_until": "", "round": null}'

        def meanwhile(operation: str, _: dict[str, Any]) -> None:
            if operation == "Scan":
                watched.account.s3.put_object(Bucket=LOGS, Key=PROGRESS, Body=changed)

        monkeypatch.setattr(watched.account.calls, "fail_before", meanwhile)
        watched.judge_all()

        kept = watched.account.s3.get_object(Bucket=LOGS, Key=PROGRESS)["Body"].read()
        assert kept == changed


def suspend(s3: Any) -> None:
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})


DRIFT: dict[str, tuple[Callable[[Any], object], ConfigurationPart]] = {
    "no notification": (
        lambda s3: s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration={}),
        ConfigurationPart.NOTIFICATION,
    ),
    "fewer events": (
        lambda s3: notify(s3, Events=["s3:ObjectCreated:Put"]),
        ConfigurationPart.NOTIFICATION,
    ),
    "another prefix": (
        lambda s3: notify(s3, Filter={"Key": {"FilterRules": [{"Name": "prefix", "Value": "x/"}]}}),
        ConfigurationPart.NOTIFICATION,
    ),
    "a suffix": (
        lambda s3: notify(
            s3,
            Filter={
                "Key": {
                    "FilterRules": [
                        {"Name": "prefix", "Value": PREFIX},
                        {"Name": "suffix", "Value": ".pdf"},
                    ]
                }
            },
        ),
        ConfigurationPart.NOTIFICATION,
    ),
    "versioning is off": (suspend, ConfigurationPart.VERSIONING),
    "open to ACLs": (
        lambda s3: s3.put_public_access_block(
            Bucket=BUCKET, PublicAccessBlockConfiguration=ALL_CLOSED | {"BlockPublicAcls": False}
        ),
        ConfigurationPart.PUBLIC_ACCESS,
    ),
    "no public access block": (
        lambda s3: s3.delete_public_access_block(Bucket=BUCKET),
        ConfigurationPart.PUBLIC_ACCESS,
    ),
    "another policy": (
        lambda s3: s3.put_bucket_policy(
            Bucket=BUCKET, Policy=POLICY.replace("DeleteObjectVersion", "DeleteObject")
        ),
        ConfigurationPart.POLICY,
    ),
    "no policy": (lambda s3: s3.delete_bucket_policy(Bucket=BUCKET), ConfigurationPart.POLICY),
}


class TestConfiguration:
    def test_what_was_deployed_is_in_order(self, watched: Watched) -> None:
        watched.run()

        assert watched.metrics()[names.CHANGED_CONFIGURATION] == 0

    @pytest.mark.parametrize("name", DRIFT)
    def test_a_change_is_named(self, watched: Watched, name: str) -> None:
        change, part = DRIFT[name]
        change(watched.account.s3)

        watched.run()

        output = watched.account.output()
        assert f'"{names.CHANGED_CONFIGURATION}":1' in output
        assert f'"part":"{part}"' in output

    def test_a_policy_may_be_written_in_another_way(self) -> None:
        statement = {**STATEMENT, "Action": STATEMENT["Action"][::-1], "Resource": STATEMENT["Resource"][0]}
        policy = {"Statement": statement, "Version": "2012-10-17"}

        assert policy_digest(json.dumps(policy, indent=2)) == policy_digest(POLICY)
        assert policy_digest(json.dumps(policy | {"Version": "2008-10-17"})) != policy_digest(POLICY)


@given(
    st.dictionaries(
        st.binary(min_size=KEY_BYTES - 2, max_size=KEY_BYTES - 2).map(lambda rest: b"id" + rest),
        st.binary(min_size=2, max_size=2),
        max_size=60,
    )
)
def test_a_compact_table_is_a_dictionary(rows: dict[bytes, bytes]) -> None:
    table = CompactTable(2)
    table.add(b"".join(key + value for key, value in rows.items()))

    assert {key: table.value_of(key + bytes(16)) for key in rows} == rows
    assert sorted(table.values()) == sorted(rows.values())
    # What only looks like a key, across the end of a row.
    written = b"".join(key[2:] + value for key, value in rows.items())
    for start in range(len(written) - KEY_BYTES + 2):
        seeming = b"id" + written[start : start + KEY_BYTES - 2]
        assert table.value_of(seeming) == rows.get(seeming)
