"""Adds to ministack: the condition keys of an upload to S3 that it lacks.

They are the storage class, the KMS key, and the algorithm of a key that comes with the request
(Service Authorization Reference, "Condition keys for Amazon S3").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ministack.core import iam_actions

HEADERS = (
    "x-amz-storage-class",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-customer-algorithm",
)


def install() -> None:
    """Wrap ministack's function for the condition keys of a request about an object."""
    context_of = iam_actions._s3_object_context

    def context(
        iam_action: str, query_params: Mapping[str, Any], path: str, headers: Mapping[str, str]
    ) -> dict[str, Any]:
        known: dict[str, Any] = context_of(iam_action, query_params, path, headers)
        # A part of a multipart upload comes without them: the request that begins the upload decides.
        if iam_action == "s3:PutObject" and "uploadId" not in query_params:
            known |= {f"s3:{name}": headers[name] for name in HEADERS if headers.get(name)}
        return known

    iam_actions._s3_object_context = context
