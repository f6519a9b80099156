"""What a stack holds, page by page: the object versions in its bucket, and the items in its ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from cli.errors import explained
from cli.operator.pace import Pace
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
"""A quarter of the read throughput that a stack has by default (`ledgerMaxReadUnits`), so that the API, which
reads the same table, keeps working."""


@dataclass(frozen=True, kw_only=True)
class StoredVersion:
    """An object version in the bucket.

    `modified` is S3's LastModified, written as the ledger writes times: when the version was uploaded, or
    when its multipart upload began.
    """

    key: str
    version_id: str
    size_bytes: int
    modified: str
    multipart: bool = False


@dataclass(frozen=True, kw_only=True)
class ListedPage:
    """A page of the bucket's listing, and the time of the answer by S3's clock."""

    listed_at: datetime
    versions: list[StoredVersion]


def listed_versions(s3: S3Client, bucket: str, prefix: str) -> Iterator[ListedPage]:
    """Read all object versions below a prefix, in one page or more. Delete markers are left out."""
    pages = iter(s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix))
    while True:
        with explained(f"listing bucket {bucket} (s3:ListBucketVersions)", granted_by="operator_policy"):
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
                    # S3 API Reference, Object: a multipart upload's ETag ends in the number of its parts.
                    multipart="-" in version["ETag"],
                )
                for version in page.get("Versions", ())
            ],
        )


def ledger_items(dynamodb: DynamoDBClient, table: str) -> Iterator[list[Item]]:
    """Read the whole ledger once, in no order, page by page, as much of each item as operators may read.

    The functions never scan the table. Here every entry is wanted, and an index could lag behind the table or
    lack an entry. A Scan costs one read unit for 4 KB; paging through the API would cost a request for each
    200 entries, and a query for each shard.
    """
    return scanned_pages(dynamodb, table, f"the ledger table {table}", schema.OPERATOR_VIEW)


def scanned_pages(
    dynamodb: DynamoDBClient, table: str, what: str, selection: Mapping[str, Any] | None = None
) -> Iterator[list[Item]]:
    """Read a table once, in no order, page by page, strongly consistent, at `READ_UNITS_PER_SECOND`.

    `what` names the table in errors. `selection` has the parameters of Scan that choose attributes.
    """
    pace = Pace(READ_UNITS_PER_SECOND)
    # Operators may only read the ledger's table, and not all attributes.
    granted_by = "operator_policy" if selection else None
    with ThreadPoolExecutor(SCAN_SEGMENTS) as pool:

        def read(segment: int, start: dict[str, Any]) -> Future[ScanOutputTypeDef]:
            return pool.submit(
                dynamodb.scan,
                TableName=table,
                Segment=segment,
                TotalSegments=SCAN_SEGMENTS,
                ConsistentRead=True,
                ReturnConsumedCapacity="TOTAL",
                **(selection or {}),
                **start,
            )

        reading = {read(segment, {}): segment for segment in range(SCAN_SEGMENTS)}
        while reading:
            done, _ = wait(reading, return_when=FIRST_COMPLETED)
            for future in done:
                segment = reading.pop(future)
                with explained(f"reading {what} (dynamodb:Scan)", granted_by=granted_by):
                    page = future.result()
                pace.spend(page.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0))
                if last := page.get("LastEvaluatedKey"):
                    reading[read(segment, {"ExclusiveStartKey": last})] = segment
                yield page["Items"]


def _answered_at(metadata: Any) -> datetime:
    """Return the time by S3's clock, as in LastModified, or by this machine's if the answer has no time."""
    date = metadata.get("HTTPHeaders", {}).get("date")
    return parsedate_to_datetime(date).astimezone(UTC) if date else datetime.now(UTC)
