"""What the sealer seals, and what it leaves in the bucket."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from functions.contract import schema
from functions.contract.entry import format_time
from functions.contract.metric_names import QUARANTINED, SEALED, UNSEALED_AGE
from functions.contract.sealing import CHECKPOINT
from functions.sealer import sealer as sealer_
from functions.sealer.log_bucket import LogIntegrityError
from functions.sealing.tiles import decode_bundle, encode_bundle
from functions.sealing.tree import leaf_hash
from tests.functions.examples import entry
from tests.functions.sealer.sealed_ledger import (
    SETTLED_AFTER,
    SHARDS,
    Calls,
    SealedLedger,
    keys_of,
    sealed_keys,
)

if TYPE_CHECKING:
    from functions.contract.entry import Entry


def written(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def metrics(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    names = (UNSEALED_AGE, SEALED, QUARANTINED)
    (line,) = (line for line in written(capsys) if "_aws" in line)
    return {name: line[name] for name in names if name in line}


def test_the_first_run_signs_the_empty_log(ledger: SealedLedger) -> None:
    ledger.run()

    assert ledger.leaves() == []
    assert ledger.objects() == [CHECKPOINT, "checkpoints/0"]


def test_entries_are_sealed_in_order_once_they_have_settled(
    ledger: SealedLedger, capsys: pytest.CaptureFixture[str]
) -> None:
    settled = ledger.record(5, ago=timedelta(minutes=3)) + ledger.record(2)
    (young,) = ledger.record(ago=SETTLED_AFTER - timedelta(seconds=1))

    done = ledger.run()

    assert done == {"sealed": 7, "is_complete": True}
    assert sealed_keys(ledger.leaves()) == keys_of(settled)
    assert metrics(capsys) == {UNSEALED_AGE: 0, SEALED: 7}

    ledger.later()
    ledger.run()

    assert sealed_keys(ledger.leaves()) == keys_of([*settled, young])


def test_nothing_is_sealed_before_it_is_recorded_whatever_the_event_says(ledger: SealedLedger) -> None:
    ledger.record(ago=timedelta(seconds=-5))

    ledger.sealer.run(lambda: True, timedelta(minutes=-1))

    assert ledger.leaves() == []


def test_all_history_is_sealed_first_from_every_shard_and_month(ledger: SealedLedger) -> None:
    old = [
        entry(f"old-{number}.png", schema_month + timedelta(days=3 * number))
        for number, schema_month in enumerate([ledger.now - timedelta(days=90)] * 25)
    ]
    for each in old:
        ledger.put(schema.to_item(each, SHARDS))

    ledger.run()

    assert sealed_keys(ledger.leaves()) == keys_of(old)


def test_where_nothing_is_new_nothing_is_written_or_signed(
    ledger: SealedLedger, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger.record(3)
    ledger.run()
    calls = Calls()
    again = ledger.new_sealer(calls)
    ledger.later()
    capsys.readouterr()

    ledger.run(again)

    assert {call.split()[0] for call in calls.made} == {"get_item", "get_object", "query"}
    assert metrics(capsys) == {UNSEALED_AGE: 0}


def test_what_the_last_minutes_have_sealed_is_not_read_again_by_the_same_sealer(ledger: SealedLedger) -> None:
    calls = Calls()
    ledger.sealer = ledger.new_sealer(calls)
    ledger.record(600)
    ledger.run()
    ledger.later()
    calls.made.clear()

    ledger.run()

    assert calls.made.count("get_object checkpoint") == len([each for each in calls.made if "object" in each])


@pytest.mark.parametrize("sizes", [(1, 1), (255, 1, 1), (256, 256), (257, 300), (511, 1, 1)])
def test_the_log_grows_over_the_edges_of_tiles(sizes: tuple[int, ...], ledger: SealedLedger) -> None:
    entries: list[Entry] = []
    for number in sizes:
        entries += ledger.record(number)
        ledger.run()
        assert sealed_keys(ledger.leaves()) == keys_of(entries)
        ledger.later()


def test_a_batch_has_a_most_and_the_rest_follows_in_the_same_run(
    ledger: SealedLedger, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = ledger.record(25)

    ledger.run(ledger.new_sealer(most_leaves=10))

    assert sealed_keys(ledger.leaves()) == keys_of(entries)
    assert ledger.objects("checkpoints/") == [f"checkpoints/{size}" for size in (0, 10, 20, 25)]
    assert metrics(capsys) == {UNSEALED_AGE: 0, SEALED: 25}


def test_without_time_the_rest_waits_and_the_metric_says_since_when(
    ledger: SealedLedger, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = ledger.record(25, ago=timedelta(minutes=20))

    done = ledger.run(ledger.new_sealer(most_leaves=10), may_go_on=False)

    assert done == {"sealed": 10, "is_complete": False}
    assert metrics(capsys) == {UNSEALED_AGE: 20 * 60, SEALED: 10}
    ledger.run()
    assert sealed_keys(ledger.leaves()) == keys_of(entries)


def test_an_entry_that_comes_late_is_sealed_after_what_was_sealed_before(ledger: SealedLedger) -> None:
    entries = ledger.record(3)
    ledger.run()
    late = ledger.record(2, ago=timedelta(minutes=2))

    ledger.later()
    ledger.run()

    assert sealed_keys(ledger.leaves()) == keys_of([*entries, *late])


def test_a_batch_of_late_entries_alone_seals_nothing_twice(ledger: SealedLedger) -> None:
    sealer = ledger.new_sealer(most_leaves=10)
    first = ledger.record(5, ago=timedelta(minutes=3))
    ledger.run(sealer)
    ledger.later(timedelta(seconds=90))
    # All of the first two batches were recorded before the time up to which everything is sealed.
    late = ledger.record(25, ago=timedelta(minutes=3))

    ledger.run(sealer)

    assert sorted(sealed_keys(ledger.leaves())) == sorted(keys_of([*first, *late]))


def test_a_clock_that_was_ahead_delays_nothing(ledger: SealedLedger) -> None:
    entries = ledger.record(2)
    ledger.later(timedelta(hours=1))
    ledger.run()
    ledger.later(-timedelta(minutes=59))
    entries += ledger.record(2, ago=timedelta(seconds=40))
    young = ledger.record(ago=timedelta(seconds=20))

    ledger.run()
    assert sealed_keys(ledger.leaves()) == keys_of(entries)

    ledger.later()
    ledger.run()
    assert sealed_keys(ledger.leaves()) == keys_of([*entries, *young])


@pytest.mark.parametrize("delay", [timedelta(hours=2), timedelta(days=2)])
def test_a_sweep_finds_what_came_after_the_overlap(
    delay: timedelta, ledger: SealedLedger, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = ledger.record(300)
    ledger.run()
    ledger.later(delay)
    after = ledger.record(100)
    ledger.run()
    late = ledger.record(3, ago=delay + timedelta(minutes=1))
    ledger.run()
    assert sealed_keys(ledger.leaves()) == keys_of([*entries, *after])
    capsys.readouterr()

    for _ in range(4):
        ledger.later(timedelta(days=1))
        ledger.run()

    assert sealed_keys(ledger.leaves()) == keys_of([*entries, *after, *late])
    (line,) = (line for line in written(capsys) if "came late" in line.get("message", ""))
    assert line["entries"] == 3


def test_a_sweep_goes_on_where_it_stopped(ledger: SealedLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealer_, "MOST_SWEPT", 7)
    entries = ledger.record(30)
    ledger.run()
    late = [ledger.record(ago=timedelta(minutes=ago))[0] for ago in (59, 30, 9)]
    ledger.later(timedelta(hours=2))

    for _ in range(15):
        ledger.later(timedelta(hours=1))
        ledger.run()

    assert sorted(sealed_keys(ledger.leaves())) == sorted(keys_of([*entries, *late]))


DAMAGED: dict[str, Callable[[Any], dict[str, Any]]] = {
    "unknown outcome": lambda _: {"outcome": {"S": "PAID"}},
    "a number as key": lambda _: {"key": {"N": "1"}},
    "another object": lambda _: {"key": {"S": "swapped.png"}},
    "no time": lambda item: {schema.RECORDED: {"S": item[schema.RECORDED]["S"][:20]}},
    "another entry's object id": lambda item: {schema.RECORDED: {"S": item[schema.RECORDED]["S"][:-1] + "_"}},
}


@pytest.mark.parametrize("how", DAMAGED)
def test_an_item_that_cannot_be_sealed_stops_nothing(
    how: str, ledger: SealedLedger, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, third = ledger.record(3)
    item = schema.to_item(second, SHARDS)
    ledger.put({**item, **DAMAGED[how](item)})

    ledger.run()

    assert sealed_keys(ledger.leaves()) == keys_of([first, third])
    lines = written(capsys)
    (line,) = (line for line in lines if "cannot be sealed" in line.get("message", ""))
    assert line["level"] == "ERROR"
    assert line["key"] == f"{second.fingerprint}/RECEIPT"
    (figures,) = (line for line in lines if "_aws" in line)
    assert (figures[SEALED], figures[QUARANTINED]) == (2, 1)

    ledger.put(schema.to_item(second, SHARDS))
    ledger.later()
    ledger.run()
    assert sealed_keys(ledger.leaves()) == keys_of([first, third, second])


def test_what_never_changes_is_locked_and_nothing_else(ledger: SealedLedger) -> None:
    ledger.record(300)
    ledger.run()

    until = {key: put.get("ObjectLockRetainUntilDate") for key, put in ledger.s3.objects.items()}

    locked = {key for key, moment in until.items() if moment}
    assert locked == {"tile/0/000", "tile/entries/000", "checkpoints/0", "checkpoints/300"}
    for key in locked:
        assert until[key] == ledger.now + timedelta(days=30)
        assert ledger.s3.objects[key]["ObjectLockMode"] == "GOVERNANCE"


def test_without_a_lock_nothing_is_locked() -> None:
    ledger = SealedLedger(lock_days=0)
    ledger.record(300)
    ledger.run()

    assert not any("ObjectLockMode" in put for put in ledger.s3.objects.values())


def test_a_lock_behind_the_log_stops_the_sealer(ledger: SealedLedger) -> None:
    """Somebody has restored the lock's table: to go on would sign two trees of one size."""
    ledger.record(3)
    ledger.run()
    earlier = ledger.dynamodb.get_item(TableName="lock", Key={"id": {"S": "head"}})["Item"]
    ledger.later()
    ledger.record(3)
    ledger.run()
    ledger.dynamodb.put_item(TableName="lock", Item=earlier)
    signed = len(ledger.kms.signed)

    for sealer in (ledger.sealer, ledger.new_sealer()):
        with pytest.raises(LogIntegrityError, match="the lock is behind the log"):
            ledger.run(sealer)

    assert len(ledger.kms.signed) == signed


