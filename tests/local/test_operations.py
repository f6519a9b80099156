"""The operator's commands on the whole stack, with only the permissions in the stack's `operator_policy`."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from functions.contract.entry import ObjectVersion, Upload, Uploader
from local.in_process.events import s3_event
from local.queues import depth, processor_held, redelivery_after
from tests.local.eventually import eventually
from tests.local.stack import DeployedStack, Object, events_lost, png
from tests.local.test_access import assert_denied


class BillE:
    """The command line, run in this process on the stack."""

    def __init__(self, outputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._outputs = outputs
        self._capsys = capsys

    def __call__(self, *arguments: str) -> tuple[int, Any]:
        """Run a command with --json; its exit code and document."""
        code = main([*arguments, "--json", "--outputs", str(self._outputs)])
        written = self._capsys.readouterr()
        assert written.out, written.err
        return code, json.loads(written.out)

    def in_text(self, *arguments: str) -> tuple[int, str, str]:
        code = main([*arguments, "--outputs", str(self._outputs)])
        written = self._capsys.readouterr()
        return code, written.out, written.err


@pytest.fixture
def bill_e_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[dict[str, Any]], BillE]:
    """The command line for a description of a stack."""

    def make(description: dict[str, Any]) -> BillE:
        file = tmp_path / "outputs.json"
        file.write_text(json.dumps(description))
        return BillE(file, capsys)

    return make


@pytest.fixture
def bill_e(stack: DeployedStack, bill_e_with: Callable[[dict[str, Any]], BillE]) -> BillE:
    return bill_e_with(stack.description())


@pytest.fixture
def prefix() -> str:
    """A folder that no other test has."""
    return f"operations/{uuid.uuid4().hex}/"


def test_reconcile_finds_nothing_missing_after_uploads(
    stack: DeployedStack, bill_e: BillE, prefix: str
) -> None:
    uploads = [stack.upload(f"{prefix}Größe {number}+1%.png", png()) for number in range(3)]
    uploads += [stack.upload(f"{prefix}again.png", png()), stack.upload(f"{prefix}again.png", b"")]
    stack.administrator.client("s3").delete_object(Bucket=stack.bucket, Key=f"{prefix}again.png")
    stack.entries_of(*uploads)

    code, report = bill_e("reconcile", "--prefix", prefix, "--age", "0")

    assert (code, report["complete"]) == (0, True)
    assert report["totals"] == {
        "versions": 5,
        "recorded": 5,
        "missing": 0,
        "in_flight": 0,
        "repeated": 0,
        "differs": 0,
        "inconsistent": 0,
        "foreign": 0,
        "unknown": 0,
        "unbacked": 0,
        "not_an_entry": 0,
        "file_differs": 0,
        "unreadable": 0,
        "unsealed": 0,
        "gone": 0,
        "former": 0,
    }


def test_rejected_upload_is_judged_again_as_a_copy_that_names_no_caller(
    stack: DeployedStack, bill_e_with: Callable[[dict[str, Any]], BillE], prefix: str
) -> None:
    """The rules are still the same here, so the copy is rejected again. An operator can't make one."""
    key, s3 = f"{prefix}größe + 1%.txt", stack.administrator.client("s3")
    put = s3.put_object(
        Bucket=stack.bucket, Key=key, Body=uuid.uuid4().bytes, Metadata={"caller": "principal=erika"}
    )
    first = stack.entry_of(Object(key=key, version_id=put["VersionId"], fingerprint=""))

    operators_key = stack.operator.key
    only_an_operator = {
        **stack.description(),
        "administrator_access_key_id": operators_key.id,
        "administrator_secret_access_key": operators_key.secret,
    }
    code, refused = bill_e_with(only_an_operator)("resubmit", key)
    assert (code, refused["copied"], refused["failed"]) == (1, 0, 1)
    assert "s3:GetObjectVersion" in refused["failures"][0]["detail"]

    assert bill_e_with(stack.description())("resubmit", key)[1]["copied"] == 1

    newest = s3.head_object(Bucket=stack.bucket, Key=key)
    assert newest["Metadata"] == {"caller": "principal=erika"}
    again = stack.entry_of(Object(key=key, version_id=newest["VersionId"], fingerprint=""))
    assert (again["reason"], again["fingerprint"]) == (first["reason"], first["fingerprint"])
    assert (again["uploader"]["via"], again["uploader"]["caller"]) == ("copy", None)
    assert first in stack.entries(outcome="REJECTED")


