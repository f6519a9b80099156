from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cli.operator.table_comparison import TableComparison
from functions.contract import schema
from functions.contract.entry import Entry, ObjectVersion, Outcome, Reason
from functions.reconciliation.inventory import Pace
from tests.cli.conftest import ChangeCall, Run, denied, small_database
from tests.cli.operated_stack import BUCKET, LONG_AGO, SHARDS, TABLE, OperatedStack, entry_of

RESTORED = "ledger-restored"


def entry(key: str, *, bucket: str = BUCKET, **changes: Any) -> Entry:
    return entry_of(ObjectVersion(bucket=bucket, key=key, version_id=f"v-{key}"), **changes)


def put(operated: OperatedStack, table: str, *entries: Entry) -> None:
    for one in entries:
        operated.dynamodb.put_item(TableName=table, Item=schema.to_item(one, SHARDS))


def items(operated: OperatedStack, table: str = TABLE) -> list[dict[str, Any]]:
    found: list[Any] = operated.dynamodb.scan(TableName=table)["Items"]
    return sorted(found, key=lambda item: item["key"]["S"] if "key" in item else "")


def restore_table(operated: OperatedStack) -> None:
    """Make the table that AWS restores from the ledger's backup: a copy of it as it is now."""
    operated.dynamodb.restore_table_to_point_in_time(
        SourceTableName=TABLE, TargetTableName=RESTORED, UseLatestRestorableTime=True
    )


def lose(operated: OperatedStack, *entries: Entry) -> None:
    for one in entries:
        key: Any = {
            schema.FINGERPRINT: {"S": schema.partition_key(one)},
            schema.ENTRY: {"S": schema.sort_key(one)},
        }
        operated.dynamodb.delete_item(TableName=TABLE, Key=key)


def restored(operator: Run, *arguments: str) -> tuple[int, dict[str, Any]]:
    ran = operator("restore", "--from-table", RESTORED, "--json", *arguments)
    assert ran.out, ran.err
    return ran.code, json.loads(ran.out)


ENTRIES = (
    entry("a.png"),
    entry("größe + 1%.png"),
    entry("copy.png", outcome=Outcome.DUPLICATE, duplicate_of=entry("a.png").upload.version),
    entry("empty.png", reason=Reason.EMPTY),
    entry("gone.png", reason=Reason.OBJECT_MISSING),
)


def test_lost_entries_come_back_as_they_were_and_once(operator: Run, operated: OperatedStack) -> None:
    put(operated, TABLE, *ENTRIES)
    before = items(operated)
    restore_table(operated)
    lose(operated, *ENTRIES[1:])

    code, report = restored(operator)

    assert (code, report["copied"]) == (0, 4)
    assert report["totals"] == {"entries": 5, "lacking": 4, "present": 1, "differing": 0}
    assert items(operated) == before

    code, report = restored(operator)
    assert (code, report["copied"]) == (0, 0)
    assert report["totals"] == {"entries": 5, "lacking": 0, "present": 5, "differing": 0}
    assert items(operated) == before


def test_dry_run_says_what_would_be_copied_and_copies_nothing(operator: Run, operated: OperatedStack) -> None:
    put(operated, TABLE, *ENTRIES)
    restore_table(operated)
    lose(operated, *ENTRIES[:2])
    before = items(operated)

    code, report = restored(operator, "--dry-run")

    assert (code, report["copied"], report["dry_run"]) == (0, 0, True)
    assert report["totals"] == {"entries": 5, "lacking": 2, "present": 3, "differing": 0}
    assert sorted(one["key"] for one in report["to_copy"]) == ["a.png", "größe + 1%.png"]
    assert items(operated) == before


def test_entries_recorded_since_the_backup_stay(operator: Run, operated: OperatedStack) -> None:
    put(operated, TABLE, ENTRIES[0])
    restore_table(operated)
    lose(operated, ENTRIES[0])
    put(operated, TABLE, entry("new.png"))

    code, report = restored(operator)

    assert (code, report["copied"]) == (0, 1)
    assert [item["key"]["S"] for item in items(operated)] == ["a.png", "new.png"]


