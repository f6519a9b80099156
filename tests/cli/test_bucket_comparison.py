from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from cli.errors import BillEError
from cli.operator.bucket_comparison import SLOWEST_BYTES_PER_SECOND, BucketComparison
from cli.operator.consistency import read_entry
from cli.operator.findings import State
from cli.operator.inventory import ledger_items, listed_versions
from cli.operator.temporary_database import temporary_database
from functions.contract import schema
from functions.contract.entry import Entry, ObjectVersion, Outcome, Reason, format_time
from functions.reconciliation.inventory import StoredVersion
from tests.cli.conftest import small_database
from tests.cli.operated_stack import SHARDS, entry_of

START = datetime(2026, 11, 20, 12, tzinfo=UTC)


def stored(key: str, version_id: str = "v1", minute: int = 0) -> StoredVersion:
    return StoredVersion(key=key, version_id=version_id, size_bytes=1, modified=at(minute))


def entry(key: str, version_id: str = "v1", *, bucket: str = "b", minute: int = 0, **changes: Any) -> Entry:
    version = ObjectVersion(bucket=bucket, key=key, version_id=version_id)
    return entry_of(version, **{"uploaded_at": moment(minute), "size_bytes": 1, **changes})


def moment(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


def at(minute: int) -> str:
    return format_time(moment(minute))


@pytest.fixture
def comparison() -> Iterator[BucketComparison]:
    with temporary_database() as database:
        yield BucketComparison(database, "b", "in/")


def test_version_without_entry_is_unrecorded_and_another_version_of_the_key_does_not_count(
    comparison: BucketComparison,
) -> None:
    comparison.add_versions([stored("in/a", "v1"), stored("in/a", "v2"), stored("in/b", "v1")])
    comparison.add_entries([entry("in/a", "v2"), entry("in/b", "v1")])
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
    comparison.add_entries([entry("in/a", bucket="other"), entry("out/a"), entry("in", bucket="other")])
    comparison.compare()

    assert comparison.count_unrecorded() == 1
    assert comparison.findings.count(State.UNKNOWN) == 0
    assert comparison.entries_by_bucket == {"other": 2, "b": 1}


def test_entry_without_version_is_unknown_unless_it_says_so_itself_or_is_too_young(
    comparison: BucketComparison,
) -> None:
    comparison.add_entries(
        [
            entry("in/deleted", minute=1),
            entry("in/rejected", minute=0, reason=Reason.EMPTY),
            entry("in/gone", reason=Reason.OBJECT_MISSING),
            entry("in/uploaded-since", minute=30),
        ]
    )
    comparison.compare()

    unknown = comparison.findings.all(State.UNKNOWN, end=at(30))
    assert [one.key for one in unknown] == ["in/rejected", "in/deleted"]
    assert (comparison.findings.count(State.UNKNOWN, end=at(30)), comparison.count_gone()) == (2, 1)


def duplicate_of(first: Entry, key: str, minute: int = 0, **changes: Any) -> Entry:
    kind = {"outcome": Outcome.DUPLICATE, "duplicate_of": first.upload.version}
    return entry(key, minute=minute, **{"fingerprint": first.fingerprint, **kind, **changes})


LOST, LATER, NEWEST = (entry("in/lost", minute=1), "in/later", "in/newest")


@pytest.mark.parametrize(
    ("present", "more", "unbacked"),
    [
        ([], [], 1),
        ([], [duplicate_of(LOST, LATER, minute=2)], 2),
        (["in/lost"], [], 0),
        ([LATER], [duplicate_of(LOST, LATER, minute=2)], 0),
        ([NEWEST], [duplicate_of(LOST, LATER), duplicate_of(LOST, NEWEST, restores=True)], 0),
        (["in/other"], [entry("in/other")], 1),
        ([], [entry("in/gone", reason=Reason.OBJECT_MISSING)], 1),
        ([], [entry("out/gone", reason=Reason.OBJECT_MISSING)], 1),
        ([], [duplicate_of(LOST, LATER, minute=30)], 0),
        ([], [duplicate_of(LOST, "out/later")], 0),
        ([], [duplicate_of(LOST, LATER, bucket="former")], 0),
    ],
    ids=[
        *("alone", "with a duplicate", "there", "with a duplicate that is there", "restored"),
        *(
            "beside another",
            "beside an unread one",
            "with one elsewhere",
            "uploaded since",
            "elsewhere",
            "in another bucket",
        ),
    ],
)
def test_receipt_is_unbacked_if_no_version_with_its_bytes_is_there(
    comparison: BucketComparison, present: list[str], more: list[Entry], unbacked: int
) -> None:
    comparison.add_versions([stored(key) for key in present])
    comparison.add_entries([LOST, *more])
    comparison.compare()

    found = list(comparison.findings.all(State.UNBACKED, end=at(30)))
    assert [(one.key, one.fingerprint) for one in found] == [("in/lost", LOST.fingerprint)] * min(unbacked, 1)
    assert [one.uploaded_at for one in found] == [at(unbacked)] * min(unbacked, 1)
    assert comparison.findings.count(State.UNBACKED, end=at(30)) == len(found)


def test_what_is_elsewhere_or_no_receipt_is_never_unbacked(comparison: BucketComparison) -> None:
    rejected = entry("in/b", reason=Reason.UNSUPPORTED_TYPE, fingerprint="0" * 64)
    comparison.add_entries([entry("out/a"), entry("in/a", bucket="former"), rejected])
    comparison.compare()

    assert comparison.findings.count(State.UNBACKED) == 0


@pytest.mark.parametrize(("minute", "differs"), [(0, 0), (15, 0), (16 + 33, 1), (15 + 33, 0), (-1, 1)])
def test_event_comes_no_later_than_a_slow_upload_of_that_size_takes(
    comparison: BucketComparison, minute: int, differs: int
) -> None:
    size = 2000 * SLOWEST_BYTES_PER_SECOND
    comparison.add_versions([replace(stored("in/a"), size_bytes=size)])
    comparison.add_entries([entry("in/a", minute=minute, size_bytes=size)])
    comparison.compare()

    assert comparison.findings.count(State.DIFFERS) == differs


def test_version_that_s3_can_overwrite_confirms_only_that_it_is_there(comparison: BucketComparison) -> None:
    comparison.add_versions([stored("in/a", "null", minute=30)])
    comparison.add_entries([entry("in/a", "null", reason=Reason.UNVERSIONED, size_bytes=2)])
    comparison.compare()

    assert comparison.count_unrecorded() == 0
    assert sum(comparison.findings.count(state) for state in State) == 0


def test_version_with_two_entries_is_repeated(comparison: BucketComparison) -> None:
    comparison.add_versions([stored("in/a"), stored("in/b")])
    comparison.add_entries([entry("in/a"), entry("in/b"), entry("in/a", reason=Reason.OBJECT_MISSING)])
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


COUNT, PAGE = 100_000, 250
EVERY_HUNDREDTH = 100


class ManyVersions:
    """S3 and DynamoDB with 100,000 object versions, of which every hundredth has no entry."""

    def list_object_versions(self, *, KeyMarker: str = "0", **_: str) -> dict[str, Any]:  # noqa: N803
        first = int(KeyMarker)
        versions = [
            {
                "Key": key(number),
                "VersionId": version_id(number),
                "ETag": "0",
                "Size": 1,
                "LastModified": START,
            }
            for number in range(first, first + PAGE)
        ]
        more = first + PAGE < COUNT
        return {
            "Versions": versions,
            "ResponseMetadata": {},
            "IsTruncated": more,
            **({"NextKeyMarker": f"{first + PAGE}"} if more else {}),
        }

    def scan(self, **query: Any) -> dict[str, Any]:
        start = query.get("ExclusiveStartKey", query["Segment"])
        numbers = range(start, min(start + PAGE, COUNT), query["TotalSegments"])
        items = [item(number) for number in numbers if number % EVERY_HUNDREDTH]
        more = {"LastEvaluatedKey": start + PAGE} if start + PAGE < COUNT else {}
        return {"Items": items, **more}


def item(number: int) -> Any:
    """An entry, which is a duplicate if its number ends in 9."""
    receipt = entry(key(number), version_id(number))
    if number % 10 == 9:
        first = entry(key(number - 1), version_id(number - 1))
        receipt = replace(
            receipt,
            outcome=Outcome.DUPLICATE,
            fingerprint=first.fingerprint,
            duplicate_of=first.upload.version,
        )
    return schema.to_item(receipt, SHARDS)


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
        for items in ledger_items(many, "ledger"):
            comparison.add_entries(map(read_entry, items))
        comparison.compare()
        missing = sum(1 for _ in comparison.unrecorded())
        wrong = sum(comparison.findings.count(state) for state in State)

    # As objects, both sides would take some 50 MB.
    assert (missing, wrong) == (COUNT // EVERY_HUNDREDTH, 0)
