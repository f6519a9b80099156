from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.contract import capacity, schema
from functions.contract.entry import (
    CLOCK_SKEW,
    MAX_DETAIL_CHARACTERS,
    Caller,
    ContentFinding,
    Entry,
    ObjectVersion,
    Outcome,
    Reason,
    Upload,
    Uploader,
    Via,
    format_time,
)
from functions.contract.form_metadata import caller_named
from functions.ledger.listing import Filters, IndexRead, Page, list_newest
from functions.ledger.store import LedgerStore
from functions.ledger.time_index import TimeIndex
from functions.upload_forms.request import MAX_KEY_PART_BYTES
from local.in_process.aws import InProcessAws
from local.in_process.dynamodb import ledger_table
from local.in_process.units import item_bytes
from tests.functions.examples import entry
from tests.functions.fake_time_index import FakeTimeIndex, newest_first, passes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.functions.account import LedgerTable

NOW = datetime(2027, 3, 15, 12, 0, tzinfo=UTC)
FIRST = datetime(2026, 11, 1, tzinfo=UTC)
ALL = Filters()
RARE = (
    Filters(outcome=Outcome.REJECTED),
    Filters(finding=ContentFinding.ENCRYPTED),
    Filters(key="no such key"),
)


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
        if passes(filters, each)
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
    findings = st.sets(st.sampled_from(ContentFinding), max_size=2).map(sorted).map(tuple)
    rows = draw(st.lists(st.tuples(TIMES, st.sampled_from(Outcome), findings), max_size=60))
    return [
        entry(f"receipt-{number}", moment, outcome, findings=findings)
        for number, (moment, outcome, findings) in enumerate(rows)
    ]


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
    finding=st.none() | st.sampled_from(ContentFinding),
    key=st.none() | st.sampled_from(["receipt-1", "7"]),
    since=st.none() | TIMES,
    until=st.none() | TIMES,
)


class TestWalk:
    @given(
        entries=ledgers(),
        filters=FILTERS,
        shards=st.integers(1, 9),
        limit=st.integers(1, 20),
        most_units=st.integers(1, 10) | st.integers(11, 40),
    )
    def test_every_entry_comes_once_and_newest_first_in_pages_of_bounded_cost(
        self, entries: list[Entry], filters: Filters, shards: int, limit: int, most_units: int
    ) -> None:
        index = FakeTimeIndex(shards, entries)
        shown: list[Entry] = []

        for page in pages_of(index, filters=filters, limit=limit, most_units=most_units):
            shown += page.entries
            assert len(page.entries) <= limit
            assert index.units <= max(most_units, most_units / 6 + shards / 2), (
                "one entry of each shard is read"
            )
            index.forget_reads()

        assert shown == passing(entries, filters)

    @given(
        runs=st.lists(st.tuples(st.integers(0, 4), st.integers(1, 40), st.sampled_from(Outcome)), max_size=6),
        outcome=st.none() | st.just(Outcome.ACCEPTED),
        shards=st.integers(1, 5),
        limit=st.integers(1, 30),
        most_units=st.integers(1, 6),
    )
    def test_every_entry_comes_once_when_shards_are_filled_in_turns(
        self,
        runs: list[tuple[int, int, Outcome]],
        outcome: Outcome | None,
        shards: int,
        limit: int,
        most_units: int,
    ) -> None:
        entries = in_turns(runs, shards)
        index, filters = FakeTimeIndex(shards, entries), Filters(outcome=outcome)

        pages = pages_of(index, filters=filters, limit=limit, most_units=most_units)

        assert entries_of(pages) == passing(entries, filters)

    def test_entry_is_held_back_while_another_shard_may_hold_newer_ones(self) -> None:
        entries = in_turns([(0, 100, Outcome.ACCEPTED), (1, 100, Outcome.ACCEPTED)], shards=2)
        index = FakeTimeIndex(2, entries)

        page = listed(index, limit=50, most_units=8)

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


