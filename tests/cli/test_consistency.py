from __future__ import annotations

from typing import Any

import pytest

from cli.operator.consistency import NotAnEntryError, contradictions, read_entry
from functions.contract import schema
from functions.contract.entry import NULL_VERSION, ContentFinding, ObjectVersion, Outcome, Reason
from tests.cli.operated_stack import BUCKET, SHARDS, entry_of

VERSION = ObjectVersion(bucket=BUCKET, key="a.png", version_id="v")
FOLDER = ObjectVersion(bucket=BUCKET, key="2026/", version_id="v")
RECEIPT = entry_of(VERSION)
WHOLE = schema.to_item(RECEIPT, SHARDS)


def test_entry_is_read_as_it_was_written() -> None:
    assert read_entry(WHOLE) == RECEIPT


@pytest.mark.parametrize("name", ["outcome", "bucket", "key", "version_id", "uploaded_at"])
def test_item_without_what_each_entry_has_is_not_an_entry(name: str) -> None:
    with pytest.raises(NotAnEntryError, match=f"it has no '{name}'"):
        read_entry({other: value for other, value in WHOLE.items() if other != name})


@pytest.mark.parametrize("name", [schema.MONTH_SHARD, schema.RECORDED])
def test_item_that_is_not_in_the_time_index_is_not_an_entry(name: str) -> None:
    with pytest.raises(NotAnEntryError, match=f"it has no '{name}'"):
        read_entry({other: value for other, value in WHOLE.items() if other != name})


@pytest.mark.parametrize(
    "damage",
    [
        {"outcome": {"S": "SOMETHING"}},
        {"outcome": {"S": "REJECTED"}, "reason": {"S": "unknown"}},
        {"uploaded_at": {"S": "yesterday"}},
        {"bucket": {"N": "1"}},
        {"size_bytes": {"N": "1.5"}},
        {"size_bytes": {"N": "9" * 38}},
        {"duplicate_of": {"M": {}}},
        {"findings": {"SS": ["virus"]}},
        {"findings": {"S": "encrypted"}},
    ],
)
def test_item_with_a_value_that_no_entry_has_is_not_an_entry(damage: dict[str, Any]) -> None:
    with pytest.raises(NotAnEntryError, match=r"."):
        read_entry({**WHOLE, **damage})


DAMAGED: dict[str, Any] = {
    "reason": Reason.DAMAGED,
    "size_bytes": 1,
    "fingerprint": "0" * 64,
    "media_type": "image/png",
    "detail": "ends after 1 bytes, inside its header",
}
KEY = "its key is not that of its outcome and object version"
TIME_INDEX = "its place in the time index is not that of its recorded time"


@pytest.mark.parametrize(
    ("damage", "contradiction"),
    [
        ({"fingerprint": {"S": "unread#1"}}, KEY),
        ({"entry": {"S": "REJECTED#1"}}, KEY),
        ({"recorded": {"S": "2026-11-02T12:00:00.000000Z"}}, TIME_INDEX),
        ({"month_shard": {"S": "2026-12#1"}}, TIME_INDEX),
        ({"month_shard": {"S": "2025-11#1"}}, "its month is before the ledger's first"),
        ({"month_shard": {"S": f"2026-11#{SHARDS}"}}, f"it can't be in shard {SHARDS}"),
        ({"month_shard": {"S": "2026-11#-1"}}, "it can't be in shard -1"),
        ({"month_shard": {"S": "2026-11"}}, "it can't be in shard ,"),
        ({"uploaded_at": {"S": "2026-11-02T13:00:00+01:00"}}, "isn't written as the ledger writes times"),
        ({"reason": {"S": "empty"}}, "it is ACCEPTED with the reason empty"),
        ({"duplicate_of": WHOLE["bucket"]}, "it is ACCEPTED with duplicate_of"),
        ({"restores": {"BOOL": True}}, "it is ACCEPTED with restores"),
        ({"media_type": {"S": "text/html"}}, "its media type is none that ACCEPTED allows"),
        ({"size_bytes": {"N": "0"}}, "its size is none that ACCEPTED allows"),
    ],
)
def test_each_contradiction_is_named(damage: dict[str, Any], contradiction: str) -> None:
    if "duplicate_of" in damage:
        damage = {"duplicate_of": {"M": {name: WHOLE[name] for name in ("bucket", "key", "version_id")}}}
    item = {**WHOLE, **damage}

    assert contradiction in contradictions(item, read_entry(item), SHARDS)


