"""Uploaded objects in S3: opening one exact version for reading, once."""

from __future__ import annotations

import base64
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.response import StreamingBody
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import GetObjectOutputTypeDef

    from functions.ledger.entry import ObjectVersion

CHUNK_BYTES = 1024 * 1024

MISSING = frozenset({"NoSuchKey", "NoSuchVersion"})
"""S3's errors for an object version that is not there. Without ``s3:ListBucket`` it answers 403 instead."""


class ObjectMissingError(Exception):
    """The object version is not there: it was deleted for good, or never was."""


@dataclass(frozen=True, kw_only=True)
class S3Object:
    """One open object version. botocore checks its bytes while they are read, as far as S3 has a checksum."""

    size_bytes: int
    sha256: str | None
    body: StreamingBody

    def chunks(self) -> Iterator[bytes]:
        """Read the bytes in pieces; a botocore error where they are cut off or don't fit their checksum."""
        return self.body.iter_chunks(CHUNK_BYTES)


class S3Objects:
    """Object versions as S3 holds them. Safe to use from several threads, as boto3 clients are."""

    def __init__(self, client: S3Client) -> None:
        self._client = client

    @contextlib.contextmanager
    def open(self, version: ObjectVersion) -> Iterator[S3Object]:
        """Open an object version with one ``GetObject``, and close it at the end.

        Raise ObjectMissingError where S3 says that it isn't there; let every other error through. An object
        without version is read as version "null", which is what S3 takes it for.
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


def _sha256_of_all(answer: GetObjectOutputTypeDef) -> str | None:
    """Return S3's SHA-256 of the whole object, in hex; a COMPOSITE one is of its parts' checksums."""
    if answer.get("ChecksumType") != "FULL_OBJECT" or "ChecksumSHA256" not in answer:
        return None
    return base64.b64decode(answer["ChecksumSHA256"]).hex()