def largest_entry(number: int, key_bytes: int = 1_024, caller: Caller | None = None) -> Entry:
    """A duplicate with all that S3 allows: both keys have 1,024 bytes, and both buckets 63."""
    first, again = (
        ObjectVersion(bucket="b" * 63, key=f"{number}{copy}".rjust(length, "k"), version_id="v" * 32)
        for copy, length in (("a", 1_024), ("b", key_bytes))
    )
    return entry(
        "",
        NOW - timedelta(seconds=number + 1),
        Outcome.DUPLICATE,
        upload=Upload(
            version=again,
            uploaded_at=NOW,
            uploader=Uploader(
                principal=f"AWS:AROA{'A' * 17}:{'s' * 64}",
                source_ip="2001:db8:" + "ffff:" * 6,
                via=Via.MULTIPART,
                caller=caller,
            ),
        ),
        duplicate_of=first,
        size_bytes=5 * 2**40,
        findings=tuple(ContentFinding),
    )


class TestCost:
    """The cost of a page depends on what it shows, and not on the size of the ledger."""

    @pytest.mark.parametrize("limit", [1, 50, 200])
    def test_page_of_a_large_ledger_costs_no_more_than_of_a_small_one(self, limit: int) -> None:
        shards = 4
        index = FakeTimeIndex(shards, spread(4000))
        place = None
        for _ in range(5):
            index.forget_reads()
            page = listed(index, limit=limit, place=place)
            place = page.next_place

            assert len(page.entries) == limit
            assert len(index.reads) <= 2 * shards
            assert index.examined <= 1.25 * limit + 12 * shards

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

    @pytest.mark.parametrize("filters", RARE)
    def test_what_is_rare_is_searched_in_growing_steps_until_the_budget_is_spent(
        self, filters: Filters
    ) -> None:
        index = FakeTimeIndex(4, spread(9_000))

        page = listed(index, filters=filters, limit=10)

        assert page.entries == []
        assert page.next_place is not None
        (first, *_), *later = [[read.limit for read in made] for made in index.rounds]
        assert later == [[first * 2**steps] * 4 for steps in range(1, len(later) + 1)] != []
        assert index.units >= capacity.page_units(4) / 6

    @pytest.mark.parametrize("filters", RARE)
    @pytest.mark.parametrize("shards", [1, 4, 64])
    def test_page_for_what_is_rare_costs_about_what_any_page_does(
        self, shards: int, filters: Filters
    ) -> None:
        index = FakeTimeIndex(shards, spread(9_000))
        listed(index)
        usual = index.units
        index.forget_reads()

        listed(index, filters=filters)

        assert index.units <= max(18, usual)

    @pytest.mark.parametrize("shards", [1, 4, 64])
    @pytest.mark.parametrize("limit", [1, 50, 200])
    @pytest.mark.parametrize("filters", [ALL, *(Filters(outcome=outcome) for outcome in Outcome), *RARE])
    @pytest.mark.claim(
        "a page takes a bounded number of read units, however rare the outcome is and however long keys are",
        section="Hostile input",
    )
    def test_page_of_the_longest_entries_stays_in_its_budget(
        self, shards: int, limit: int, filters: Filters
    ) -> None:
        longest = [largest_entry(number) for number in range(600)]
        index = FakeTimeIndex(shards, longest)

        page = listed(index, filters=filters, limit=limit)

        assert index.units <= capacity.page_units(shards)
        assert page.next_place is not None
        if passes(filters, longest[0]):
            assert page.entries == newest_first(longest)[: len(page.entries)] != []

    def test_page_that_gets_to_long_keys_after_short_ones_stays_in_its_budget(self) -> None:
        """No read trusts the size of entries that earlier reads found."""
        for short in range(0, 240, 8):
            entries = [
                *spread(short, timedelta(microseconds=1)),
                *(largest_entry(number) for number in range(600)),
            ]
            index = FakeTimeIndex(4, entries)

            listed(index, filters=Filters(outcome=Outcome.REJECTED), limit=200)

            assert index.units <= capacity.page_units(4), short

    def test_no_entry_is_larger_than_a_read_assumes(self) -> None:
        longest_form_key = "/".join(
            [
                "f" * (capacity.MAX_PREFIX_CHARACTERS - 1),
                "uploads/2027/03/15",
                str(UUID(int=0)),
                "n" * MAX_KEY_PART_BYTES,
            ]
        )
        caller = caller_named({"issuer": "i" * 2_000, "subject": "s" * 2_000})
        damaged = replace(
            largest_entry(0),
            outcome=Outcome.REJECTED,
            reason=Reason.DAMAGED,
            detail="ü" * MAX_DETAIL_CHARACTERS,
            findings=(),
            duplicate_of=None,
        )
        for largest in (largest_entry(0), largest_entry(0, len(longest_form_key), caller), damaged):
            assert item_bytes(schema.to_item(largest, 64)) <= capacity.LARGEST_ENTRY_BYTES

    def test_empty_months_are_skipped_within_the_budget(self) -> None:
        old = entry("receipt", FIRST)
        index = FakeTimeIndex(4, [old])

        first = listed(index, most_units=16)
        second = listed(index, place=first.next_place)

        assert first == Page(entries=[], next_place="2027-02-01T00:00:00.000000Z")
        assert second == Page(entries=[old], next_place=None)