def test_upload_whose_event_was_lost_is_found_and_repaired(
    stack: DeployedStack, bill_e: BillE, prefix: str
) -> None:
    with events_lost(stack):
        lost = [
            stack.upload(f"{prefix}Öl + 100%/領収書.png", png()),
            stack.upload(f"{prefix}lost.png", png()),
            stack.upload(f"{prefix}control\x01\t\x7f.png", png()),
        ]

    assert bill_e("reconcile", "--prefix", prefix)[1]["totals"]["in_flight"] == 3
    code, report = bill_e("reconcile", "--prefix", prefix, "--age", "0")
    assert code == 1
    assert {one["version_id"] for one in report["missing"]} == {one.version_id for one in lost}

    code, planned = bill_e("reconcile", "--prefix", prefix, "--age", "0", "--fix", "--dry-run")
    assert (code, planned["sent"], len(planned["messages"])) == (1, 0, 3)
    code, fixed = bill_e("reconcile", "--prefix", prefix, "--age", "0", "--fix")
    assert (code, fixed["sent"]) == (1, 3)

    entries = stack.entries_of(*lost)
    assert [entry["key"] for entry in entries] == [one.key for one in lost]
    assert {entry["outcome"] for entry in entries} == {"ACCEPTED"}
    assert [(entry["resent"], entry["uploader"]["principal"]) for entry in entries] == [(True, None)] * 3
    assert bill_e("reconcile", "--prefix", prefix, "--age", "0")[0] == 0


def test_key_with_any_control_character_is_backfilled_and_reconciled(
    stack: DeployedStack, bill_e: BillE, prefix: str
) -> None:
    controls = [chr(code) for code in (*range(0x01, 0x20), *range(0x7F, 0xA0))]
    with events_lost(stack):
        lost = [stack.upload(f"{prefix}{one}a{one}", png()) for one in controls]

    assert bill_e("backfill", "--prefix", prefix)[1]["sent"] == len(lost)

    assert [entry["key"] for entry in stack.entries_of(*lost)] == [one.key for one in lost]
    code, report = bill_e("reconcile", "--prefix", prefix, "--age", "0")
    assert (code, report["totals"]["recorded"]) == (0, len(lost))


def test_lost_ledger_entry_is_found_and_comes_back(stack: DeployedStack, bill_e: BillE, prefix: str) -> None:
    uploaded = stack.upload(f"{prefix}receipt.png", png())
    before = stack.entry_of(uploaded)
    lose_entries(stack, uploaded)

    code, report = bill_e("reconcile", "--prefix", prefix, "--age", "0", "--fix")

    assert (code, report["sent"]) == (1, 1)
    after = stack.entry_of(uploaded)
    assert (after["outcome"], after["key"]) == ("ACCEPTED", before["key"])


def test_second_fix_before_the_first_is_processed_gives_no_second_entry(
    stack: DeployedStack, bill_e: BillE, prefix: str
) -> None:
    with events_lost(stack):
        lost = stack.upload(f"{prefix}receipt.png", png())
    with processor_held(stack):
        for _ in range(2):
            assert bill_e("reconcile", "--prefix", prefix, "--age", "0", "--fix")[1]["sent"] == 1

    assert stack.entry_of(lost)["outcome"] == "ACCEPTED"
    eventually("an empty queue", lambda: depth(stack, "resend_queue_url").total == 0)
    assert stack.entry_of(lost)["outcome"] == "ACCEPTED"
    assert bill_e("reconcile", "--prefix", prefix, "--age", "0")[1]["totals"]["repeated"] == 0


