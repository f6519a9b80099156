"""Upload forms: presigned POSTs that let S3 take exactly one announced receipt."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from botocore.config import Config

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_s3 import S3Client

    from functions.upload_forms.request import UploadRequest

PRESIGNING_CONFIG = Config(
    signature_version="s3v4",
    # The style "auto" signs for the global endpoint, which redirects outside of us-east-1. With an IP address
    # as endpoint, as in the embedded AWS, the bucket goes into the path all the same.
    s3={"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"},
)
"""For forms with SigV4 and the bucket's regional endpoint."""


@dataclass(frozen=True, kw_only=True)
class UploadForm:
    """A form for an HTTP ``multipart/form-data`` POST to ``url``: all ``fields``, then the file as ``file``.

    S3 takes it until ``expires_at``, with a file of the announced size and SHA-256, and stores it under
    ``key``.
    """

    url: str
    fields: Mapping[str, str]
    key: str
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class UploadForms:
    """Makes forms for one bucket, under one prefix. Signing is local: it calls no service.

    The client's credentials sign, and whoever holds the form acts with their ``s3:PutObject`` and nothing
    else. A form ends with those credentials where that is before its ``lifetime``.
    """

    client: S3Client
    bucket: str
    prefix: str
    lifetime: timedelta

    def form_for(self, request: UploadRequest, *, now: datetime, upload_id: UUID) -> UploadForm:
        """Make a form with a key of its own: ``<prefix><YYYY>/<MM>/<DD>/<upload id>/<file name>``."""
        key = f"{self.prefix}{now:%Y/%m/%d}/{upload_id}/{request.key_part}"
        checksum = {
            "x-amz-checksum-algorithm": "SHA256",
            "x-amz-checksum-sha256": base64.b64encode(bytes.fromhex(request.fingerprint)).decode(),
        }
        presigned = self.client.generate_presigned_post(
            self.bucket,
            key,
            Fields=dict(checksum),
            # boto3 adds the conditions on the bucket and the key. S3 refuses a form with any field more.
            Conditions=[
                ["content-length-range", request.size_bytes, request.size_bytes],
                *({name: value} for name, value in checksum.items()),
            ],
            ExpiresIn=int(self.lifetime.total_seconds()),
        )
        return UploadForm(
            url=presigned["url"], fields=presigned["fields"], key=key, expires_at=now + self.lifetime
        )
