"""What a stack holds, as streams: the object versions of its bucket, and the entries of its ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from cli.operations import explained
from cli.pace import Pace
from functions.contract import schema
from functions.contract.entry import format_time

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import ScanOutputTypeDef
    from types_boto3_s3 import S3Client

    from functions.contract.schema import Item

SCAN_SEGMENTS = 4
"""How many parts of the table are read at the same time; each holds one page of at most 1 MB."""

READ_UNITS_PER_SECOND = 1_000
"""How much of the table's read throughput a scan takes: a quarter of what a stack has by default
(`ledgerMaxReadUnits`). The API, which reads the same table by fingerprint, goes on meanwhile."""

SCANNED_ATTRIBUTES = ("outcome", "reason", "bucket", "key", "version_id", "uploaded_at")
"""What is read of an entry. Not who uploaded it: `operator_policy` doesn't let a scan read that either."""


@dataclass(frozen=True, kw_only=True)
class StoredVersion:
    """An object version in the bucket. `modified` is S3's LastModified, written as the ledger writes times.

    That is when it was uploaded; for a multipart upload, when that was begun.
    """

    key: str
    version_id: str
    size_bytes: int
    modified: str


@dataclass(frozen=True, kw_only=True)
class ListedPage:
    """A page of the bucket's listing, and S3's own time when it was made."""

    listed_at: datetime
    versions: list[StoredVersion]


@dataclass(frozen=True, kw_only=True)
class LedgerLine:
    """Which object version an entry of the ledger is about."""

    bucket: str
    key: str
    version_id: str
    uploaded_at: str
    reason: str | None


def listed_versions(s3: S3Client, bucket: str, prefix: str) -> Iterator[ListedPage]:
    """Read all object versions whose keys start so, page by page: one at least. Delete markers are none."""
    pages = iter(s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix))
    while True:
        with explained(f"listing bucket {bucket} (s3:ListBucketVersions)"):
            page = next(pages, None)
        if page is None:
            return
        yield ListedPage(
            listed_at=_answered_at(page["ResponseMetadata"]),
            versions=[
                StoredVersion(
                    key=version["Key"],
                    version_id=version["VersionId"],
                    size_bytes=version["Size"],
                    modified=format_time(version["LastModified"]),
                )
                for version in page.get("Versions", ())
            ],
        )


def ledger_lines(
    dynamodb: DynamoDBClient, table: str, segments: int = SCAN_SEGMENTS
) -> Iterator[list[LedgerLine]]:
    """Read the whole ledger once, in no order, page by page.

    This is a parallel, strongly consistent Scan, which the service itself never does. Here it is the right
    way: every entry is wanted, an index could lag behind its table or lack an entry, and a Scan costs one
    read unit for 4 KB, where paging through the API would cost a request for 200 entries and a query for each
    shard. The API reads the same table by fingerprint, so the Scan keeps to `READ_UNITS_PER_SECOND`.
    """
    selection = {
        "Select": "SPECIFIC_ATTRIBUTES",
        "ProjectionExpression": ", ".join(f"#{name}" for name in SCANNED_ATTRIBUTES),
        "ExpressionAttributeNames": {f"#{name}": name for name in SCANNED_ATTRIBUTES},
    }
    for items in scanned_pages(dynamodb, table, f"the ledger table {table}", segments, selection):
        # What has no outcome is no entry, but a note of the processor's.
        yield [_line(item) for item in items if "outcome" in item]


def scanned_pages(
    dynamodb: DynamoDBClient,
    table: str,
    what: str,
    segments: int = SCAN_SEGMENTS,
    selection: Mapping[str, Any] | None = None,
) -> Iterator[list[Item]]:
    """Read a table once, in no order, page by page, strongly consistent, at `READ_UNITS_PER_SECOND`.

    `what` names the table in errors. `selection` are the parameters of Scan that choose attributes.
    """
    pace = Pace(READ_UNITS_PER_SECOND)
    with ThreadPoolExecutor(segments) as pool:

        def read(segment: int, start: dict[str, Any]) -> Future[ScanOutputTypeDef]:
            return pool.submit(
                dynamodb.scan,
                TableName=table,
                Segment=segment,
                TotalSegments=segments,
                ConsistentRead=True,
                ReturnConsumedCapacity="TOTAL",
                **(selection or {}),
                **start,
            )

        reading = {read(segment, {}): segment for segment in range(segments)}
        while reading:
            done, _ = wait(reading, return_when=FIRST_COMPLETED)
            for future in done:
                segment = reading.pop(future)
                with explained(f"reading {what} (dynamodb:Scan)"):
                    page = future.result()
                pace.spend(page.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0))
                if last := page.get("LastEvaluatedKey"):
                    reading[read(segment, {"ExclusiveStartKey": last})] = segment
                yield page["Items"]


def _line(item: Any) -> LedgerLine:
    version = schema.version_of(item)
    return LedgerLine(
        bucket=version.bucket,
        key=version.key,
        version_id=version.version_id,
        uploaded_at=item["uploaded_at"]["S"],
        reason=item["reason"]["S"] if "reason" in item else None,
    )


def _answered_at(metadata: Any) -> datetime:
    """Return S3's own clock, which also made LastModified; this machine's where S3 doesn't tell."""
    date = metadata.get("HTTPHeaders", {}).get("date")
    return parsedate_to_datetime(date).astimezone(UTC) if date else datetime.now(UTC)