def test_lost_entries_come_back_from_a_table_that_was_restored(
    stack: DeployedStack, bill_e: BillE, prefix: str
) -> None:
    """As in the runbook. This doesn't show that AWS restores as the emulator does."""
    content = png()
    first = stack.upload(f"{prefix}Größe 1.png", content)
    stack.entry_of(first)
    uploads = [first, stack.upload(f"{prefix}2.png", content), stack.upload(f"{prefix}3.png", b"")]
    before = stack.entries_of(*uploads)
    ledger = stack.outputs["ledger_table"]

    with processor_held(stack), restored_table(stack) as restored:
        lose_entries(stack, *uploads)
        planned = bill_e("restore", "--from-table", restored, "--dry-run")
        nothing_yet = stack.administrator.client("dynamodb").scan(TableName=ledger, Select="COUNT")["Count"]
        done = bill_e("restore", "--from-table", restored)
        again = bill_e("restore", "--from-table", restored)

    assert (planned[0], len(planned[1]["to_copy"])) == (0, 3)
    assert nothing_yet == planned[1]["totals"]["present"]
    assert (done[0], done[1]["copied"]) == (0, 3)
    assert (again[0], again[1]["copied"], again[1]["totals"]["lacking"]) == (0, 0, 0)
    assert stack.entries_of(*uploads) == before
    assert bill_e("reconcile", "--prefix", prefix, "--age", "0")[0] == 0


def test_operator_is_told_which_right_a_restore_takes(
    stack: DeployedStack, bill_e_with: Callable[[dict[str, Any]], BillE]
) -> None:
    description = without_keys_of("administrator", stack) | operator_as_caller(stack)

    code, out, said = bill_e_with(description).in_text("restore", "--from-table", "any-table")

    assert (code, out) == (1, "")
    assert "(dynamodb:DescribeTable): access denied" in said
    assert said.count("\n") == 1


def test_upload_that_was_deleted_for_good_is_unknown_but_not_missing(
    stack: DeployedStack, bill_e: BillE, prefix: str
) -> None:
    uploaded = stack.upload(f"{prefix}receipt.png", png())
    stack.entry_of(uploaded)
    stack.administrator.client("s3").delete_object(
        Bucket=stack.bucket, Key=uploaded.key, VersionId=uploaded.version_id
    )

    def unknown() -> Any:
        """Only entries of uploads before the listing, which S3 times in whole seconds, can be unknown."""
        code, report = bill_e("reconcile", "--prefix", prefix, "--age", "0")
        return report["unknown"] and (code, report["complete"], report["unknown"])

    code, complete, found = eventually("an unknown entry", unknown)
    assert (code, complete) == (1, True)
    assert [one["version_id"] for one in found] == [uploaded.version_id]


@pytest.mark.parametrize(
    ("changed", "options", "state"),
    [
        ({"size_bytes": {"N": "1"}}, (), "differs"),
        ({"month_shard": {"S": "2026-11#999"}}, (), "inconsistent"),
        ({"fingerprint": {"S": "0" * 64}}, ("--checksums",), "differs"),
    ],
)
def test_entry_that_an_administrator_changed_is_found(
    stack: DeployedStack,
    bill_e: BillE,
    prefix: str,
    changed: dict[str, Any],
    options: tuple[str, ...],
    state: str,
) -> None:
    stored = stack.caller.client("s3").put_object(
        Bucket=stack.bucket, Key=f"{prefix}receipt.png", Body=(content := png()), ChecksumAlgorithm="SHA256"
    )
    uploaded = Object(
        key=f"{prefix}receipt.png",
        version_id=stored["VersionId"],
        fingerprint=hashlib.sha256(content).hexdigest(),
    )
    stack.entry_of(uploaded)
    command = ("reconcile", "--prefix", prefix, "--age", "0", *options)
    assert bill_e(*command)[0] == 0

    with changed_entry(stack, uploaded, changed):
        code, report = bill_e(*command)

    assert (code, report["complete"], report["confirmed"]) == (1, True, False)
    assert [one["version_id"] for one in report[state]] == [uploaded.version_id]


def test_operator_cannot_compare_checksums(
    stack: DeployedStack, bill_e_with: Callable[[dict[str, Any]], BillE], prefix: str
) -> None:
    stack.entry_of(stack.upload(f"{prefix}receipt.png", png()))
    as_operator = bill_e_with(without_keys_of("administrator", stack) | operator_as_caller(stack))

    code, out, said = as_operator.in_text("reconcile", "--prefix", prefix, "--checksums")

    assert (code, out) == (1, "")
    assert "(s3:GetObjectVersion" in said
    assert said.count("\n") == 1


