"""S3 objects in memory: what ``GetObject`` of one exact or latest version needs."""

from __future__ import annotations

import base64
import hashlib
import zlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

Checksum = Literal["CRC32", "SHA256"]


@dataclass(frozen=True, kw_only=True)
class StoredObject:
    """The bytes of an object version, and the checksum that S3 keeps of them.

    Today's SDKs send a CRC-32 unless told otherwise; `bill-e` and the upload forms send a SHA-256.
    """

    body: bytes
    checksum: Checksum = "CRC32"

    @cached_property
    def digest(self) -> bytes:
        """What S3 computed when the object was put."""
        if self.checksum == "SHA256":
            return hashlib.sha256(self.body).digest()
        return zlib.crc32(self.body).to_bytes(4, "big")

    def headers(self, version_id: str) -> dict[str, str]:
        """Return the response headers of a ``GetObject`` with ``ChecksumMode=ENABLED``."""
        return {
            "Content-Length": str(len(self.body)),
            "Content-Type": "binary/octet-stream",
            "ETag": '"0123456789abcdef0123456789abcdef"',
            "Last-Modified": "Sat, 21 Nov 2026 10:00:00 GMT",
            "x-amz-version-id": version_id,
            "x-amz-checksum-type": "FULL_OBJECT",
            f"x-amz-checksum-{self.checksum.lower()}": base64.b64encode(self.digest).decode(),
        }


@dataclass(kw_only=True)
class S3:
    """Objects by key and version id. There is one bucket, of any name."""

    objects: dict[tuple[str, str], StoredObject] = field(default_factory=dict)

    def get(self, key: str, version_id: str | None) -> tuple[StoredObject, str] | None:
        """Return an object version with its id: the one asked for, or the one that was put last."""
        if version_id is None:
            version_id = next((version for name, version in reversed(self.objects) if name == key), "")
        stored = self.objects.get((key, version_id))
        return None if stored is None else (stored, version_id)
