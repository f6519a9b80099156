"""How entries are stored in DynamoDB: the keys of the table and its time index, and entries as items."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from functions.contract.entry import (
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
    parse_time,
)
from functions.contract.form_metadata import names_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef

    Item = dict[str, AttributeValueTypeDef]

FINGERPRINT, ENTRY = "fingerprint", "entry"
"""The table's partition and sort key."""

TIME_INDEX = "by_recorded_time"
MONTH_SHARD, RECORDED = "month_shard", "recorded"
"""The time index's partition and sort key."""

FIRST_MONTH = "2026-11"
"""The month of the first release. Nothing was recorded before it, so no search goes further back."""

RECEIPT = "RECEIPT"
"""The sort key of the entry that accepted a fingerprint, of which a partition can only have one."""

REJECTED = f"{Outcome.REJECTED}#"
"""How the sort key of a rejected upload begins."""

UNREAD = "unread#"
"""How the partition of an object version begins whose bytes were not read."""

MISSING, NOTICED_AT = "MISSING", "noticed_at"
"""The sort key and the time of a note that an object version is gone. A note isn't an entry: it has no
outcome and is in no index."""

SALT = "salt"

FINDINGS = "findings"
"""A set of codes. DynamoDB has no empty sets, so an entry without findings has no such attribute."""

BACKED, BACKING = "backed#", "BACKING"
"""How the partition of a note begins that names the object version which backs a receipt instead of the
receipt's own, and the note's sort key. Unlike an entry, it is replaced if that version is gone, too."""

ERASED, ERASURE = "erasure#", "ERASURE"
"""How the partition of an erasure begins, before the object id of the entry that it is about, and its sort
key. An administrator writes it by hand when an entry is deleted, with a ``reason``. It is in the time index,
so that it is sealed; it isn't an entry, and has no outcome."""

OPERATOR_ATTRIBUTES = (
    *(FINGERPRINT, ENTRY, MONTH_SHARD, RECORDED),
    *("outcome", "reason", "bucket", "key", "version_id", "size_bytes", "media_type", "uploaded_at"),
    *("detail", FINDINGS, "resent", "via", "duplicate_of", "restores"),
)
"""The attributes that operators may read, which are all but those that say who uploaded, and the salt."""

RECONCILER_ATTRIBUTES = (FINGERPRINT, ENTRY, "bucket", "key", "version_id", "uploaded_at", "resent")
"""The attributes that the reconciler may read: which object version an entry is about, and no more."""


def _view(attributes: tuple[str, ...]) -> dict[str, Any]:
    """Return the parameters with which Scan and Query read these attributes alone."""
    return {
        "Select": "SPECIFIC_ATTRIBUTES",
        "ProjectionExpression": ", ".join(f"#{name}" for name in attributes),
        "ExpressionAttributeNames": {f"#{name}": name for name in attributes},
    }


OPERATOR_VIEW = _view(OPERATOR_ATTRIBUTES)
"""How operators read. `from_item` reads such an item as an entry without an uploader."""

RECONCILER_VIEW = _view(RECONCILER_ATTRIBUTES)

IF_NEW: dict[str, Any] = {
    "ConditionExpression": "attribute_not_exists(#fingerprint)",
    "ExpressionAttributeNames": {"#fingerprint": FINGERPRINT},
    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
}
"""The parameters with which PutItem inserts an item if its place is free. If it isn't, the error has the item
that is there."""


def partition_key(entry: Entry) -> str:
    """Return the partition of an entry: its fingerprint, or its own partition if its bytes were not read."""
    return entry.fingerprint or unread_partition(entry.upload.version)


def unread_partition(version: ObjectVersion) -> str:
    """Return the partition of an object version whose bytes were not read."""
    return f"{UNREAD}{version.object_id}"


def sort_key(entry: Entry) -> str:
    """Return the sort key of an entry: `RECEIPT` if it was accepted, or its outcome and its object id."""
    if entry.outcome is Outcome.ACCEPTED:
        return RECEIPT
    return _own_sort_key(entry.outcome, entry.upload.version)