def test_backfill_records_what_was_there_before_and_nothing_twice(
    stack: DeployedStack, bill_e: BillE, prefix: str
) -> None:
    content = png()
    with events_lost(stack):
        old = [stack.upload(f"{prefix}{number}.png", content) for number in range(12)]
    new = stack.upload(f"{prefix}new.png", png())
    stack.entry_of(new)

    assert bill_e("backfill", "--prefix", prefix, "--to", "2020-01-01")[1]["sent"] == 0
    assert len(bill_e("backfill", "--prefix", prefix, "--dry-run")[1]["messages"]) == 12
    code, done = bill_e("backfill", "--prefix", prefix)

    assert (code, done["sent"]) == (0, 12)
    assert done["totals"] == {"versions": 13, "recorded_before": 1, "to_send": 12}
    outcomes = sorted(entry["outcome"] for entry in stack.entries_of(*old))
    assert outcomes == ["ACCEPTED"] + ["DUPLICATE"] * 11
    assert bill_e("backfill", "--prefix", prefix)[1]["sent"] == 0


def test_dead_letters_are_listed_shown_and_redriven(stack: DeployedStack, bill_e: BillE, prefix: str) -> None:
    empty_dead_letters(stack)
    uploaded = stack.upload(f"{prefix}receipt.png", png())
    stack.entry_of(uploaded)
    poison = f"this is no S3 event {uuid.uuid4()}"
    dead = {
        poison: "unreadable",
        event_about(stack, uploaded): "recorded",
        event_about(stack, Object(key=f"{prefix}other.png", version_id="v", fingerprint="")): "not recorded",
    }
    sqs, urls = stack.administrator.client("sqs"), stack.outputs
    for body in dead:
        sqs.send_message(QueueUrl=urls["dead_letter_queue_url"], MessageBody=body)

    _, listed = bill_e("dead-letters")
    shown = [bill_e("dead-letters", "show", letter["id"])[1] for letter in listed["dead_letters"]]
    assert {one["body"]: one["state"] for one in shown} == dead
    assert bill_e("dead-letters", "redrive", "--dry-run")[1]["status"] == "DRY_RUN"
    assert depth(stack, "dead_letter_queue_url").total > 0

    with processor_held(stack):
        code, moved = bill_e("dead-letters", "redrive")
        waiting = depth(stack, "resend_queue_url").waiting

    assert (code, moved["status"], moved["moved"]) == (0, "COMPLETED", 3)
    assert waiting == 3
    back = {"unreadable", "not recorded"}
    with redelivery_after(stack, seconds=1):
        eventually(f"those that are {back} again", lambda: states_of(bill_e("dead-letters")[1]) == back)
    empty_dead_letters(stack)
    assert bill_e("dead-letters", "redrive")[1]["status"] == "NOTHING_TO_MOVE"
    assert bill_e.in_text("dead-letters")[:2] == (0, "no dead letters\n")


def test_second_redrive_is_refused_while_one_is_running(stack: DeployedStack, bill_e: BillE) -> None:
    empty_dead_letters(stack)
    sqs, urls = stack.administrator.client("sqs"), stack.outputs
    with processor_held(stack):
        for _ in range(200):  # The embedded AWS takes ten seconds to move these.
            sqs.send_message(QueueUrl=urls["dead_letter_queue_url"], MessageBody=event_of_nothing())
        source, destination = (
            stack.administrator.arn("sqs", urls[name].rpartition("/")[2])
            for name in ("dead_letter_queue_url", "resend_queue_url")
        )
        stack.operator.client("sqs").start_message_move_task(SourceArn=source, DestinationArn=destination)

        code, _, said = bill_e.in_text("dead-letters", "redrive")

        assert code == 1
        assert "a redrive has been running since" in said
        eventually("the end of the redrive", lambda: depth(stack, "dead_letter_queue_url").total == 0)
    eventually("an empty queue", lambda: depth(stack, "resend_queue_url").total == 0)