@pytest.mark.parametrize("path", ["tile/0/000.p/3", "tile/entries/000.p/3"])
@pytest.mark.parametrize("change", [lambda data: data[:-1] + b"x", lambda _: b"\0\1x", lambda _: b"x"])
def test_a_changed_edge_stops_the_sealer(
    change: Callable[[bytes], bytes], path: str, ledger: SealedLedger
) -> None:
    ledger.record(3)
    ledger.run()
    ledger.s3.put_object(Key=path, Body=change(ledger.read(path)))
    ledger.later()
    ledger.record(2)
    signed = len(ledger.kms.signed)

    with pytest.raises(LogIntegrityError):
        ledger.run(ledger.new_sealer())

    assert len(ledger.kms.signed) == signed


def test_a_changed_leaf_with_its_hash_stops_the_sealer(ledger: SealedLedger) -> None:
    ledger.record(2)
    ledger.run()
    first, second = decode_bundle(ledger.read("tile/entries/000.p/2"))
    changed = second.replace(b'"entry"', b'"other"')
    ledger.s3.put_object(Key="tile/entries/000.p/2", Body=encode_bundle([first, changed]))
    ledger.s3.put_object(Key="tile/0/000.p/2", Body=leaf_hash(first) + leaf_hash(changed))
    ledger.later()
    ledger.record()

    with pytest.raises(LogIntegrityError, match="isn't the one that was committed"):
        ledger.run()


