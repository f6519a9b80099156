"""Whatever happens in whatever order, the log ends up with one leaf for each entry."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from functions.contract import schema
from functions.contract.sealing import CHECKPOINT
from tests.functions.sealer.sealed_ledger import (
    OVERLAP,
    SHARDS,
    Calls,
    CrashError,
    SealedLedger,
    keys_of,
    sealed_keys,
)

LATEST = timedelta(hours=3)
"""How late an entry comes to the index at most, so that the first sweep finds it."""


class LogOfALedger(RuleBasedStateMachine):
    """Entries that come in time or late, sealers that crash or overtake each other, and damaged items."""

    @initialize()
    def begin(self) -> None:
        self.ledger = SealedLedger()
        self.entries: list[Any] = []
        self.hidden: set[str] = set()
        self.damaged: list[Any] = []
        self.sealers = [self.ledger.new_sealer(Calls(changed=self._as_the_index_has_it)) for _ in range(2)]

    def _as_the_index_has_it(self, operation: str, answer: Any) -> Any:
        if operation == "query":
            answer["Items"] = [
                item for item in answer["Items"] if item[schema.RECORDED]["S"] not in self.hidden
            ]
        return answer

    @rule(number=st.integers(1, 40), ago=st.timedeltas(timedelta(), OVERLAP))
    def record(self, number: int, ago: timedelta) -> None:
        self.entries += self.ledger.record(number, ago)

    @rule(ago=st.timedeltas(timedelta(), LATEST / 2))
    def record_what_the_index_does_not_show_yet(self, ago: timedelta) -> None:
        made = self.ledger.record(2, ago)
        self.entries += made
        self.hidden |= {*keys_of(made)}

    @rule()
    def show_everything(self) -> None:
        self.hidden.clear()

    @rule()
    def damage_an_item(self) -> None:
        (made,) = self.ledger.record(1)
        item = schema.to_item(made, SHARDS)
        self.damaged.append((made, item))
        self.ledger.put({**item, "outcome": {"S": "PAID"}})

    @rule(by=st.timedeltas(timedelta(seconds=1), timedelta(minutes=5)))
    def wait(self, by: timedelta) -> None:
        self.ledger.later(by)

    @rule(which=st.integers(0, 1), time=st.booleans())
    def seal(self, which: int, time: bool) -> None:
        self.ledger.run(self.sealers[which], may_go_on=time)

    @rule(number=st.integers(0, 30), after=st.booleans())
    def crash(self, number: int, after: bool) -> None:
        def call(made: int, _: str) -> None:
            if made == number:
                raise CrashError

        calls = Calls(changed=self._as_the_index_has_it)
        if after:
            calls.after = call
        else:
            calls.before = call
        with contextlib.suppress(CrashError):
            self.ledger.run(self.ledger.new_sealer(calls, most_leaves=25))

    @rule(number=st.integers(0, 20))
    def overtake(self, number: int) -> None:
        """Another sealer has a whole run while one is at some call."""
        calls = Calls(changed=self._as_the_index_has_it)

        def run_another(made: int, _: str) -> None:
            if made == number:
                self.ledger.run(self.sealers[0])

        calls.before = run_another
        self.ledger.run(self.ledger.new_sealer(calls))

    @invariant()
    def nothing_is_sealed_twice(self) -> None:
        if CHECKPOINT in self.ledger.s3.objects:
            sealed = sealed_keys(self.ledger.leaves())
            assert len(sealed) == len({*sealed})
            assert {*sealed} <= {*keys_of(self.entries)}

    def teardown(self) -> None:
        if not hasattr(self, "ledger"):
            return
        self.hidden.clear()
        for made, item in self.damaged:
            self.ledger.put(item)
            self.entries.append(made)
        for _ in range(12):
            self.ledger.later(timedelta(hours=1))
            self.ledger.run(self.sealers[1])
        assert sorted(sealed_keys(self.ledger.leaves())) == sorted(keys_of(self.entries))


TestLogOfALedger = LogOfALedger.TestCase
TestLogOfALedger.settings = settings(
    max_examples=60,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