def test_dead_letters_are_deleted_and_redriven_by_id_and_the_log_says_by_whom(
    stack: DeployedStack, bill_e: BillE, prefix: str
) -> None:
    empty_dead_letters(stack)
    with events_lost(stack):
        lost = stack.upload(f"{prefix}lost\n.png", png())
    version = ObjectVersion(bucket=stack.bucket, key=lost.key, version_id=lost.version_id)
    upload = Upload(
        version=version, uploaded_at=datetime.now(UTC), uploader=Uploader(principal=None, source_ip=None)
    )
    sqs, urls = stack.administrator.client("sqs"), stack.outputs
    for body in ("poison", s3_event(upload)):
        sqs.send_message(QueueUrl=urls["dead_letter_queue_url"], MessageBody=body)
    ids = {letter["state"]: letter["id"] for letter in bill_e("dead-letters")[1]["dead_letters"]}

    assert bill_e("dead-letters", "delete", ids["unreadable"], "--reason", "a test")[0] == 0
    assert bill_e("dead-letters", "redrive", ids["not recorded"])[0] == 0

    assert stack.entry_of(lost)["resent"] is True
    assert depth(stack, "dead_letter_queue_url").total == 0
    lines = [line for line in operations(stack) if line.get("message_id") in ids.values()]
    assert {line["operator"] for line in lines} == {
        stack.operator.client("sts").get_caller_identity()["Arn"],
    }
    assert [line["message"] for line in lines] == [
        *("dead letter will be deleted", "dead letter deleted"),
        *("dead letter will be redriven", "dead letter redriven"),
    ]


@pytest.mark.claim(
    "an operator can add lines to the log of operations, and can neither read them, nor delete them, nor "
    "shorten the time for which they are kept",
    section="Least privilege",
)
def test_operator_can_only_add_to_the_log_of_operations(stack: DeployedStack) -> None:
    logs, group = stack.operator.client("logs"), stack.outputs["log_groups"]["operations"]
    stream = {"logGroupName": group, "logStreamName": uuid.uuid4().hex}
    logs.create_log_stream(**stream)
    line: Any = {"timestamp": int(datetime.now(UTC).timestamp() * 1000), "message": '{"message_id": ""}'}
    logs.put_log_events(**stream, logEvents=[line])

    assert_denied(lambda: logs.get_log_events(**stream))
    assert_denied(lambda: logs.delete_log_stream(**stream))
    assert_denied(lambda: logs.delete_log_group(logGroupName=group))
    assert_denied(lambda: logs.put_retention_policy(logGroupName=group, retentionInDays=1))
    other = stream | {"logGroupName": stack.outputs["log_groups"]["processor"]}
    assert_denied(lambda: logs.create_log_stream(**other))


def test_caller_has_none_of_the_operators_rights(
    stack: DeployedStack, bill_e_with: Callable[[dict[str, Any]], BillE]
) -> None:
    bill_e = bill_e_with(without_keys_of("operator", stack))

    for command in (["reconcile"], ["backfill"], ["dead-letters"], ["dead-letters", "redrive"]):
        code, out, said = bill_e.in_text(*command)
        assert (code, out) == (1, "")
        assert "access denied" in said
        assert said.count("\n") == 1


def test_operator_neither_reads_nor_writes_receipts_nor_scans_who_uploaded_them(stack: DeployedStack) -> None:
    uploaded = stack.upload("operations/private.png", png())
    operator, table = stack.operator, stack.outputs["ledger_table"]

    assert_denied(lambda: operator.client("dynamodb").scan(TableName=table))
    assert_denied(lambda: operator.client("dynamodb").scan(TableName=table, ProjectionExpression="principal"))
    assert_denied(
        lambda: operator.client("s3").put_object(Bucket=stack.bucket, Key="operations/x.png", Body=b"")
    )
    assert_denied(
        lambda: operator.client("dynamodb").delete_item(
            TableName=table, Key={"fingerprint": {"S": uploaded.fingerprint}, "entry": {"S": "RECEIPT"}}
        )
    )
    assert_denied(lambda: operator.client("sqs").receive_message(QueueUrl=stack.outputs["queue_url"]))
    assert_denied(
        lambda: operator.client("s3").get_object(
            Bucket=stack.bucket, Key=uploaded.key, VersionId=uploaded.version_id
        )
    )