def _own_sort_key(outcome: Outcome, version: ObjectVersion) -> str:
    return f"{outcome}#{version.object_id}"


DUPLICATE_KEYS = f"{Outcome.DUPLICATE}#", f"{Outcome.DUPLICATE}#g"
"""The sort keys of a fingerprint's duplicates are between these, since an object id is hexadecimal."""


def possible_keys(version: ObjectVersion, fingerprint: str | None) -> list[Item]:
    """Return every key that an object version's entry can have, if it has this fingerprint or none."""
    rejected = _own_sort_key(Outcome.REJECTED, version)
    keys = [(unread_partition(version), rejected)]
    if fingerprint is not None:
        duplicate = _own_sort_key(Outcome.DUPLICATE, version)
        keys += [(fingerprint, RECEIPT), (fingerprint, rejected), (fingerprint, duplicate)]
    return [{FINGERPRINT: {"S": partition}, ENTRY: {"S": sort}} for partition, sort in keys]


def shard_of(version: ObjectVersion, shards: int) -> int:
    """Return the shard of an object version. Object ids are evenly spread, and so are their shards."""
    return int(version.object_id[:8], 16) % shards


def month_shard(month: str, shard: int) -> str:
    """Return the partition of the time index for a month (``YYYY-MM``) and a shard."""
    return f"{month}#{shard}"


def months(first: str, last: str) -> Iterator[str]:
    """Yield the months of two times and those between them, from the ledger's first month on."""
    month, end = max(first[:7], FIRST_MONTH), last[:7]
    while month <= end:
        yield month
        year, number = int(month[:4]), int(month[5:])
        month = f"{year + number // 12:04}-{number % 12 + 1:02}"


def recorded_key(recorded_at: datetime, version: ObjectVersion) -> str:
    """Return the sort key in the time index: the time, then the object id to tell equal times apart."""
    return f"{format_time(recorded_at)}#{version.object_id}"


def to_item(entry: Entry, shards: int) -> Item:
    """Write an entry as a DynamoDB item. A value that is ``None`` gets no attribute."""
    version, uploader = entry.upload.version, entry.upload.uploader
    recorded = recorded_key(entry.recorded_at, version)
    texts = {
        FINGERPRINT: partition_key(entry),
        ENTRY: sort_key(entry),
        MONTH_SHARD: month_shard(recorded[:7], shard_of(version, shards)),
        RECORDED: recorded,
        "outcome": entry.outcome,
        "reason": entry.reason,
        "detail": entry.detail,
        "bucket": version.bucket,
        "key": version.key,
        "version_id": version.version_id,
        "media_type": entry.media_type,
        "uploaded_at": format_time(entry.upload.uploaded_at),
        "principal": uploader.principal,
        "source_ip": uploader.source_ip,
        "via": uploader.via,
        SALT: entry.salt,
    }
    item: Item = {name: {"S": str(value)} for name, value in texts.items() if value is not None}
    if entry.size_bytes is not None:
        item["size_bytes"] = {"N": str(entry.size_bytes)}
    if entry.findings:
        item[FINDINGS] = {"SS": [str(finding) for finding in entry.findings]}
    if entry.upload.resent:
        item["resent"] = {"BOOL": True}
    if entry.restores:
        item["restores"] = {"BOOL": True}
    if uploader.caller is not None:
        names = names_of(uploader.caller)
        item["caller"] = {"M": {name: {"S": value} for name, value in names.items()}}
    if entry.duplicate_of is not None:
        first = entry.duplicate_of
        item["duplicate_of"] = {
            "M": {
                "bucket": {"S": first.bucket},
                "key": {"S": first.key},
                "version_id": {"S": first.version_id},
            }
        }
    return item