def test_entry_with_other_attributes_is_listed_and_never_overwritten(
    operator: Run, operated: OperatedStack
) -> None:
    put(operated, TABLE, *ENTRIES)
    restore_table(operated)
    lose(operated, ENTRIES[0], ENTRIES[1])
    put(operated, TABLE, replace(ENTRIES[0], recorded_at=LONG_AGO + timedelta(days=1), size_bytes=8))
    standing = items(operated)[0]

    code, report = restored(operator)

    assert (code, report["copied"]) == (1, 1)
    assert report["totals"] == {"entries": 5, "lacking": 1, "present": 3, "differing": 1}
    assert [(one["key"], one["detail"]) for one in report["differing"]] == [
        ("a.png", "the ledger has another recorded, size_bytes")
    ]
    assert items(operated)[0] == standing


def test_object_version_that_was_recorded_otherwise_meanwhile_gets_no_second_entry(
    operator: Run, operated: OperatedStack
) -> None:
    """Sent again before the restore, the duplicate may have come first, and so be the receipt."""
    receipt = entry("first.png")
    duplicate = entry(
        "second.png",
        fingerprint=receipt.fingerprint,
        outcome=Outcome.DUPLICATE,
        duplicate_of=receipt.upload.version,
    )
    put(operated, TABLE, receipt, duplicate)
    restore_table(operated)
    lose(operated, receipt, duplicate)
    put(operated, TABLE, replace(duplicate, outcome=Outcome.ACCEPTED, duplicate_of=None))
    before = items(operated)

    code, report = restored(operator)

    assert (code, report["copied"], report["totals"]["differing"]) == (1, 0, 2)
    assert "the ledger has this object version as ACCEPTED" in [one["detail"] for one in report["differing"]]
    assert items(operated) == before


def test_entry_that_arrives_while_copying_stays_and_is_compared(
    operator: Run, operated: OperatedStack, change_call: ChangeCall
) -> None:
    put(operated, TABLE, *ENTRIES)
    restore_table(operated)
    lose(operated, *ENTRIES)
    other = replace(ENTRIES[1], size_bytes=8)

    waiting, one_at_a_time = [ENTRIES[0], other], threading.Lock()

    def arrive_before_the_first(call: Callable[..., Any], **parameters: Any) -> Any:
        # The calls of other threads wait as well.
        with one_at_a_time:
            put(operated, TABLE, *waiting)
            waiting.clear()
        return call(**parameters)

    change_call("dynamodb", "put_item", arrive_before_the_first)

    code, report = restored(operator)

    assert (code, report["copied"]) == (1, 3)
    assert report["totals"] == {"entries": 5, "lacking": 3, "present": 1, "differing": 1}
    assert report["differing"][0]["detail"] == "the ledger has another size_bytes"
    assert schema.to_item(other, SHARDS) in items(operated)


def test_notes_of_the_processor_are_left_out(operator: Run, operated: OperatedStack) -> None:
    operated.dynamodb.put_item(TableName=TABLE, Item=schema.missing_note(ENTRIES[0].upload.version, LONG_AGO))
    restore_table(operated)
    before = items(operated)

    code, report = restored(operator)

    assert (code, report["totals"]["entries"]) == (0, 0)
    assert items(operated) == before


@pytest.mark.usefixtures("_every_step_is_a_line")
def test_many_entries_are_all_copied(operator: Run, operated: OperatedStack) -> None:
    put(operated, TABLE, *(entry(f"{number}.png") for number in range(150)))
    before = items(operated)
    restore_table(operated)
    lose(operated, *(entry(f"{number}.png") for number in range(150)))

    ran = operator("restore", "--from-table", RESTORED, "--write-units=100000")

    assert ran.code == 0
    assert ran.out == (f"entries of {RESTORED}: 150 = 150 copied + 0 in the ledger already + 0 that differ\n")
    assert "copied: 150 of 150" in ran.err
    assert items(operated) == before


