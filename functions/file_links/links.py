"""Signs links: presigned GETs, each for exactly one object version."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, urlsplit

from functions.contract.file_names import safe_file_name

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

    from functions.contract.entry import ObjectVersion

MEDIA_TYPE = "application/octet-stream"
"""What S3 says of every file, since a browser runs scripts in some of the others, or guesses."""

CACHING = "private, no-store"

ATTRIBUTE_CHARACTERS = "!#$&+-.^_`|~"
"""What ``filename*`` may have as it is, apart from letters and digits (RFC 8187, section 3.2.1)."""


@dataclass(frozen=True, kw_only=True)
class FileLink:
    """An address from which S3 returns one object version to anybody, until ``expires_at``."""

    url: str
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class FileLinks:
    """Signs links. Signing is local and calls no service.

    The client's credentials sign, and a link lends their ``s3:GetObjectVersion`` to its holder for one object
    version. It expires after its ``lifetime``, or with those credentials if they expire first.
    """

    client: S3Client
    lifetime: timedelta

    def link_to(self, version: ObjectVersion) -> FileLink:
        """Sign a link with which a browser saves the file, and neither shows, runs nor keeps it."""
        url = self.client.generate_presigned_url(
            "get_object",
            Params={
                "Bucket": version.bucket,
                "Key": version.key,
                "VersionId": version.version_id,
                "ResponseContentDisposition": content_disposition(safe_file_name(version.key)),
                "ResponseContentType": MEDIA_TYPE,
                "ResponseCacheControl": CACHING,
            },
            ExpiresIn=int(self.lifetime.total_seconds()),
        )
        # S3 counts from the whole second in the signature.
        (signed_at,) = parse_qs(urlsplit(url).query)["X-Amz-Date"]
        began = datetime.strptime(signed_at, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        return FileLink(url=url, expires_at=began + self.lifetime)


def content_disposition(name: str) -> str:
    """Write the header that has a browser save a file under a name (RFC 6266), which is a safe one.

    Browsers prefer ``filename*``. The other name is for programs that don't know it. It has no ``%``, which
    some of them would decode.
    """
    plain = name.encode("ascii", errors="replace").decode().replace("?", "_").replace("%", "_")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe=ATTRIBUTE_CHARACTERS)}"
