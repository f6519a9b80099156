"""S3's objects, for a ``GetObject`` or a ``HeadObject`` of an exact version or of the latest."""

from __future__ import annotations

import base64
import hashlib
import zlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

from functions.contract.entry import ObjectVersion
from local.in_process.answers import Answer, s3_error


@dataclass(frozen=True, kw_only=True)
class StoredObject:
    """An object's bytes, which are a piece as many times as ``repeats`` says, and which checksum S3 keeps.

    SDKs send a CRC-32 unless told otherwise; `bill-e` and the upload forms send a SHA-256.
    """

    piece: bytes
    repeats: int = 1
    checksum: Literal["CRC32", "SHA256"] = "CRC32"

    @cached_property
    def digest(self) -> bytes:
        """What S3 computed when the object was put."""
        crc, sha = 0, hashlib.sha256()
        for _ in range(self.repeats):
            if self.checksum == "CRC32":
                crc = zlib.crc32(self.piece, crc)
            else:
                sha.update(self.piece)
        return crc.to_bytes(4, "big") if self.checksum == "CRC32" else sha.digest()


def head_object(objects: dict[ObjectVersion, StoredObject], url: str) -> Answer:
    """Answer a ``HeadObject``: what a ``GetObject`` answers, without the body."""
    answer = get_object(objects, url)
    size = len(answer.body) * answer.repeats
    return replace(answer, headers={**answer.headers, "Content-Length": str(size)}, body=b"", to_head=True)


def get_object(objects: dict[ObjectVersion, StoredObject], url: str) -> Answer:
    """Answer a ``GetObject``; without a version id, with the version of the key that was stored last."""
    parts = urlsplit(url)
    bucket, key = parts.netloc.partition(".")[0], unquote(parts.path[1:])
    asked = parse_qs(parts.query).get("versionId")
    version = (
        ObjectVersion(bucket=bucket, key=key, version_id=asked[0])
        if asked
        else next((each for each in reversed(objects) if (each.bucket, each.key) == (bucket, key)), None)
    )
    if version is None or version not in objects:
        return s3_error(404, "NoSuchVersion")
    stored = objects[version]
    headers = {
        "Content-Type": "binary/octet-stream",
        "ETag": '"0123456789abcdef0123456789abcdef"',
        "Last-Modified": "Sat, 21 Nov 2026 10:00:00 GMT",
        "x-amz-version-id": version.version_id,
        "x-amz-checksum-type": "FULL_OBJECT",
        f"x-amz-checksum-{stored.checksum.lower()}": base64.b64encode(stored.digest).decode(),
    }
    return Answer(headers=headers, body=stored.piece, repeats=stored.repeats)
