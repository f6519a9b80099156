from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.contract import schema
from functions.contract.entry import CLOCK_SKEW, Entry, Outcome, format_time
from functions.ledger.listing import LARGEST_READ, READ_BUDGET, Filters, IndexRead, Page, list_newest
from functions.ledger.store import LedgerStore
from functions.ledger.time_index import TimeIndex
from tests.functions.examples import entry
from tests.functions.fake_time_index import FakeTimeIndex, newest_first

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.functions.account import LedgerTable

NOW = datetime(2027, 3, 15, 12, 0, tzinfo=UTC)
FIRST = datetime(2026, 11, 1, tzinfo=UTC)
ALL = Filters()


def listed(index: Any, **options: Any) -> Page:
    defaults: dict[str, Any] = {"filters": ALL, "limit": 50, "place": None}
    return list_newest(index.read, shards=index.shards, now=NOW, **defaults | options)


def pages_of(index: Any, **options: Any) -> Iterator[Page]:
    return walk(lambda place: listed(index, place=place, **options))


def walk(page_at: Callable[[str | None], Page]) -> Iterator[Page]:
    place = None
    for _ in range(10_000):
        page = page_at(place)
        yield page
        if page.next_place is None:
            return
        assert place is None or page.next_place < place, "a walk must move on"
        place = page.next_place
    pytest.fail("the walk doesn't end")


def entries_of(pages: Iterator[Page]) -> list[Entry]:
    return [each for page in pages for each in page.entries]


def passing(entries: Sequence[Entry], filters: Filters) -> list[Entry]:
    return newest_first(
        each
        for each in entries
        if filters.outcome in (None, each.outcome)
        and (filters.since is None or each.recorded_at >= filters.since)
        and (filters.until is None or each.recorded_at < filters.until)
    )