class TestInDynamoDB:
    SHARDS = 3
    UPLOADERS = (
        Uploader(principal="AWS:AROAFORMS:uploads", source_ip=None, caller=Caller(principal="arn:erika")),
        Uploader(
            principal="AWS:AROAFORMS:uploads", source_ip=None, caller=Caller(issuer="https:/i", subject="max")
        ),
        Uploader(principal="AWS:AIDAERIKA", source_ip=None),
        Uploader(principal=None, source_ip=None),
    )

    @pytest.fixture
    def entries(self, ledger_table: LedgerTable) -> list[Entry]:
        outcomes = (Outcome.ACCEPTED, Outcome.ACCEPTED, Outcome.REJECTED)
        every = timedelta(hours=30)
        made = [
            entry(f"receipt-{number}", NOW - number // 2 * every, outcomes[number % 3])
            for number in range(50)
        ]
        made[::7] = [replace(each, findings=tuple(ContentFinding)) for each in made[::7]]
        made[::5] = [
            replace(each, upload=replace(each.upload, uploader=uploader))
            for each, uploader in zip(made[::5], itertools.cycle(self.UPLOADERS), strict=False)
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
            Filters(finding=ContentFinding.ENCRYPTED),
            Filters(outcome=Outcome.ACCEPTED, finding=ContentFinding.TRAILING_DATA),
            Filters(reason=Reason.UNSUPPORTED_TYPE),
            Filters(reason=Reason.DAMAGED),
            Filters(key="receipt-4"),
            Filters(key="RECEIPT"),
            Filters(uploader="erika"),
            Filters(uploader="max"),
            Filters(uploader="https:/i"),
            Filters(uploader="ERIKA"),
            Filters(uploader="AROAFORMS"),
            Filters(text="t-1"),
            Filters(text="max", outcome=Outcome.ACCEPTED),
            Filters(fingerprint=entry("receipt-4", NOW).fingerprint[:8]),  # type: ignore[index]
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
        asked = [ALL, *RARE, Filters(outcome=Outcome.DUPLICATE)]
        for limit, filters in itertools.product([1, 3, 250], asked):
            reads = [
                IndexRead(
                    partition=schema.month_shard(month, shard),
                    lower=format_time(NOW - timedelta(days=25)),
                    upper=format_time(NOW - timedelta(days=5)),
                    limit=limit,
                    contents=filters.contents,
                )
                for month in ("2027-03", "2027-02", "2026-12")
                for shard in range(self.SHARDS)
            ]

            pages = [replace(page, units=0) for page in index.read(reads)]  # moto makes up the units
            assert pages == [replace(page, units=0) for page in fake.read(reads)], (limit, filters)

    @pytest.mark.parametrize("filters", [ALL, *RARE])
    def test_page_counts_the_units_that_dynamodb_charges(self, filters: Filters) -> None:
        fake, table = FakeTimeIndex(4, spread(2_000)), ledger_table()
        for each in spread(2_000):
            table.put(schema.to_item(each, 4))
        aws = InProcessAws({"ledger": table})

        with aws.in_place_of_the_network(), aws.metered() as usage:
            read = TimeIndex(boto3.Session().client("dynamodb"), "ledger").read
            page = listed(SimpleNamespace(read=read, shards=4), filters=filters)

        assert page == listed(fake, filters=filters)
        assert usage.read_units == fake.units

    def test_error_of_one_query_is_the_error_of_the_page(self, ledger_table: LedgerTable) -> None:
        read_index = TimeIndex(ledger_table.client, "another-table").read

        with pytest.raises(ledger_table.client.exceptions.ResourceNotFoundException):
            list_newest(read_index, shards=3, filters=ALL, limit=1, place=None, now=NOW)
