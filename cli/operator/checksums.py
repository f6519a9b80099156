"""The fingerprints of entries against the SHA-256 that S3 stored with their object versions.

S3 stores one if the upload came with one, as those of `bill-e upload` and with forms do. The listing of the
bucket doesn't have it, so this takes a HeadObject for each object version.
"""

from __future__ import annotations

from dataclasses import dataclass

from botocore.exceptions import ClientError

from cli.errors import explained
from cli.operator.bucket_comparison import BucketComparison, RecordedVersion
from cli.operator.findings import State
from cli.operator.pace import Counting, concurrently
from cli.operator.resources import StackResources
from functions.contract.entry import fingerprint_of_checksum
from functions.reconciliation.inventory import Pace

READERS = 8
"""How many object versions S3 is asked about at the same time."""

NOT_FOUND = "404"
"""A HeadObject that fails has no body, so that botocore has only the status."""

REQUESTS_PER_SECOND = 500
"""A tenth of what S3 answers for one prefix."""


@dataclass(frozen=True, kw_only=True)
class ChecksumTotals:
    """How many fingerprints were compared, and how many S3 has no SHA-256 for."""

    compared: int
    without: int


def compare_checksums(
    comparison: BucketComparison, resources: StackResources, counting: Counting
) -> ChecksumTotals:
    """Compare fingerprints with S3's; this needs s3:GetObjectVersion, and to use the key if there is one."""
    compared, without, pace = 0, 0, Pace(REQUESTS_PER_SECOND)

    def ask(about: RecordedVersion) -> tuple[RecordedVersion, str | None]:
        return about, _stored_sha256(resources, about)

    with counting("fingerprints compared", None) as advance:
        for about, sha256 in concurrently(ask, comparison.with_fingerprint(), READERS):
            if sha256 is None:
                without += 1
            else:
                compared += 1
                if sha256 != about.fingerprint:
                    detail = f"its fingerprint isn't the SHA-256 that S3 stored, {sha256}"
                    comparison.find(State.DIFFERS, about, detail)
            advance(1)
            pace.spend(1)
    return ChecksumTotals(compared=compared, without=without)


def _stored_sha256(resources: StackResources, about: RecordedVersion) -> str | None:
    """Return S3's SHA-256 of all bytes in hex, or None if it has none."""
    with explained("asking S3 for a checksum (s3:GetObjectVersion, and kms:Decrypt with a customer's key)"):
        try:
            answer = resources.s3.head_object(
                Bucket=resources.bucket,
                Key=about.key,
                VersionId=about.version_id,
                ChecksumMode="ENABLED",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != NOT_FOUND:
                raise
            # It was deleted since it was listed.
            return None
    return fingerprint_of_checksum(answer.get("ChecksumSHA256"))
