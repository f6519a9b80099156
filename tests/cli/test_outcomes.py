from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from cli.answers import ApiEntry
from cli.caller.api_client import EntryFilter
from cli.caller.outcomes import summarise, wait_for_outcomes
from cli.caller.transfer import AlreadyAccepted, Failed, NotSent, Result, Uploaded
from cli.errors import BillEError, UnavailableError
from functions.contract.entry import format_time
from tests.cli.conftest import api_of
from tests.cli.fake_stack import BUCKET, NOW, Answer, FakeStack, entry, problem


class Clock:
    """Time that passes only by sleeping; something may happen meanwhile."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self.events: list[object] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)
        if self.events:
            event = self.events.pop(0)
            assert callable(event)
            event()


def _upload(key: str, version_id: str | None) -> Uploaded:
    return Uploaded(
        path=Path(key),
        bucket=BUCKET,
        key=key,
        version_id=version_id,
        fingerprint="0" * 64,
        size_bytes=1,
        stored_at=NOW,
    )


def _wait(
    stack: FakeStack, clock: Clock, *uploads: Uploaded, timeout: float = 60
) -> dict[Uploaded, ApiEntry]:
    with api_of(stack) as api:
        return dict(wait_for_outcomes(api, uploads, timeout_seconds=timeout, clock=clock, sleep=clock.sleep))


def test_each_version_of_a_key_gets_its_own_entry(stack: FakeStack) -> None:
    stack.entries = [entry(key="k", version_id="2", outcome="DUPLICATE"), entry(key="k", version_id="1")]
    first, second = _upload("k", "1"), _upload("k", "2")

    found = _wait(stack, Clock(), first, second)

    assert found[first]["outcome"] == "ACCEPTED"
    assert found[second]["outcome"] == "DUPLICATE"


def test_upload_without_known_version_is_matched_by_its_key(stack: FakeStack) -> None:
    stack.entries = [entry(key="uploads/uuid/k", version_id="7")]

    assert len(_wait(stack, Clock(), _upload("uploads/uuid/k", None))) == 1


def test_entries_of_other_uploads_are_not_taken(stack: FakeStack) -> None:
    stack.entries = [entry(key="k", version_id="1"), entry(bucket="other", key="k", version_id="2")]

    assert _wait(stack, Clock(), _upload("k", "2"), timeout=1) == {}


def test_entry_that_comes_late_is_found_and_pauses_grow(stack: FakeStack) -> None:
    clock = Clock()
    clock.events = [lambda: None, lambda: None, lambda: stack.entries.append(entry(key="k", version_id="1"))]

    assert len(_wait(stack, clock, _upload("k", "1"))) == 1
    assert clock.slept == sorted(set(clock.slept))
    assert len(clock.slept) == 3


def test_waiting_ends_at_the_timeout_with_what_was_found(stack: FakeStack) -> None:
    clock = Clock()
    stack.entries = [entry(key="k", version_id="1")]

    found = _wait(stack, clock, _upload("k", "1"), _upload("k", "2"), timeout=30)

    assert [upload.version_id for upload in found] == ["1"]
    assert clock.now <= 30


def test_window_starts_before_the_storages_time_and_then_follows_the_newest_entry(stack: FakeStack) -> None:
    stack.entries = [entry(key="other", recorded_at=format_time(NOW + timedelta(hours=1)))]
    _wait(stack, Clock(), _upload("k", "1"), timeout=1)

    assert stack.requests[0] == "GET /receipts?from=2026-11-20T11%3A55%3A00.000000Z&limit=200"
    assert stack.requests[1] == "GET /receipts?from=2026-11-20T12%3A55%3A00.000000Z&limit=200"


def test_api_that_is_away_for_a_moment_is_asked_again(stack: FakeStack) -> None:
    stack.planned = [("GET /receipts", Answer(500, {"message": "Internal Server Error"}))]
    stack.entries = [entry(key="k", version_id="1")]

    assert len(_wait(stack, Clock(), _upload("k", "1"))) == 1


def test_api_that_stays_away_is_told_at_the_timeout(stack: FakeStack) -> None:
    stack.planned = [("GET /receipts", Answer(500, {"message": "Internal Server Error"}))] * 100

    with pytest.raises(UnavailableError, match="Internal Server Error"):
        _wait(stack, Clock(), _upload("k", "1"))


def test_refusal_is_told_at_once(stack: FakeStack) -> None:
    clock = Clock()
    stack.planned = [("GET /receipts", problem(400, "invalid-parameter", "Refused."))]

    with pytest.raises(BillEError, match="Refused"):
        _wait(stack, clock, _upload("k", "1"))
    assert clock.slept == []


def test_nothing_uploaded_asks_nothing(stack: FakeStack) -> None:
    assert _wait(stack, Clock()) == {}
    assert stack.requests == []


def test_totals_add_up_and_leave_out_what_was_not_uploaded() -> None:
    first, second, third = (_upload(key, "1") for key in "abc")
    receipt: ApiEntry = entry()  # type: ignore[assignment]
    before = AlreadyAccepted(
        path=Path("d"),
        fingerprint="0" * 64,
        size_bytes=1,
        recorded_at="2026-11-20T12:00:00.000000Z",
        key=None,
    )
    failed, left = Failed(path=Path("e"), reason="gone"), NotSent(path=Path("f"))
    results: list[Result] = [first, before, second, failed, third, left]

    totals = summarise(results, {first: receipt, second: {**receipt, "outcome": "REJECTED"}})

    assert totals.sentence() == (
        "3 uploads = 1 accepted + 0 duplicate + 1 rejected + 1 without an outcome yet"
    )
    assert (totals.already_accepted, totals.failed, totals.not_sent) == (1, 1, 1)


def test_query_is_empty_without_filters() -> None:
    assert EntryFilter().parameters() == {}
