from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from functions.contract import schema
from functions.contract.entry import (
    Caller,
    ContentFinding,
    Entry,
    ObjectVersion,
    Outcome,
    Reason,
    Uploader,
    Via,
)
from tests.functions.examples import entry, upload

RECORDED_AT = datetime(2026, 11, 30, 23, 59, 59, 123456, tzinfo=UTC)
FIRST = ObjectVersion(bucket="uploads", key="first.png", version_id="v0")
ACCEPTED = entry(
    "lunch.png",
    RECORDED_AT,
    upload=upload(uploaded_at=datetime(2026, 11, 30, 23, 59, 58, tzinfo=UTC)),
    fingerprint="a" * 64,
)
FROM_FORM = replace(
    ACCEPTED,
    upload=replace(
        ACCEPTED.upload,
        uploader=Uploader(
            principal="AWS:AROAEXAMPLEOFTHEFORMS:bill-e-api-uploads-function-0123456",
            source_ip="192.0.2.7",
            via=Via.FORM,
            caller=Caller(
                issuer="https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_aB3dE5fG7",
                subject="7f4df3a1-9c50-4f0e-8f3f-0c5d5c1d2e3f",
            ),
        ),
    ),
)
ENCRYPTED = replace(ACCEPTED, findings=(ContentFinding.ENCRYPTED, ContentFinding.TRAILING_DATA))
DUPLICATE = replace(ACCEPTED, outcome=Outcome.DUPLICATE, duplicate_of=FIRST)
RESTORES = replace(DUPLICATE, restores=True)
UNSUPPORTED = replace(ACCEPTED, outcome=Outcome.REJECTED, reason=Reason.UNSUPPORTED_TYPE, media_type=None)
DAMAGED = replace(
    ACCEPTED,
    outcome=Outcome.REJECTED,
    reason=Reason.DAMAGED,
    detail="ends after 60 bytes, before its trailer",
)
MISSING = replace(
    UNSUPPORTED,
    upload=replace(ACCEPTED.upload, uploader=Uploader(principal=None, source_ip=None)),
    reason=Reason.OBJECT_MISSING,
    fingerprint=None,
    size_bytes=None,
)


SALTED = replace(ACCEPTED, salt="5a" * 16)

ENTRIES = [ACCEPTED, SALTED, FROM_FORM, ENCRYPTED, DUPLICATE, RESTORES, UNSUPPORTED, DAMAGED, MISSING]


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry_reads_back_from_its_item_unchanged(entry: Entry) -> None:
    read = schema.from_item(schema.to_item(entry, shards=4))

    assert (read, read.salt) == (entry, entry.salt)


def test_findings_are_sorted_whatever_order_the_table_has_them_in() -> None:
    item = schema.to_item(ENCRYPTED, shards=4)

    assert schema.from_item({**item, "findings": {"SS": ["trailing_data", "encrypted"]}}) == ENCRYPTED


def test_operators_may_read_all_but_who_uploaded() -> None:
    written = {name for entry in ENTRIES for name in schema.to_item(entry, shards=4)}

    assert written - {*schema.OPERATOR_ATTRIBUTES} == {"principal", "source_ip", "caller", "salt"}
    assert {*schema.OPERATOR_ATTRIBUTES} - written == {"resent"}


def test_there_is_one_place_for_the_receipt_of_a_fingerprint_whoever_uploads_it() -> None:
    other = replace(ACCEPTED, upload=upload(key="other.png"))

    assert _table_key(ACCEPTED) == _table_key(other) == ("a" * 64, "RECEIPT")


@pytest.mark.parametrize(
    ("entry", "sort_key"),
    [
        (DUPLICATE, f"DUPLICATE#{DUPLICATE.upload.version.object_id}"),
        (UNSUPPORTED, f"REJECTED#{UNSUPPORTED.upload.version.object_id}"),
    ],
)
def test_duplicates_and_rejections_have_a_place_per_object_version(entry: Entry, sort_key: str) -> None:
    assert _table_key(entry) == ("a" * 64, sort_key)