def without_keys_of(role: str, stack: DeployedStack) -> dict[str, Any]:
    description = stack.description()
    return {name: value for name, value in description.items() if not name.startswith(f"{role}_")}


def operator_as_caller(stack: DeployedStack) -> dict[str, Any]:
    description = stack.description()
    return {f"aws_{name}": description[f"operator_{name}"] for name in ("access_key_id", "secret_access_key")}


@contextmanager
def restored_table(stack: DeployedStack) -> Iterator[str]:
    """A table restored from the ledger's backup, without its index, as the runbook's command does."""
    dynamodb, name = stack.administrator.client("dynamodb"), f"restored-{uuid.uuid4().hex}"
    dynamodb.restore_table_to_point_in_time(
        SourceTableName=stack.outputs["ledger_table"],
        TargetTableName=name,
        UseLatestRestorableTime=True,
        GlobalSecondaryIndexOverride=[],
    )
    dynamodb.get_waiter("table_exists").wait(TableName=name)
    try:
        yield name
    finally:
        dynamodb.delete_table(TableName=name)


@contextmanager
def changed_entry(stack: DeployedStack, uploaded: Object, changed: dict[str, Any]) -> Iterator[None]:
    """Have an administrator rewrite an entry, until the end."""
    dynamodb, ledger = stack.administrator.client("dynamodb"), stack.outputs["ledger_table"]
    (item,) = items_of(stack, uploaded)
    other = {**item, **changed}

    def put_instead(old: dict[str, Any], new: dict[str, Any]) -> None:
        dynamodb.delete_item(TableName=ledger, Key={name: old[name] for name in ("fingerprint", "entry")})
        dynamodb.put_item(TableName=ledger, Item=new)

    put_instead(item, other)
    try:
        yield
    finally:
        put_instead(other, item)


def items_of(stack: DeployedStack, *uploads: Object) -> list[dict[str, Any]]:
    dynamodb, ledger = stack.administrator.client("dynamodb"), stack.outputs["ledger_table"]
    versions = {one.version_id for one in uploads}
    found = [
        item
        for page in dynamodb.get_paginator("scan").paginate(TableName=ledger)
        for item in page["Items"]
        if item.get("version_id", {}).get("S") in versions
    ]
    assert len(found) == len(versions)
    return found


def lose_entries(stack: DeployedStack, *uploads: Object) -> None:
    dynamodb, ledger = stack.administrator.client("dynamodb"), stack.outputs["ledger_table"]
    for item in items_of(stack, *uploads):
        key = {name: item[name] for name in ("fingerprint", "entry")}
        dynamodb.delete_item(TableName=ledger, Key=key)


def states_of(listed: dict[str, Any]) -> set[str]:
    return {letter["state"] for letter in listed["dead_letters"]}


def event_about(stack: DeployedStack, uploaded: Object) -> str:
    version = ObjectVersion(bucket=stack.bucket, key=uploaded.key, version_id=uploaded.version_id)
    uploaded_at = datetime(2026, 11, 20, 12, tzinfo=UTC)
    uploader = Uploader(principal="AWS:AIDAEXAMPLE", source_ip="192.0.2.1")
    return s3_event(Upload(version=version, uploaded_at=uploaded_at, uploader=uploader))


def event_of_nothing() -> str:
    """A message that the processor acknowledges at once."""
    return json.dumps({"Event": "s3:TestEvent"})


def operations(stack: DeployedStack) -> list[dict[str, Any]]:
    """The lines of the log of operations, in order."""
    found = stack.administrator.client("logs").filter_log_events(
        logGroupName=stack.outputs["log_groups"]["operations"]
    )
    return [json.loads(event["message"]) for event in found["events"]]


def empty_dead_letters(stack: DeployedStack) -> None:
    stack.administrator.client("sqs").purge_queue(QueueUrl=stack.outputs["dead_letter_queue_url"])
