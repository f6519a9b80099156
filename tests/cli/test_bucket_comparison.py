from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from cli.errors import BillEError
from cli.operator.bucket_comparison import BucketComparison
from cli.operator.inventory import LedgerLine, StoredVersion, ledger_lines, listed_versions
from cli.operator.temporary_database import temporary_database
from functions.contract.entry import format_time
from tests.cli.conftest import small_database

START = datetime(2026, 11, 20, 12, tzinfo=UTC)


def stored(key: str, version_id: str = "v1", minute: int = 0) -> StoredVersion:
    return StoredVersion(key=key, version_id=version_id, size_bytes=1, modified=at(minute))


def line(
    key: str, version_id: str = "v1", *, bucket: str = "b", minute: int = 0, reason: str | None = None
) -> LedgerLine:
    return LedgerLine(bucket=bucket, key=key, version_id=version_id, uploaded_at=at(minute), reason=reason)


def at(minute: int) -> str:
    return format_time(START + timedelta(minutes=minute))


@pytest.fixture
def comparison() -> Iterator[BucketComparison]:
    with temporary_database() as database:
        yield BucketComparison(database, "b", "in/")


def test_version_without_entry_is_unrecorded_and_another_version_of_the_key_does_not_count(
    comparison: BucketComparison,
) -> None:
    comparison.add_versions([stored("in/a", "v1"), stored("in/a", "v2"), stored("in/b", "v1")])
    comparison.add_lines([line("in/a", "v2"), line("in/b", "v1")])
    comparison.compare()

    assert list(comparison.unrecorded()) == [stored("in/a", "v1")]
    assert (comparison.count_versions(), comparison.count_unrecorded()) == (3, 1)


def test_unrecorded_versions_come_oldest_first_within_a_time_that_excludes_its_end(
    comparison: BucketComparison,
) -> None:
    comparison.add_versions([stored(f"in/{minute}", minute=minute) for minute in (5, 3, 9, 4)])
    comparison.compare()

    chosen = list(comparison.unrecorded(start=at(4), end=at(9)))

    assert [one.key for one in chosen] == ["in/4", "in/5"]
    assert comparison.count_unrecorded(start=at(4), end=at(9)) == 2
    assert [one.key for one in comparison.unrecorded()] == ["in/3", "in/4", "in/5", "in/9"]


def test_entries_of_other_buckets_and_prefixes_are_counted_but_record_nothing(
    comparison: BucketComparison,
) -> None:
    comparison.add_versions([stored("in/a")])
    comparison.add_lines([line("in/a", bucket="other"), line("out/a"), line("in", bucket="other")])
    comparison.compare()

    assert comparison.count_unrecorded() == 1
    assert comparison.count_unknown(end=at(1)) == 0
    assert comparison.entries_by_bucket == {"other": 2, "b": 1}


def test_entry_without_version_is_unknown_unless_it_says_so_itself_or_is_too_young(
    comparison: BucketComparison,
) -> None:
    comparison.add_lines(
        [
            line("in/deleted", minute=1),
            line("in/rejected", minute=0, reason="empty"),
            line("in/gone", reason="object_missing"),
            line("in/uploaded-since", minute=30),
        ]
    )
    comparison.compare()

    assert [one.key for one in comparison.unknown(end=at(30))] == ["in/rejected", "in/deleted"]
    assert (comparison.count_unknown(end=at(30)), comparison.count_gone()) == (2, 1)


def test_version_with_two_entries_is_repeated(comparison: BucketComparison) -> None:
    comparison.add_versions([stored("in/a"), stored("in/b")])
    comparison.add_lines([line("in/a"), line("in/b"), line("in/a", reason="object_missing")])
    comparison.compare()

    assert [(one.key, one.entries) for one in comparison.repeated()] == [("in/a", 2)]
    assert comparison.count_unrecorded() == 0


def test_no_room_for_the_temporary_file_is_one_sentence() -> None:
    with pytest.raises(BillEError, match="SQLITE_TMPDIR"):
        load_into_too_little_room()


def load_into_too_little_room() -> None:
    with temporary_database() as database:
        full = BucketComparison(database, "b", "")
        database.execute("PRAGMA max_page_count = 10")
        full.add_versions(stored(f"{number:0500}") for number in range(1000))


COUNT, PAGE = 100_000, 1000
EVERY_HUNDREDTH = 100


class ManyVersions:
    """S3 and DynamoDB with 100,000 object versions, of which every hundredth has no entry."""

    def get_paginator(self, operation: str) -> ManyVersions:
        assert operation == "list_object_versions"
        return self

    def paginate(self, **_: str) -> Iterator[dict[str, Any]]:
        for first in range(0, COUNT, PAGE):
            versions = [
                {"Key": key(number), "VersionId": version_id(number), "Size": 1, "LastModified": START}
                for number in range(first, first + PAGE)
            ]
            yield {"Versions": versions, "ResponseMetadata": {}}

    def scan(self, **query: Any) -> dict[str, Any]:
        start = query.get("ExclusiveStartKey", query["Segment"])
        numbers = range(start, min(start + PAGE, COUNT), query["TotalSegments"])
        items = [
            {
                "entry": {"S": "RECEIPT"},
                "outcome": {"S": "ACCEPTED"},
                "bucket": {"S": "b"},
                "key": {"S": key(number)},
                "version_id": {"S": version_id(number)},
                "uploaded_at": {"S": "2026-11-20T12:00:00.000000Z"},
            }
            for number in numbers
            if number % EVERY_HUNDREDTH
        ]
        more = {"LastEvaluatedKey": start + PAGE} if start + PAGE < COUNT else {}
        return {"Items": items, **more}


def key(number: int) -> str:
    return f"receipts/2026/11/a-name-of-some-length-{number:08}.png"


def version_id(number: int) -> str:
    return f"{number:032}"


def test_memory_does_not_grow_with_the_number_of_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = cast("Any", ManyVersions())
    # As `bill-e reconcile --help` says.
    with small_database(tmp_path, monkeypatch, file_bytes=COUNT * 1000) as database:
        comparison = BucketComparison(database, "b", "")
        for page in listed_versions(many, "b", ""):
            comparison.add_versions(page.versions)
        for lines in ledger_lines(many, "ledger"):
            comparison.add_lines(lines)
        comparison.compare()
        missing = sum(1 for _ in comparison.unrecorded())

    # As objects, both sides would take some 50 MB.
    assert missing == COUNT // EVERY_HUNDREDTH
