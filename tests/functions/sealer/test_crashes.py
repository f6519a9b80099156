"""One leaf for each entry, always: after a crash at any call, with other sealers, and whatever fails."""

from __future__ import annotations

import contextlib
import itertools
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from functions.contract import schema
from functions.contract.entry import format_time
from tests.functions.sealer.sealed_ledger import Calls, CrashError, SealedLedger, keys_of, sealed_keys

if TYPE_CHECKING:
    from functions.contract.entry import Entry


def crashing(when: str, wanted: int) -> Calls:
    """Calls of which one ends the sealer, before or after it has taken effect."""

    def call(number: int, _: str) -> None:
        if number == wanted:
            raise CrashError

    return Calls(before=call) if when == "before" else Calls(after=call)


def prepared(rounds: int) -> tuple[SealedLedger, list[Entry]]:
    """A ledger whose log has grown so often, and entries that aren't sealed yet."""
    ledger = SealedLedger()
    entries = []
    for number in (254, 5, 2)[:rounds]:
        entries += ledger.record(number)
        ledger.run()
        ledger.later()
    return ledger, [*entries, *ledger.record(3)]


@pytest.mark.parametrize("rounds", [0, 1, 2])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_at_any_call_loses_nothing_and_seals_nothing_twice(when: str, rounds: int) -> None:
    """The calls are those that a run makes, however many they are."""
    for number in itertools.count():
        ledger, entries = prepared(rounds)
        calls = crashing(when, number)
        try:
            ledger.run(ledger.new_sealer(calls))
        except CrashError:
            pass
        else:
            break
        if number % 2:
            # Also if new entries come before the next run.
            ledger.later()
            entries += ledger.record(2)
        ledger.run(ledger.new_sealer())
        assert sealed_keys(ledger.leaves()) == keys_of(entries), calls.made
    assert number > 10
    assert sealed_keys(ledger.leaves()) == keys_of(entries)


def test_two_crashes_in_a_row_at_any_two_calls() -> None:
    dice = random.Random(14)  # noqa: S311
    for _ in range(40):
        ledger, entries = prepared(1)
        for _ in range(2):
            when = dice.choice(["before", "after"])
            calls = crashing(when, dice.randrange(22))
            with contextlib.suppress(CrashError):
                ledger.run(ledger.new_sealer(calls))
            ledger.later()
            entries += ledger.record(1)
        ledger.run()
        assert sealed_keys(ledger.leaves()) == keys_of(entries)


def test_the_same_sealer_goes_on_after_a_crash() -> None:
    """What it remembers of the log is true of the tree that was committed."""
    for number in range(25):
        ledger, entries = prepared(1)
        calls = crashing("after", number)
        sealer = ledger.new_sealer(calls)
        with contextlib.suppress(CrashError):
            ledger.run(sealer)
        calls.after = lambda *_: None
        ledger.later()
        entries += ledger.record(2)
        ledger.run(sealer)
        ledger.later()
        ledger.run(sealer)
        assert sealed_keys(ledger.leaves()) == keys_of(entries)


@pytest.mark.parametrize("service", ["sign", "put_object", "update_item", "query"])
def test_a_service_that_fails_for_a_while_delays_what_is_sealed(service: str, ledger: SealedLedger) -> None:
    refused = ClientError({"Error": {"Code": "InternalError", "Message": "try later"}}, service)

    def fail(_: int, label: str) -> None:
        if label.split()[0] == service:
            raise refused

    entries = ledger.record(5)
    for _ in range(3):
        with pytest.raises(ClientError):
            ledger.run(ledger.new_sealer(Calls(before=fail)))
        ledger.later()
        entries += ledger.record(2)

    ledger.run()

    assert sealed_keys(ledger.leaves()) == keys_of(entries)


@pytest.mark.parametrize("sealers", range(2, 9))
def test_sealers_that_race_seal_each_entry_once(sealers: int, ledger: SealedLedger) -> None:
    """All of them stage the same batch, and come to the lock together."""
    at_the_lock = threading.Barrier(sealers)
    waited = threading.local()

    def meet(_: int, label: str) -> None:
        if label == "update_item" and not getattr(waited, "met", False):
            waited.met = True
            at_the_lock.wait(timeout=60)

    entries = ledger.record(300)
    ledger.run()
    ledger.later()
    entries += ledger.record(30)
    with ThreadPoolExecutor(sealers) as threads:
        racing = [ledger.new_sealer(Calls(before=meet)) for _ in range(sealers)]
        done = [*threads.map(ledger.run, racing)]

    assert [each["sealed"] for each in done if each["sealed"]] == [30]
    # The key has signed nothing but committed trees.
    signed = {text.split(b"\n")[1]: text for text in ledger.kms.signed}
    assert {*ledger.kms.signed} == {*signed.values()}
    assert [*signed] == [b"0", b"300", b"330"]
    ledger.later()
    ledger.run()
    assert sealed_keys(ledger.leaves()) == keys_of(entries)


def test_a_slow_sealer_never_rewinds_the_checkpoint(ledger: SealedLedger) -> None:
    """It comes to publish a tree when another sealer has already published the next one."""
    entries = ledger.record(3)
    ledger.run()
    ledger.later()
    entries += ledger.record(3)

    def overtake(_: int, label: str) -> None:
        if label == "put_object checkpoint":
            ledger.later()
            entries.extend(ledger.record(3))
            ledger.run(ledger.new_sealer())

    slow = Calls(before=overtake)
    overtaken = ledger.new_sealer(slow)
    slow.before = lambda number, label: overtake(number, label) if slow.made.count(label) == 1 else None
    ledger.run(overtaken)

    assert len(ledger.leaves()) == 9
    assert sealed_keys(ledger.leaves()) == keys_of(entries)


@pytest.mark.parametrize("lag", [timedelta(seconds=40), timedelta(seconds=100)])
def test_a_time_index_that_lags_and_forgets_again(lag: timedelta, ledger: SealedLedger) -> None:
    """An eventually consistent index may show an entry late, and not show what it showed before."""
    dice = random.Random(14)  # noqa: S311

    def lagging(name: str, answer: Any) -> Any:
        if name == "query":
            newest = format_time(ledger.now - lag)
            answer["Items"] = [
                item for item in answer["Items"] if item[schema.RECORDED]["S"] < newest or dice.random() < 0.5
            ]
        return answer

    entries: list[Entry] = []
    for _ in range(12):
        entries += ledger.record(5, ago=timedelta(seconds=35))
        ledger.run(ledger.new_sealer(Calls(changed=lagging)))
        ledger.later(timedelta(seconds=20))
    ledger.later()
    ledger.run()

    assert sorted(sealed_keys(ledger.leaves())) == sorted(keys_of(entries))