@pytest.mark.parametrize(
    ("changes", "contradiction"),
    [
        ({"outcome": Outcome.DUPLICATE}, "it is DUPLICATE without duplicate_of"),
        ({"outcome": Outcome.REJECTED}, "it is REJECTED without a reason"),
        ({"reason": Reason.EMPTY, "size_bytes": 1}, "its size is none that empty allows"),
        ({"reason": Reason.EMPTY, "fingerprint": "0" * 64}, "its fingerprint is none that empty allows"),
        ({"reason": Reason.EMPTY, "media_type": "image/png"}, "its media type is none that empty allows"),
        (
            {"reason": Reason.FOLDER_MARKER, "size_bytes": 1},
            "its size is none that folder_marker allows",
        ),
        (
            {"reason": Reason.FOLDER_MARKER, "fingerprint": "0" * 64},
            "its fingerprint is none that folder_marker allows",
        ),
        ({"reason": Reason.FOLDER_MARKER}, "it is folder_marker, but its key doesn't end in a slash"),
        ({"reason": Reason.TOO_LARGE}, "its size is none that too_large allows"),
        (
            {"reason": Reason.TOO_LARGE, "size_bytes": 1, "fingerprint": "0" * 64},
            "its fingerprint is none that too_large allows",
        ),
        ({"reason": Reason.OBJECT_MISSING, "size_bytes": 1}, "its size is none that object_missing allows"),
        ({"reason": Reason.UNVERSIONED}, "it is unversioned, but has a version"),
        ({**DAMAGED, "detail": None}, "its detail is none that damaged allows"),
        ({**DAMAGED, "detail": ""}, "its detail is none that damaged allows"),
        ({**DAMAGED, "detail": "x" * 201}, "its detail is none that damaged allows"),
        ({**DAMAGED, "detail": "ends\n"}, "its detail is none that damaged allows"),
        ({**DAMAGED, "media_type": None}, "its media type is none that damaged allows"),
        ({**DAMAGED, "fingerprint": None}, "its fingerprint is none that damaged allows"),
        ({**DAMAGED, "size_bytes": 0}, "its size is none that damaged allows"),
        ({"reason": Reason.EMPTY, "detail": "ends"}, "its detail is none that empty allows"),
        ({"detail": "ends"}, "its detail is none that ACCEPTED allows"),
        ({**DAMAGED, "findings": (ContentFinding.ENCRYPTED,)}, "it is damaged, but has findings"),
    ],
)
def test_each_reason_has_its_own_rules(changes: dict[str, Any], contradiction: str) -> None:
    entry = entry_of(VERSION, **changes)

    assert contradiction in contradictions(schema.to_item(entry, SHARDS), entry, SHARDS)


@pytest.mark.parametrize(
    "entry",
    [
        RECEIPT,
        entry_of(VERSION, outcome=Outcome.DUPLICATE, duplicate_of=VERSION, restores=True),
        entry_of(VERSION, reason=Reason.EMPTY),
        entry_of(FOLDER, reason=Reason.FOLDER_MARKER),
        # Release 0.1 had no reason of its own for a folder marker.
        entry_of(FOLDER, reason=Reason.EMPTY),
        entry_of(VERSION, reason=Reason.TOO_LARGE, size_bytes=1),
        entry_of(VERSION, reason=Reason.UNSUPPORTED_TYPE, size_bytes=1, fingerprint="0" * 64),
        entry_of(VERSION, **DAMAGED),
        entry_of(VERSION, findings=(ContentFinding.ENCRYPTED, ContentFinding.TRAILING_DATA)),
        entry_of(VERSION, reason=Reason.OBJECT_MISSING),
        entry_of(VERSION, reason=Reason.UNREADABLE, size_bytes=0),
        entry_of(
            ObjectVersion(bucket=BUCKET, key="a.png", version_id=NULL_VERSION), reason=Reason.UNVERSIONED
        ),
    ],
)
def test_what_the_processor_writes_has_no_contradiction(entry: Any) -> None:
    for shards in range(1, SHARDS + 1):
        item = schema.to_item(entry, shards)
        assert contradictions(item, read_entry(item), SHARDS) == ""
