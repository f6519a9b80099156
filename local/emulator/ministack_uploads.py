"""Adds to ministack's S3: what it doesn't check of an upload.

- The condition keys for the storage class, the KMS key, and the algorithm of a key that comes with the
  request (Service Authorization Reference, "Condition keys for Amazon S3").
- The permission to tag, for an upload with tags (S3 API Reference, "PutObject", "CreateMultipartUpload").
- The length of a key (S3 User Guide, "Naming Amazon S3 objects").
- The SHA-256 in a form (S3 User Guide, "Checking object integrity in Amazon S3").
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from ministack.core import iam_actions
from ministack.services import s3

from functions.contract.s3_events import LONGEST_KEY_BYTES

HEADERS = (
    "x-amz-storage-class",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-customer-algorithm",
)
CHECKSUM_OF_FILE = "x-ignore-checksum-of-file"
"""A field for this module alone: a form's policy says nothing about fields that begin with `x-ignore-`."""

Response = tuple[Any, ...]


def install() -> None:
    """Wrap ministack's functions that read, check and store an upload."""
    _install_condition_keys()
    _install_permission_to_tag()
    _install_length_of_keys()
    _install_checks_of_forms()


def _install_condition_keys() -> None:
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


def _install_permission_to_tag() -> None:
    checks_of = iam_actions.s3_additional_checks

    def checks(method: str, path: str, headers: Mapping[str, str], *more: Any) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = checks_of(method, path, headers, *more)
        if headers.get("x-amz-tagging"):
            found.append(("s3:PutObjectTagging", f"arn:aws:s3:::{path.lstrip('/')}"))
        return found

    iam_actions.s3_additional_checks = checks


def _install_length_of_keys() -> None:
    validate = s3.validate_object_request

    def validate_key(method: str, path: str, headers: Mapping[str, str], *more: Any) -> Response | None:
        _bucket, key = s3._parse_bucket_key(path, headers)
        return _too_long(key) or validate(method, path, headers, *more)

    s3.validate_object_request = validate_key


def _install_checks_of_forms() -> None:
    read, check = s3._parse_multipart_form, s3._enforce_signed_post_policy

    def read_with_checksum(content_type: str, body: bytes) -> list[tuple[Any, ...]]:
        parts: list[tuple[Any, ...]] = read(content_type, body)
        content = next((value for name, _, _, value in parts if name == "file"), b"")
        return [*parts, (CHECKSUM_OF_FILE, None, {}, base64.b64encode(hashlib.sha256(content).digest()))]

    def check_key_and_checksum(fields: Mapping[str, str], *more: Any) -> Response | None:
        refusal: Response | None = check(fields, *more) or _too_long(fields.get("key", ""))
        found = fields[CHECKSUM_OF_FILE]
        if not refusal and fields.get("x-amz-checksum-sha256", found) != found:
            return _refusal("BadDigest", "The SHA256 you specified did not match the calculated checksum.")
        return refusal

    s3._parse_multipart_form, s3._enforce_signed_post_policy = read_with_checksum, check_key_and_checksum


def _too_long(key: str) -> Response | None:
    if len(key.encode()) <= LONGEST_KEY_BYTES:
        return None
    return _refusal("KeyTooLongError", "Your key is too long")


def _refusal(code: str, message: str) -> Response:
    refused: Response = s3._error(code, message, 400)
    return refused
