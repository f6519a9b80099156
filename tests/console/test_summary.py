"""The overview counts what the ledger has, a page at a time, and each entry once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cli.console import summary
from cli.console.summary import Summary
from functions.contract.entry import format_time
from tests.cli.conftest import api_of
from tests.cli.fake_stack import FakeStack, entry
from tests.console.served import Served

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def entry_at(moment: datetime, **members: Any) -> dict[str, Any]:
    return entry(recorded_at=format_time(moment), version_id=format_time(moment), **members)


@pytest.fixture
def counted(stack: FakeStack) -> Iterator[Summary]:
    with api_of(stack) as api:
        yield Summary(api, lambda: NOW)


def numbers(counts: dict[str, Any]) -> dict[tuple[str, str, str | None], int]:
    return {(one["day"], one["outcome"], one["reason"]): one["entries"] for one in counts["outcomes"]}


def test_entries_are_counted_by_day_and_outcome_and_duplicates_by_uploader(
    stack: FakeStack, counted: Summary
) -> None:
    by_erika = {"principal": "AWS:ERIKA", "source_ip": None, "via": "put", "caller": None}
    by_token = {
        **by_erika,
        "via": "form",
        "caller": {"principal": None, "issuer": "https://id.example", "subject": "jonas"},
    }
    resent = {**by_erika, "principal": None, "via": None}
    stack.entries += [
        entry_at(NOW, outcome="DUPLICATE", uploader=by_token),
        entry_at(NOW - timedelta(minutes=1), outcome="DUPLICATE", uploader=by_erika),
        entry_at(NOW - timedelta(minutes=2), outcome="DUPLICATE", uploader=by_erika),
        entry_at(NOW - timedelta(minutes=3), outcome="DUPLICATE", uploader=resent),
        entry_at(NOW - timedelta(days=1), outcome="REJECTED", reason="empty"),
        entry_at(NOW - timedelta(days=1, minutes=1)),
        entry_at(NOW - timedelta(days=2), outcome="DUPLICATE", uploader=by_token),
    ]

    counts = counted.of_days(2)

    assert numbers(counts) == {
        ("2026-11-19", "ACCEPTED", None): 1,
        ("2026-11-19", "REJECTED", "empty"): 1,
        ("2026-11-20", "DUPLICATE", None): 4,
    }
    assert counts["duplicates"] == [
        {"uploader": "AWS:ERIKA", "entries": 2},
        {"uploader": "jonas of https://id.example", "entries": 1},
        {"uploader": None, "entries": 1},
    ]
    assert (counts["complete"], counts["since"]) == (True, "2026-11-19")


def test_what_comes_later_is_counted_once_even_if_it_shows_up_late(
    stack: FakeStack, counted: Summary
) -> None:
    first, second = NOW - timedelta(minutes=10), NOW - timedelta(minutes=8)
    stack.entries += [entry_at(second), entry_at(first)]
    assert sum(numbers(counted.of_days(1)).values()) == 2

    late = entry_at(second - timedelta(seconds=100), key="late.png")
    same_time = entry_at(second, key="same time.png")
    stack.entries = [entry_at(NOW), same_time, entry_at(second), late, entry_at(first)]

    assert [sum(numbers(counted.of_days(1)).values()) for _ in range(2)] == [5, 5]


def test_more_than_a_page_can_come_between_two_visits(stack: FakeStack, counted: Summary) -> None:
    stack.entries += [entry_at(NOW - timedelta(hours=1))]
    counted.of_days(1)
    stack.entries[:0] = [entry_at(NOW - timedelta(seconds=number)) for number in range(450)]

    assert numbers(counted.of_days(1)) == {("2026-11-20", "ACCEPTED", None): 451}


def test_a_visit_asks_for_the_newest_page_alone(stack: FakeStack, counted: Summary) -> None:
    stack.entries += [entry_at(NOW - timedelta(minutes=number)) for number in range(600)]
    counted.of_days(1)
    stack.requests.clear()

    counted.of_days(1)

    assert stack.requests == ["GET /receipts?limit=200"]


def test_an_empty_ledger_is_counted_from_its_first_entry(stack: FakeStack, counted: Summary) -> None:
    assert numbers(counted.of_days(30)) == {}
    stack.entries.append(entry_at(NOW))

    assert numbers(counted.of_days(30)) == {("2026-11-20", "ACCEPTED", None): 1}


def test_a_long_past_is_counted_bit_by_bit(
    stack: FakeStack, counted: Summary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summary, "PAGES_AT_ONCE", 2)
    stack.entries += [entry_at(NOW - timedelta(minutes=number)) for number in range(1_100)]

    first, second, third = (counted.of_days(30) for _ in range(3))

    assert [counts["complete"] for counts in (first, second, third)] == [False, False, True]
    assert (first["since"], first["limit_reached"]) == (stack.entries[599]["recorded_at"], False)
    assert sum(numbers(first).values()) == 600
    assert sum(numbers(third).values()) == 1_100


def test_a_past_that_is_too_long_is_said_to_be(
    stack: FakeStack, counted: Summary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summary, "MOST_PAGES", 2)
    stack.entries += [entry_at(NOW - timedelta(minutes=number)) for number in range(500)]

    for _ in range(2):
        counts = counted.of_days(30)
        assert (counts["complete"], counts["limit_reached"]) == (False, True)
        assert sum(numbers(counts).values()) == 400


@pytest.mark.parametrize("days", ["0", "367", "-1", "x", "%C2%B2"])
def test_a_number_of_days_is_needed(page: Served, days: str) -> None:
    assert page.get(f"/api/summary?days={days}").problem == (400, "invalid-request")
