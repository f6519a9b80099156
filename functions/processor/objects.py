"""Opens one exact version of an object in S3, to be read once."""

from __future__ import annotations

import base64
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.response import StreamingBody
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import GetObjectOutputTypeDef

    from functions.contract.entry import ObjectVersion

CHUNK_BYTES = 1024 * 1024

MISSING = frozenset({"NoSuchKey", "NoSuchVersion"})
"""S3's errors for an object version that isn't there. Without ``s3:ListBucket``, S3 answers 403 instead."""


class ObjectMissingError(Exception):
    """The object version was deleted for good, or never existed."""


@dataclass(frozen=True, kw_only=True)
class S3Object:
    """One open object version. If S3 has a ``sha256`` of its bytes, the reader has to compare it.

    If S3 has another checksum, botocore compares it while the bytes are read.
    """

    size_bytes: int
    sha256: str | None
    body: StreamingBody

    def chunks(self) -> Iterator[bytes]:
        """Read the bytes in pieces. Raises a botocore error if they are cut off or fail their checksum."""
        return self.body.iter_chunks(CHUNK_BYTES)


class S3Objects:
    """The object versions in S3. Safe to use from several threads, like boto3 clients."""

    def __init__(self, client: S3Client) -> None:
        self._client = client
        client.meta.events.register("before-call.s3.GetObject", _leave_sha256_to_the_reader)

    @contextlib.contextmanager
    def open(self, version: ObjectVersion) -> Iterator[S3Object]:
        """Open an object version with one ``GetObject``, and close it at the end.

        Raise ObjectMissingError if S3 says that it isn't there, and botocore's errors otherwise. S3 treats an
        object without a version as version "null".
        """
        try:
            answer = self._client.get_object(
                Bucket=version.bucket,
                Key=version.key,
                VersionId=version.version_id,
                ChecksumMode="ENABLED",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in MISSING:
                raise ObjectMissingError(f"version {version.version_id} is not there") from error
            raise
        with contextlib.closing(answer["Body"]) as body:
            yield S3Object(size_bytes=answer["ContentLength"], sha256=_sha256_of_all(answer), body=body)


def _leave_sha256_to_the_reader(context: dict[str, Any], **_: object) -> None:
    """Keep botocore from computing the SHA-256, since the fingerprint is the same."""
    algorithms = context.get("checksum", {}).get("response_algorithms", [])
    if "sha256" in algorithms:
        algorithms.remove("sha256")


def _sha256_of_all(answer: GetObjectOutputTypeDef) -> str | None:
    """Return S3's SHA-256 of all bytes in hex. One that ends in a count is of the parts' checksums."""
    checksum = answer.get("ChecksumSHA256", "-")
    return None if "-" in checksum else base64.b64decode(checksum).hex()
