"""Opens one exact version of an object in S3, to be read once."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from functions.contract.entry import fingerprint_of_checksum
from functions.contract.processing import S3_KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Set
    from datetime import datetime

    from botocore.response import StreamingBody
    from types_boto3_s3 import S3Client

    from functions.contract.entry import ObjectVersion

CHUNK_BYTES = 1024 * 1024

MISSING = frozenset({"NoSuchKey", "NoSuchVersion"})
"""S3's errors for an object version that isn't there. Without ``s3:ListBucket``, S3 answers 403 instead."""

ARCHIVED = "InvalidObjectState"
"""S3's error for an object in a storage class from which it has to be restored first."""

KEY_REFUSED = "AccessDenied"
"""S3's error for an object under a KMS key that the role may not use, among others."""

KEY_UNUSABLE = "KMS."
"""How S3's errors about a KMS key begin that is disabled, deleted, or in another state."""

KEY_OF_UPLOADER = "InvalidRequest"
"""S3's error for an object under a key that only its uploader has (SSE-C)."""


class ObjectMissingError(Exception):
    """The object version was deleted for good, or never existed."""


@dataclass(frozen=True, kw_only=True)
class S3Object:
    """One open object version. If S3 has a ``sha256`` of its bytes, the reader has to compare it.

    If S3 has another checksum, botocore compares it while the bytes are read. ``body`` is ``None`` if S3 will
    not return the bytes, however often it is asked. ``metadata`` is what the uploader wrote about the object.
    """

    size_bytes: int
    modified: datetime
    metadata: Mapping[str, str] = field(default_factory=dict)
    sha256: str | None = None
    body: StreamingBody | None = None

    @property
    def is_readable(self) -> bool:
        """Whether S3 returns the bytes."""
        return self.body is not None

    def chunks(self) -> Iterator[bytes]:
        """Read the bytes in pieces. Raises a botocore error if they are cut off or fail their checksum."""
        return iter(()) if self.body is None else self.body.iter_chunks(CHUNK_BYTES)


class S3Objects:
    """The object versions in an account's buckets. Safe to use from several threads, like boto3 clients.

    ``readable_encryption`` has the ARNs of the KMS keys that the role may use.
    """

    def __init__(self, client: S3Client, account_id: str, readable_encryption: Set[str]) -> None:
        self._client = client
        self._account_id = account_id
        self._readable_encryption = readable_encryption
        client.meta.events.register("before-call.s3.GetObject", _leave_sha256_to_the_reader)

    @contextlib.contextmanager
    def open(
        self, version: ObjectVersion, allow_call: Callable[[], None] = lambda: None
    ) -> Iterator[S3Object]:
        """Open an object version with one ``GetObject``, and close it at the end.

        If S3 refuses, it may be asked why; ``allow_call`` is called before, and may raise to give up. Raise
        ObjectMissingError if S3 says that the object version isn't there, and botocore's errors otherwise. S3
        treats an object without a version as version "null".
        """
        which: Mapping[str, Any] = {
            "Bucket": version.bucket,
            "Key": version.key,
            "VersionId": version.version_id,
            "ExpectedBucketOwner": self._account_id,
        }
        try:
            answer = self._client.get_object(**which, ChecksumMode="ENABLED")
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in MISSING:
                raise ObjectMissingError(f"version {version.version_id} is not there") from error
            allow_call()
            unreadable = self._unreadable(which, code)
            if unreadable is None:
                raise
            yield unreadable
            return
        with contextlib.closing(answer["Body"]) as body:
            yield S3Object(
                size_bytes=answer["ContentLength"],
                modified=answer["LastModified"],
                metadata=answer["Metadata"],
                sha256=fingerprint_of_checksum(answer.get("ChecksumSHA256")),
                body=body,
            )

    def _unreadable(self, which: Mapping[str, Any], code: str) -> S3Object | None:
        """Return what S3 says about an object that will never be readable; None if an error may pass.

        S3 refuses an object in the same way if its key isn't ours as if we lack a permission on our own key.
        ``HeadObject`` tells which, as it needs no KMS key, but it does need the key of an uploader (S3 API
        Reference, HeadObject).
        """
        if code == KEY_OF_UPLOADER:
            return self._listed(which)
        if code not in {ARCHIVED, KEY_REFUSED} and not code.startswith(KEY_UNUSABLE):
            return None
        try:
            head = self._client.head_object(**which)
        except ClientError:
            return None
        if code != ARCHIVED and head.get("SSEKMSKeyId", S3_KEY) in self._readable_encryption:
            return None
        return S3Object(
            size_bytes=head["ContentLength"], modified=head["LastModified"], metadata=head["Metadata"]
        )

    def _listed(self, which: Mapping[str, Any]) -> S3Object | None:
        """Find an object version in the bucket's listing, where the versions of its own key come first."""
        pages = self._client.get_paginator("list_object_versions").paginate(
            Bucket=which["Bucket"], Prefix=which["Key"], ExpectedBucketOwner=self._account_id
        )
        for listed in (listed for page in pages for listed in page.get("Versions", ())):
            if listed["Key"] != which["Key"]:
                return None
            if listed["VersionId"] == which["VersionId"]:
                return S3Object(size_bytes=listed["Size"], modified=listed["LastModified"])
        return None


def _leave_sha256_to_the_reader(context: dict[str, Any], **_: object) -> None:
    """Keep botocore from computing the SHA-256, since the fingerprint is the same."""
    algorithms = context.get("checksum", {}).get("response_algorithms", [])
    if "sha256" in algorithms:
        algorithms.remove("sha256")
