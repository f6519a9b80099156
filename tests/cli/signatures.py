"""Checks Signature Version 4 as AWS does, following AWS's page "Create a signed AWS API request"."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from urllib.parse import quote, unquote


def is_signed(
    method: str, target: str, headers: Mapping[str, str], body: bytes, secret: str, service: str
) -> bool:
    """Whether the Authorization header proves that the holder of `secret` sent this to `service`."""
    found = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=[^/]+/(?P<scope>\d{8}/[^/]+/(?P<service>[^/]+)/aws4_request), "
        r"SignedHeaders=(?P<names>[^,]+), Signature=(?P<signature>[0-9a-f]{64})",
        headers.get("Authorization", ""),
    )
    if found is None or found["service"] != service:
        return False
    path, _, query = target.partition("?")
    lower = {name.lower(): value for name, value in headers.items()}
    canonical = "\n".join(
        [
            method,
            # Services other than S3 encode the path that was sent once more.
            path if service == "s3" else quote(path, safe="/-_.~"),
            "&".join(sorted(_encoded_pair(pair) for pair in query.split("&") if pair)),
            *(f"{name}:{' '.join(lower[name].split())}" for name in found["names"].split(";")),
            "",
            found["names"],
            lower.get("x-amz-content-sha256", hashlib.sha256(body).hexdigest()),
        ]
    )
    to_sign = "\n".join(
        [
            "AWS4-HMAC-SHA256",
            lower["x-amz-date"],
            found["scope"],
            hashlib.sha256(canonical.encode()).hexdigest(),
        ]
    )
    key = f"AWS4{secret}".encode()
    for part in found["scope"].split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.compare_digest(hmac.digest(key, to_sign.encode(), "sha256").hex(), found["signature"])


def _encoded_pair(pair: str) -> str:
    name, _, value = pair.partition("=")
    return f"{quote(unquote(name), safe='-_.~')}={quote(unquote(value), safe='-_.~')}"
