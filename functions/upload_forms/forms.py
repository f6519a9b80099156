"""Signs upload forms: presigned POSTs, each for exactly one declared receipt."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from functions.contract.form_metadata import CALLER, FIELD_PREFIX, write_caller

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_s3 import S3Client

    from functions.contract.entry import Caller
    from functions.upload_forms.request import UploadRequest


@dataclass(frozen=True, kw_only=True)
class UploadForm:
    """A form for a ``multipart/form-data`` POST to ``url``: all ``fields``, then the file as ``file``.

    Until ``expires_at``, S3 accepts a file with the declared size and SHA-256, and stores it under ``key``.
    """

    url: str
    fields: Mapping[str, str]
    key: str
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class UploadForms:
    """Signs forms for one bucket and the form prefix. Signing is local and calls no service.

    The client's credentials sign, and the form lends their ``s3:PutObject`` to its holder, and nothing else.
    A form expires after its ``lifetime``, or with those credentials if they expire first.
    """

    client: S3Client
    bucket: str
    prefix: str
    lifetime: timedelta

    def form_for(
        self, request: UploadRequest, *, caller: Caller | None, now: datetime, upload_id: UUID
    ) -> UploadForm:
        """Sign a form with its own key, ``<prefix><YYYY>/<MM>/<DD>/<upload id>/<file name>``.

        The caller becomes the object's metadata. The processor reads it from there.
        """
        key = f"{self.prefix}{now:%Y/%m/%d}/{upload_id}/{request.key_part}"
        signed = {
            "x-amz-checksum-algorithm": "SHA256",
            "x-amz-checksum-sha256": base64.b64encode(bytes.fromhex(request.fingerprint)).decode(),
            **({FIELD_PREFIX + CALLER: write_caller(caller)} if caller is not None else {}),
        }
        presigned = self.client.generate_presigned_post(
            self.bucket,
            key,
            Fields=dict(signed),
            # boto3 adds the conditions for the bucket and the key. S3 refuses a form with other fields.
            Conditions=[
                ["content-length-range", request.size_bytes, request.size_bytes],
                *({name: value} for name, value in signed.items()),
            ],
            ExpiresIn=int(self.lifetime.total_seconds()),
        )
        return UploadForm(
            url=presigned["url"], fields=presigned["fields"], key=key, expires_at=now + self.lifetime
        )