def test_table_shows_what_differs_and_would_be_copied_and_counts_the_rest(
    operator: Run, operated: OperatedStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.screen.terminal.SHOWN", 2)
    put(operated, TABLE, *ENTRIES)
    restore_table(operated)
    lose(operated, *ENTRIES[1:])
    put(operated, RESTORED, replace(ENTRIES[0], size_bytes=8))

    ran = operator("restore", "--from-table", RESTORED, "--dry-run")

    assert ran.code == 1
    assert [line.split()[0] for line in ran.out.splitlines()] == [
        *("STATE", "differs", "copy", "copy"),
        "entries",
    ]
    assert "5 = 4 would be copied (dry run) + 0 in the ledger already + 1 that differ" in ran.out
    assert "and 2 more that would be copied: --json lists all" in ran.err
    assert "entries that differ were left as they are in the ledger" in ran.err


def other_keys(operated: OperatedStack) -> None:
    operated.dynamodb.create_table(
        TableName=RESTORED,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )


def other_bucket(operated: OperatedStack) -> None:
    restore_table(operated)
    put(operated, RESTORED, *ENTRIES, entry("a.png", bucket="others"))


def foreign_item(operated: OperatedStack, table: str) -> None:
    restore_table(operated)
    put(operated, RESTORED, *ENTRIES)
    operated.dynamodb.put_item(
        TableName=table, Item={schema.FINGERPRINT: {"S": "x"}, schema.ENTRY: {"S": "y"}}
    )


def ledger_of_another_stack(operated: OperatedStack) -> None:
    put(operated, TABLE, entry("a.png", bucket="others"))
    restore_table(operated)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (id, f"there is no table {RESTORED} in eu-central-1: `aws dynamodb list-tables` lists"),
        (other_keys, f"{RESTORED} is not a ledger: its keys are not fingerprint and entry"),
        (other_bucket, "it holds entries about bucket others"),
        (
            partial(foreign_item, table=RESTORED),
            f"table {RESTORED} is not a ledger: its item x / y is not an entry",
        ),
        (
            partial(foreign_item, table=TABLE),
            f"ledger {TABLE} is not a ledger: its item x / y is not an entry",
        ),
        (ledger_of_another_stack, "has no entry about bucket uploads, but some about others"),
    ],
)
def test_table_that_does_not_fit_is_refused_in_one_sentence_and_nothing_is_written(
    operator: Run, operated: OperatedStack, make: Callable[[OperatedStack], object], sentence: str
) -> None:
    make(operated)
    before = items(operated)

    assert sentence in operator("restore", "--from-table", RESTORED).refusal()
    assert items(operated) == before


def test_ledger_itself_is_refused(operator: Run) -> None:
    assert operator("restore", "--from-table", TABLE).refusal() == (
        "bill-e: table ledger is the ledger itself: name the table that AWS restored from it\n"
    )


def test_table_that_is_being_restored_is_refused(
    operator: Run, operated: OperatedStack, change_call: ChangeCall
) -> None:
    restore_table(operated)
    change_call(
        "dynamodb",
        "describe_table",
        lambda call, **parameters: {"Table": call(**parameters)["Table"] | {"TableStatus": "CREATING"}},
    )

    refusal = operator("restore", "--from-table", RESTORED).refusal()
    assert f"table {RESTORED} is still being restored: `aws dynamodb wait table-exists" in refusal


def test_ledger_that_is_gone_is_one_sentence(operator: Run, operated: OperatedStack) -> None:
    operated.rewrite_outputs(ledger_table="gone")

    refusal = operator("restore", "--from-table", TABLE).refusal()
    assert "looking at the ledger table gone (dynamodb:DescribeTable): it doesn't exist" in refusal


def test_entries_of_a_former_bucket_are_taken_if_it_is_named(operator: Run, operated: OperatedStack) -> None:
    put(operated, TABLE, *ENTRIES, entry("a.png", bucket="former"))
    before = items(operated)
    restore_table(operated)
    lose(operated, *ENTRIES, entry("a.png", bucket="former"))

    code, report = restored(operator, "--former-bucket", "former")

    assert (code, report["copied"]) == (0, 6)
    assert sorted(map(str, items(operated))) == sorted(map(str, before))


@pytest.mark.parametrize("name", ["", "ab", "a table", "arn:aws:dynamodb:eu-central-1:1:table/x"])
def test_what_is_no_name_of_a_table_is_wrong_usage(operator: Run, name: str) -> None:
    assert f"{name!r} is not allowed" in operator("restore", "--from-table", name).error(2)


def test_entry_that_the_processor_cannot_have_written_is_refused_and_nothing_is_written(
    operator: Run, operated: OperatedStack
) -> None:
    put(operated, TABLE, *ENTRIES)
    restore_table(operated)
    lose(operated, *ENTRIES)
    moved = {**schema.to_item(ENTRIES[0], SHARDS), schema.MONTH_SHARD: {"S": "2026-11#9"}}
    operated.dynamodb.put_item(TableName=RESTORED, Item=moved)

    said = operator("restore", "--from-table", RESTORED).refusal()

    assert "can't have written the item" in said
    assert "it can't be in shard 9" in said
    assert items(operated) == []