def test_another_checkpoint_of_the_same_size_stops_the_sealer(ledger: SealedLedger) -> None:
    ledger.run()
    note = ledger.read(CHECKPOINT).decode().replace("47DE", "48DE")
    ledger.s3.put_object(Key=CHECKPOINT, Body=note.encode())

    with pytest.raises(LogIntegrityError, match="isn't of the tree"):
        ledger.run()


@pytest.mark.parametrize("keeps_staging", [True, False])
def test_a_deleted_checkpoint_is_published_again(keeps_staging: bool, ledger: SealedLedger) -> None:
    entries = ledger.record(300)
    ledger.run()
    before = ledger.read(CHECKPOINT)
    for key in [CHECKPOINT, *([] if keeps_staging else ledger.objects("staging/"))]:
        del ledger.s3.objects[key]

    ledger.run()

    assert ledger.read(CHECKPOINT) == before
    assert sealed_keys(ledger.leaves()) == keys_of(entries)


def test_an_entry_whose_time_was_changed_is_sealed_once_more(
    ledger: SealedLedger,
) -> None:
    """The log then has two leaves for one object version, and the first of them has no entry."""
    first, second = ledger.record(2)
    ledger.run()
    moved = replace(first, recorded_at=first.recorded_at + timedelta(seconds=20))
    ledger.put(schema.to_item(moved, SHARDS))
    ledger.later()
    ledger.run()

    assert sealed_keys(ledger.leaves()) == keys_of([first, second, moved])