def test_an_upload_that_was_not_read_has_its_own_partition() -> None:
    object_id = MISSING.upload.version.object_id

    assert _table_key(MISSING) == (f"unread#{object_id}", f"REJECTED#{object_id}")


def test_the_month_in_the_index_is_when_the_entry_was_recorded() -> None:
    item = schema.to_item(replace(ACCEPTED, recorded_at=datetime(2026, 12, 1, tzinfo=UTC)), shards=1)

    assert item[schema.MONTH_SHARD]["S"] == "2026-12#0"


def test_objects_are_spread_over_every_shard() -> None:
    versions = [ObjectVersion(bucket="b", key=f"{number}.png", version_id="v") for number in range(400)]

    shards = [schema.shard_of(version, 4) for version in versions]

    assert min(shards.count(shard) for shard in range(4)) > 60


def test_an_entry_of_the_last_release_reads_back_without_saying_how_it_was_uploaded() -> None:
    item = {name: value for name, value in schema.to_item(ACCEPTED, shards=4).items() if name != "via"}

    uploader = schema.from_item(item).upload.uploader

    assert uploader == replace(ACCEPTED.upload.uploader, via=None)


def test_only_what_restores_says_so() -> None:
    names = schema.to_item(RESTORES, shards=4).keys() - schema.to_item(DUPLICATE, shards=4).keys()

    assert names == {"restores"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"outcome": {"S": "ACCEPTED"}}, False),
        ({schema.NOTICED_AT: {"S": "2026-11-30T00:00:00.000000Z"}}, False),
        ({schema.ENTRY: {"S": "RECEIPT"}}, False),
        ({schema.FINGERPRINT: {"S": "a" * 64}}, False),
    ],
)
@pytest.mark.parametrize(
    "note",
    [
        schema.backing_note("a" * 64, FIRST),
        schema.missing_note(FIRST, RECORDED_AT),
        {
            schema.FINGERPRINT: {"S": f"erasure#{FIRST.object_id}"},
            schema.ENTRY: {"S": "ERASURE"},
            schema.MONTH_SHARD: {"S": "2026-11#0"},
            schema.RECORDED: {"S": schema.recorded_key(RECORDED_AT, FIRST)},
            "reason": {"S": "asked for"},
        },
    ],
)
def test_nothing_else_passes_for_a_note(note: schema.Item, changes: schema.Item, expected: bool) -> None:
    if schema.NOTICED_AT in note and schema.NOTICED_AT in changes:
        changes = {"bucket": {"S": "b"}}

    assert schema.is_note({**note, **changes}) is expected


@pytest.mark.parametrize("uploaded", [ACCEPTED, FROM_FORM, ENCRYPTED])
def test_an_entry_with_an_ordinary_key_costs_one_write_unit(uploaded: Entry) -> None:
    key = "uploads/2026/11/22/7d0f4f5e-8d52-4f7a-9c3e-0f6b8f3a2b1c/hotel receipt.pdf"
    version = ObjectVersion(
        bucket="bill-e-uploads-0123456", key=key, version_id="3HL4kqtJvjVBH40Nrjfkd0123456789a"
    )
    upload = replace(uploaded.upload, version=version)
    duplicate = replace(uploaded, outcome=Outcome.DUPLICATE, upload=upload, duplicate_of=version)

    item = schema.to_item(duplicate, shards=4)

    assert _size(item) <= 1024


def _table_key(entry: Entry) -> tuple[str, str]:
    return schema.partition_key(entry), schema.sort_key(entry)


def _size(value: object) -> int:
    """The size of an item as DynamoDB counts it: names, values, 3 for a map and 1 for each of its members."""
    if isinstance(value, str):
        return len(value.encode())
    assert isinstance(value, dict)
    if value.keys() == {"M"}:
        return 3 + _size(value["M"]) + len(value["M"])
    if value.keys() == {"SS"}:
        return 3 + sum(1 + _size(member) for member in value["SS"])
    if len(value) == 1 and value.keys() <= {"S", "N"}:
        return _size(next(iter(value.values())))
    return sum(len(name) + _size(member) for name, member in value.items())
