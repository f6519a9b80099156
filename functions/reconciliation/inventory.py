"""Reads which object versions a bucket has, page by page, and limits how fast a ledger is read."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypedDict

from functions.contract.entry import format_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_s3 import S3Client

READ_UNITS_PER_SECOND = 1_000
"""A quarter of the read throughput that a stack has by default (`ledgerMaxReadUnits`), so that the API, which
reads the same table, keeps working."""


class Place(TypedDict, total=False):
    """A place in a bucket's listing, as parameters of the call that goes on from there."""

    KeyMarker: str
    VersionIdMarker: str


BEGINNING: Place = {}


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
    """A page of the bucket's listing, and the time of the answer by S3's clock.

    `next_place` is where the next page begins, or None after the last one.
    """

    listed_at: datetime
    versions: list[StoredVersion]
    next_place: Place | None = field(default=None)


def list_page(s3: S3Client, bucket: str, prefix: str, place: Place = BEGINNING) -> ListedPage:
    """Read one page of the object versions below a prefix. Delete markers are left out."""
    page = s3.list_object_versions(Bucket=bucket, Prefix=prefix, **place)
    next_place: Place | None = None
    if page.get("IsTruncated"):
        # The second is missing after a page that ends with all versions of a key.
        next_place = {"KeyMarker": page["NextKeyMarker"]}
        if "NextVersionIdMarker" in page:
            next_place["VersionIdMarker"] = page["NextVersionIdMarker"]
    return ListedPage(
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
        next_place=next_place,
    )


def _answered_at(metadata: Any) -> datetime:
    """Return the time by S3's clock, as in LastModified, or by this machine's if the answer has no time."""
    date = metadata.get("HTTPHeaders", {}).get("date")
    return parsedate_to_datetime(date).astimezone(UTC) if date else datetime.now(UTC)


class Pace:
    """Limits the capacity units of a table used a second, on average, so that the stack keeps working.

    Used by one thread.
    """

    def __init__(
        self,
        units_per_second: float,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._units_per_second = units_per_second
        self._clock = clock
        self._pause = pause
        self._began = clock()
        self._spent = 0.0

    def spend(self, units: float) -> None:
        """Count what a call used, and wait until the next one may begin."""
        self._spent += units
        ahead = self._spent / self._units_per_second - (self._clock() - self._began)
        if ahead > 0:
            self._pause(ahead)