def test_sealed_at_is_the_time_of_the_run_and_never_goes_back(ledger: SealedLedger) -> None:
    ledger.record()
    ledger.run()
    sealed_at = ledger.now
    ledger.record(ago=timedelta(seconds=100))
    ledger.now -= timedelta(seconds=20)
    ledger.run()

    assert [leaf.sealed_at for leaf in ledger.leaves()] == [sealed_at, sealed_at]


def erasure(object_id: str, recorded: str, **changes: Any) -> schema.Item:
    return {
        schema.FINGERPRINT: {"S": f"{schema.ERASED}{object_id}"},
        schema.ENTRY: {"S": schema.ERASURE},
        schema.MONTH_SHARD: {"S": schema.month_shard(recorded[:7], 0)},
        schema.RECORDED: {"S": f"{recorded}#{object_id}"},
        "reason": {"S": "request 2027-04"},
        **changes,
    }


def test_erasure_is_sealed_beside_the_entry_that_it_is_about(ledger: SealedLedger) -> None:
    (erased,) = ledger.record(ago=timedelta(minutes=5))
    object_id = erased.upload.version.object_id
    ledger.put(erasure(object_id, format_time(ledger.now - timedelta(minutes=2))))

    ledger.run()

    leaves = ledger.leaves()
    assert [(leaf.kind, leaf.object_id) for leaf in leaves] == [
        ("entry", object_id),
        ("erasure", object_id),
    ]
    assert leaves[1].fingerprint is None
    ledger.later()
    ledger.run()
    assert len(ledger.leaves()) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"reason": {"N": "1"}},
        {schema.FINGERPRINT: {"S": f"{schema.ERASED}x"}},
        {schema.FINGERPRINT: {"S": f"{schema.ERASED}{'0' * 64}"}},
    ],
)
def test_malformed_erasure_is_quarantined(ledger: SealedLedger, changes: dict[str, Any]) -> None:
    ledger.put(erasure("a" * 64, format_time(ledger.now - timedelta(minutes=2)), **changes))

    ledger.run()

    assert ledger.leaves() == []
