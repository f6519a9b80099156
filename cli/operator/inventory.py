"""What a stack holds, page by page: the object versions in its bucket, and the items in its ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

from cli.errors import explained
from functions.contract import schema
from functions.reconciliation.inventory import (
    BEGINNING,
    READ_UNITS_PER_SECOND,
    ListedPage,
    Pace,
    Place,
    list_page,
)

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import ScanOutputTypeDef
    from types_boto3_s3 import S3Client

    from functions.contract.schema import Item

SCAN_SEGMENTS = 4
"""How many parts of the table are read at the same time; each holds one page of at most 1 MB."""


def listed_versions(s3: S3Client, bucket: str, prefix: str) -> Iterator[ListedPage]:
    """Read all object versions below a prefix, in one page or more. Delete markers are left out."""
    place: Place | None = BEGINNING
    while place is not None:
        with explained(f"listing bucket {bucket} (s3:ListBucketVersions)", granted_by="operator_policy"):
            page = list_page(s3, bucket, prefix, place)
        yield page
        place = page.next_place


def ledger_items(dynamodb: DynamoDBClient, table: str) -> Iterator[list[Item]]:
    """Read the whole ledger once, in no order, page by page, as much of each item as operators may read.

    The API never scans the table. Here every entry is wanted, and an index could lag behind the table or lack
    an entry. A Scan costs one read unit for 4 KB; paging through the API would cost a request for each
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