def test_changed_entry_of_the_ledger_is_listed_and_holds_up_no_restore(
    operator: Run, operated: OperatedStack
) -> None:
    put(operated, TABLE, *ENTRIES)
    restore_table(operated)
    lose(operated, *ENTRIES[1:])
    moved = {**schema.to_item(ENTRIES[0], SHARDS), schema.MONTH_SHARD: {"S": "2026-11#9"}}
    operated.dynamodb.put_item(TableName=TABLE, Item=moved)

    code, report = restored(operator)

    assert (code, report["copied"]) == (1, 4)
    assert [one["detail"] for one in report["differing"]] == ["the ledger has another month_shard"]


@pytest.mark.parametrize(
    ("call", "permission"),
    [
        ("describe_table", "dynamodb:DescribeTable"),
        ("scan", "dynamodb:Scan"),
        ("put_item", "dynamodb:PutItem"),
    ],
)
def test_missing_permission_is_named(
    operator: Run, operated: OperatedStack, change_call: ChangeCall, call: str, permission: str
) -> None:
    put(operated, TABLE, ENTRIES[0])
    restore_table(operated)
    lose(operated, ENTRIES[0])
    change_call("dynamodb", call, denied)

    assert f"({permission}): access denied" in operator("restore", "--from-table", RESTORED).refusal()


def test_failure_in_the_middle_says_how_far_it_came_and_the_next_run_ends_it(
    operator: Run, operated: OperatedStack, change_call: ChangeCall
) -> None:
    entries = [entry(f"{number}.png") for number in range(20)]
    put(operated, TABLE, *entries)
    before = items(operated)
    restore_table(operated)
    lose(operated, *entries)
    calls = iter(range(1, len(entries) + 1))
    fails = True

    def fail_from_the_eleventh(call: Callable[..., Any], **parameters: Any) -> Any:
        if fails and next(calls) > 10:
            error: Any = {"Error": {"Code": "ThrottlingException", "Message": "slow down"}}
            raise ClientError(error, "PutItem")
        return call(**parameters)

    change_call("dynamodb", "put_item", fail_from_the_eleventh)
    ran = operator("restore", "--from-table", RESTORED)

    assert (ran.code, ran.out) == (1, "")
    assert "slow down (ThrottlingException); at least" in ran.err
    assert "of 20 were copied. Run it again" in ran.err

    fails = False
    code, report = restored(operator)
    assert (code, report["totals"]["present"], report["copied"]) == (0, 10, 10)
    assert items(operated) == before


def test_a_pace_waits_for_what_was_spent_too_fast() -> None:
    now = 0.0
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        nonlocal now
        pauses.append(seconds)
        now += seconds

    pace = Pace(100, clock=lambda: now, pause=pause)
    pace.spend(50)
    now += 10
    pace.spend(50)
    pace.spend(1000)

    assert pauses == [0.5, 0.5]


def test_writes_keep_to_the_pace_that_was_asked_for(
    operator: Run, operated: OperatedStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(operated, TABLE, *ENTRIES)
    restore_table(operated)
    lose(operated, *ENTRIES)
    paces: dict[float, float] = {}

    def spend(pace: Pace, units: float) -> None:
        paces[pace._units_per_second] = paces.get(pace._units_per_second, 0) + units

    monkeypatch.setattr(Pace, "spend", spend)

    restored(operator, "--write-units", "7")

    assert paces[7] == len(ENTRIES)


def test_memory_does_not_grow_with_the_number_of_entries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count, page = 20_000, 500
    # As `bill-e restore --help` says: each entry of the ledger, and each to copy.
    with small_database(tmp_path, monkeypatch, file_bytes=1.5 * count * 1200) as database:
        comparison = TableComparison(database)
        for start in range(0, count, page):
            comparison.add_standing([item_of(f"old/{start + number}") for number in range(page)])
        comparison.index()
        for number in range(count):
            comparison.compare(item_of(f"{'old' if number % 2 else 'lost'}/{number}"))
        found = comparison.present, comparison.count_lacking(), sum(1 for _ in comparison.lacking_items())

    # As objects, the ledger alone would take some 60 MB.
    assert found == (count / 2, count / 2, count / 2)


def item_of(key: str) -> Any:
    return schema.to_item(entry(key), SHARDS)