def from_item(item: Item) -> Entry:
    """Read an entry back from the item that `to_item` wrote.

    The last release looked for no ``findings``, and wrote none.
    """
    fingerprint = item[FINGERPRINT]["S"]
    reason = _text(item, "reason")
    return Entry(
        outcome=Outcome(item["outcome"]["S"]),
        upload=Upload(
            version=version_of(item),
            uploaded_at=parse_time(item["uploaded_at"]["S"]),
            uploader=_uploader_of(item),
            resent=_flag(item, "resent"),
        ),
        recorded_at=parse_time(item[RECORDED]["S"].partition("#")[0]),
        fingerprint=None if fingerprint.startswith(UNREAD) else fingerprint,
        size_bytes=int(item["size_bytes"]["N"]) if "size_bytes" in item else None,
        media_type=_text(item, "media_type"),
        reason=Reason(reason) if reason is not None else None,
        detail=_text(item, "detail"),
        findings=_findings_of(item),
        duplicate_of=version_of(item["duplicate_of"]["M"]) if "duplicate_of" in item else None,
        restores=_flag(item, "restores"),
        salt=_text(item, SALT),
    )


def _findings_of(item: Item) -> tuple[ContentFinding, ...]:
    codes = item[FINDINGS]["SS"] if FINDINGS in item else ()
    return tuple(sorted(map(ContentFinding, codes)))


def _uploader_of(item: Item) -> Uploader:
    """Read the uploader from an item. The last release wrote neither ``via`` nor ``caller``."""
    caller = {name: value["S"] for name, value in item["caller"]["M"].items()} if "caller" in item else None
    via = _text(item, "via")
    return Uploader(
        principal=_text(item, "principal"),
        source_ip=_text(item, "source_ip"),
        via=Via(via) if via is not None else None,
        caller=Caller(**caller) if caller is not None else None,
    )


def _text(item: Item, name: str) -> str | None:
    return item[name]["S"] if name in item else None


def _flag(item: Item, name: str) -> bool:
    return name in item and item[name]["BOOL"]


def backing_key(fingerprint: str) -> Item:
    """Return the key of the note that names the object version which backs a receipt."""
    return {FINGERPRINT: {"S": f"{BACKED}{fingerprint}"}, ENTRY: {"S": BACKING}}


def backing_note(fingerprint: str, version: ObjectVersion) -> Item:
    """Write a note that an object version backs the receipt with a fingerprint."""
    return {**backing_key(fingerprint), **{name: {"S": value} for name, value in vars(version).items()}}


def if_noted(version: ObjectVersion) -> dict[str, Any]:
    """Return the parameters with which PutItem replaces a note if that names this object version.

    If it doesn't, the error has the note that is there.
    """
    return {
        "ConditionExpression": "#key = :key AND #version_id = :version_id AND #bucket = :bucket",
        "ExpressionAttributeNames": {f"#{name}": name for name in vars(version)},
        "ExpressionAttributeValues": {f":{name}": {"S": value} for name, value in vars(version).items()},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def missing_note(version: ObjectVersion, noticed_at: datetime) -> Item:
    """Write a note that an object version is gone."""
    return {
        FINGERPRINT: {"S": unread_partition(version)},
        ENTRY: {"S": MISSING},
        NOTICED_AT: {"S": format_time(noticed_at)},
    }


def version_of(item: Mapping[str, AttributeValueTypeDef]) -> ObjectVersion:
    """Read the object version from an item, or from its ``duplicate_of`` map."""
    return ObjectVersion(bucket=item["bucket"]["S"], key=item["key"]["S"], version_id=item["version_id"]["S"])


def is_note(item: Mapping[str, AttributeValueTypeDef]) -> bool:
    """Say whether an item is a note of the processor or an erasure, and not an entry.

    A note has nothing but its key, and its time or an object version. An erasure has its key, its place in
    the time index, and a reason. So nothing else in the ledger can pass for one.
    """
    partition, sort = item[FINGERPRINT]["S"], item[ENTRY]["S"]
    for begins, ends, names in (
        (UNREAD, MISSING, {NOTICED_AT}),
        (BACKED, BACKING, {"bucket", "key", "version_id"}),
        (ERASED, ERASURE, {MONTH_SHARD, RECORDED, "reason"}),
    ):
        if partition.startswith(begins) and sort == ends:
            return item.keys() <= {FINGERPRINT, ENTRY} | names
    return False