# Few different times, so that many entries share one; also the ends of months, and a month without entries.
MOMENTS = [
    FIRST,
    datetime(2026, 11, 30, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(2026, 12, 1, tzinfo=UTC),
    datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(2027, 1, 1, tzinfo=UTC),
    datetime(2027, 3, 1, tzinfo=UTC),
    NOW - timedelta(microseconds=1),
    NOW,
]
TIMES = st.sampled_from(MOMENTS) | st.datetimes(
    FIRST.replace(tzinfo=None), NOW.replace(tzinfo=None), timezones=st.just(UTC)
)


@st.composite
def ledgers(draw: st.DrawFn) -> list[Entry]:
    rows = draw(st.lists(st.tuples(TIMES, st.sampled_from(Outcome)), max_size=60))
    return [entry(f"receipt-{number}", moment, outcome) for number, (moment, outcome) in enumerate(rows)]


def in_turns(runs: Sequence[tuple[int, int, Outcome]], shards: int) -> list[Entry]:
    """Make entries a second apart, newest first: a number in one shard, then a number in the next."""
    numbers = itertools.count()
    made: list[Entry] = []
    for shard, length, outcome in runs:
        end = len(made) + length
        while len(made) < end:
            each = entry(f"receipt-{next(numbers)}", NOW - len(made) * timedelta(seconds=1), outcome)
            if schema.shard_of(each.upload.version, shards) == shard % shards:
                made.append(each)
    return made


FILTERS = st.builds(
    Filters,
    outcome=st.none() | st.sampled_from(Outcome),
    since=st.none() | TIMES,
    until=st.none() | TIMES,
)


class TestWalk:
    @given(
        entries=ledgers(),
        filters=FILTERS,
        shards=st.integers(1, 9),
        limit=st.integers(1, 20),
        read_budget=st.integers(1, 10) | st.integers(11, 40),
    )
    def test_every_entry_comes_once_and_newest_first_in_pages_of_bounded_cost(
        self, entries: list[Entry], filters: Filters, shards: int, limit: int, read_budget: int
    ) -> None:
        index = FakeTimeIndex(shards, entries)
        shown: list[Entry] = []

        for page in pages_of(index, filters=filters, limit=limit, read_budget=read_budget):
            shown += page.entries
            assert len(page.entries) <= limit
            assert len(index.reads) < read_budget + shards, "the budget, and the round under way"
            index.rounds.clear()

        assert shown == passing(entries, filters)

    @given(
        runs=st.lists(st.tuples(st.integers(0, 4), st.integers(1, 40), st.sampled_from(Outcome)), max_size=6),
        outcome=st.none() | st.just(Outcome.ACCEPTED),
        shards=st.integers(1, 5),
        limit=st.integers(1, 30),
        read_budget=st.integers(1, 6),
    )
    def test_every_entry_comes_once_when_shards_are_filled_in_turns(
        self,
        runs: list[tuple[int, int, Outcome]],
        outcome: Outcome | None,
        shards: int,
        limit: int,
        read_budget: int,
    ) -> None:
        entries = in_turns(runs, shards)
        index, filters = FakeTimeIndex(shards, entries), Filters(outcome=outcome)

        pages = pages_of(index, filters=filters, limit=limit, read_budget=read_budget)

        assert entries_of(pages) == passing(entries, filters)

    def test_entry_is_held_back_while_another_shard_may_hold_newer_ones(self) -> None:
        entries = in_turns([(0, 100, Outcome.ACCEPTED), (1, 100, Outcome.ACCEPTED)], shards=2)
        index = FakeTimeIndex(2, entries)

        page = listed(index, limit=50, read_budget=2)

        assert 0 < len(page.entries) < 50
        assert page.entries == newest_first(entries)[: len(page.entries)]
        assert page.next_place is not None

    @given(entries=ledgers(), limits=st.lists(st.integers(1, 7), min_size=1), shards=st.integers(1, 5))
    def test_page_size_may_change_between_pages(
        self, entries: list[Entry], limits: list[int], shards: int
    ) -> None:
        index = FakeTimeIndex(shards, entries)
        sizes = itertools.cycle(limits)

        pages = walk(lambda place: listed(index, limit=next(sizes), place=place))

        assert entries_of(pages) == newest_first(entries)

    @given(entries=ledgers(), limit=st.integers(1, 5))
    def test_entries_recorded_meanwhile_belong_before_the_first_page(
        self, entries: list[Entry], limit: int
    ) -> None:
        index = FakeTimeIndex(3, entries)
        recorded_later: list[Entry] = []

        def record_and_list(place: str | None) -> Page:
            if place is not None:
                late = entry(f"late-{len(recorded_later)}", NOW + timedelta(seconds=1 + len(recorded_later)))
                recorded_later.append(late)
                index.add(late)
            return listed(index, limit=limit, place=place)

        assert entries_of(walk(record_and_list)) == newest_first(entries)
        assert entries_of(pages_of(index, limit=limit)) == newest_first([*entries, *recorded_later])

    def test_full_last_page_is_the_last(self) -> None:
        index = FakeTimeIndex(2, [entry(f"receipt-{number}", NOW) for number in range(4)])

        assert listed(index, limit=4).next_place is None
        assert listed(index, limit=3).next_place is not None

    def test_empty_ledger_is_one_empty_page(self) -> None:
        assert listed(FakeTimeIndex(4)) == Page(entries=[], next_place=None)


class TestBounds:
    def test_from_is_included_and_to_is_not(self) -> None:
        noon = datetime(2026, 12, 5, 12, tzinfo=UTC)
        before, at, after = (entry(name, noon + timedelta(microseconds=n)) for n, name in enumerate("abc"))
        index = FakeTimeIndex(2, [before, at, after])

        page = listed(index, filters=Filters(since=noon, until=noon + timedelta(microseconds=2)))

        assert page.entries == [at, before]

    @pytest.mark.parametrize(
        "filters",
        [
            Filters(until=FIRST),
            Filters(until=datetime(1, 1, 1, tzinfo=UTC)),
            Filters(since=NOW + timedelta(days=1)),
            Filters(since=datetime(9999, 12, 31, tzinfo=UTC)),
        ],
    )
    def test_nothing_is_read_for_times_outside_the_ledger(self, filters: Filters) -> None:
        index = FakeTimeIndex(4, [entry("receipt", NOW)])

        assert listed(index, filters=filters) == Page(entries=[], next_place=None)
        assert index.reads == []

    @pytest.mark.parametrize("filters", [ALL, Filters(until=datetime(9999, 12, 31, tzinfo=UTC))])
    def test_no_month_is_read_before_the_first_release_or_after_now(self, filters: Filters) -> None:
        index = FakeTimeIndex(1)

        listed(index, filters=filters)

        assert [read.partition for read in index.reads] == [
            f"{month}#0" for month in ("2027-03", "2027-02", "2027-01", "2026-12", "2026-11")
        ]

    @pytest.mark.parametrize("place", [None, "9999-12-31T23:59:59.999999Z"], ids=["top", "in the future"])
    def test_entry_of_a_writer_whose_clock_is_ahead_is_listed(self, place: str | None) -> None:
        ahead = entry("receipt", NOW + CLOCK_SKEW - timedelta(seconds=1))

        assert listed(FakeTimeIndex(2, [ahead]), place=place).entries == [ahead]


def spread(count: int, every: timedelta = timedelta(seconds=1)) -> list[Entry]:
    return [entry(f"receipt-{number}", NOW - number * every) for number in range(count)]


class TestCost:
    """The cost of a page depends on what it shows, and not on the size of the ledger."""

    @pytest.mark.parametrize("limit", [1, 50, 200])
    def test_page_of_a_large_ledger_costs_no_more_than_of_a_small_one(self, limit: int) -> None:
        shards = 4
        index = FakeTimeIndex(shards, spread(4000))
        place = None
        for _ in range(5):
            index.rounds.clear()
            page = listed(index, limit=limit, place=place)
            place = page.next_place

            assert len(page.entries) == limit
            assert len(index.reads) <= 2 * shards
            assert index.examined <= 3 * limit + 8 * shards

    def test_first_page_is_mostly_one_round(self) -> None:
        index = FakeTimeIndex(4, spread(1000))

        listed(index, limit=50)

        assert len(index.rounds) <= 2
        assert len(index.rounds[0]) == 4

    def test_only_shards_that_lag_are_read_again(self) -> None:
        shards = 4
        in_one_shard = [each for each in spread(400) if schema.shard_of(each.upload.version, shards) == 2]
        index = FakeTimeIndex(shards, in_one_shard)

        page = listed(index, limit=60)

        assert page.entries == newest_first(in_one_shard)[:60]
        assert len(index.rounds[0]) == shards
        assert all([read.partition for read in made] == ["2027-03#2"] for made in index.rounds[1:])

    def test_rare_outcome_is_searched_in_growing_steps_until_the_budget_ends(self) -> None:
        shards = 4
        index = FakeTimeIndex(shards, spread(9_000))

        page = listed(index, filters=Filters(outcome=Outcome.REJECTED), limit=10)

        assert page.entries == []
        assert page.next_place is not None
        assert READ_BUDGET <= len(index.reads) < READ_BUDGET + shards
        limits = [read.limit for read in index.reads]
        assert limits == sorted(limits)
        assert max(limits) == LARGEST_READ

    def test_empty_months_are_skipped_within_the_budget(self) -> None:
        old = entry("receipt", FIRST)
        index = FakeTimeIndex(4, [old])

        first = listed(index, read_budget=8)
        second = listed(index, place=first.next_place)

        assert first == Page(entries=[], next_place="2027-02-01T00:00:00.000000Z")
        assert second == Page(entries=[old], next_place=None)


class TestInDynamoDB:
    SHARDS = 3

    @pytest.fixture
    def entries(self, ledger_table: LedgerTable) -> list[Entry]:
        outcomes = (Outcome.ACCEPTED, Outcome.ACCEPTED, Outcome.REJECTED)
        every = timedelta(hours=30)
        made = [
            entry(f"receipt-{number}", NOW - number // 2 * every, outcomes[number % 3])
            for number in range(50)
        ]
        store = LedgerStore(ledger_table.client, ledger_table.name, self.SHARDS)
        for each in made:
            store.record(each)
        return made

    @pytest.fixture
    def index(self, ledger_table: LedgerTable) -> Any:
        read = TimeIndex(ledger_table.client, ledger_table.name).read
        return SimpleNamespace(read=read, shards=self.SHARDS)

    @pytest.mark.parametrize(
        "filters",
        [
            ALL,
            Filters(outcome=Outcome.REJECTED),
            Filters(outcome=Outcome.DUPLICATE),
            Filters(since=NOW - timedelta(days=25), until=NOW - timedelta(days=5)),
        ],
    )
    def test_walk_gives_every_entry_once_and_newest_first(
        self, index: Any, entries: list[Entry], filters: Filters
    ) -> None:
        for limit in (7, 200):
            shown = entries_of(pages_of(index, filters=filters, limit=limit))
            assert shown == passing(entries, filters), limit

    def test_fake_index_does_what_dynamodb_does(self, index: Any, entries: list[Entry]) -> None:
        fake = FakeTimeIndex(self.SHARDS, entries)
        # No partition has exactly that many. If one did, DynamoDB would give a last key, and moto gives none.
        for limit, outcome in itertools.product([1, 3, 250], [None, Outcome.REJECTED, Outcome.DUPLICATE]):
            reads = [
                IndexRead(
                    partition=schema.month_shard(month, shard),
                    lower=format_time(NOW - timedelta(days=25)),
                    upper=format_time(NOW - timedelta(days=5)),
                    limit=limit,
                    outcome=outcome,
                )
                for month in ("2027-03", "2027-02", "2026-12")
                for shard in range(self.SHARDS)
            ]

            assert index.read(reads) == fake.read(reads), (limit, outcome)

    def test_error_of_one_query_is_the_error_of_the_page(self, ledger_table: LedgerTable) -> None:
        read_index = TimeIndex(ledger_table.client, "another-table").read

        with pytest.raises(ledger_table.client.exceptions.ResourceNotFoundException):
            list_newest(read_index, shards=3, filters=ALL, limit=1, place=None, now=NOW)
