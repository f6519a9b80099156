from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from cli.operator.inventory import StoredVersion
from cli.operator.resend import event_maker, send_messages
from functions.contract import schema
from functions.contract.entry import ObjectVersion, Reason, format_time
from functions.contract.s3_events import parse_body
from tests.cli.conftest import ChangeCall, Run, denied
from tests.cli.operated_stack import BUCKET, LONG_AGO, TABLE, OperatedStack

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


def test_deleted_version_is_unknown_and_one_recorded_as_missing_is_not(
    operator: Run, operated: OperatedStack
) -> None:
    operated.record(operated.upload("a.png"))
    operated.record(ObjectVersion(bucket=BUCKET, key="deleted.png", version_id="x"))
    operated.record(
        ObjectVersion(bucket=BUCKET, key="gone.png", version_id="y"), reason=Reason.OBJECT_MISSING
    )

    code, report = reconciled(operator)

    assert code == 0
    assert [one["key"] for one in report["unknown"]] == ["deleted.png"]
    assert report["totals"]["gone"] == 1


def test_note_that_an_object_is_gone_is_no_entry(operator: Run, operated: OperatedStack) -> None:
    version = operated.upload("a.png")
    operated.dynamodb.put_item(TableName=TABLE, Item=schema.missing_note(version, LONG_AGO))

    code, report = reconciled(operator, *ALL)

    assert (code, report["totals"]["missing"]) == (1, 1)


def test_item_that_is_neither_an_entry_nor_a_note_is_one_sentence(
    operator: Run, operated: OperatedStack
) -> None:
    operated.record(operated.upload("a.png"))
    operated.dynamodb.put_item(TableName=TABLE, Item={"fingerprint": {"S": "a"}, "entry": {"S": "invented"}})

    said = operator("reconcile").error()

    assert "an item with the sort key 'invented' that is neither an entry nor a note" in said


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

    ran = operator("reconcile", *ALL)

    states = [line.split()[0] for line in ran.out.splitlines()]
    assert states[:3] == ["STATE", "missing", "unknown"]
    assert "object versions: 1 = 0 recorded + 1 missing + 0 in flight; 1 unknown" in ran.out
    assert "about 0 messages waiting in the queue, 0 being processed, 1 dead letters" in ran.out
    assert "look at the dead letters first" in ran.err


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
    ],
)
def test_missing_permission_is_named(
    operator: Run, operated: OperatedStack, change_call: ChangeCall, service: str, call: str, permission: str
) -> None:
    operated.upload("lost.png")
    change_call(service, call, denied)

    assert f"({permission}): access denied" in operator("reconcile", *ALL, "--fix").refusal()


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
