"""From an HTTP API's request to its response: a handler for each route, and every error as a problem.

Requests and responses have payload format 2.0 (Amazon API Gateway Developer Guide, "Create AWS Lambda proxy
integrations for HTTP APIs in API Gateway"). API Gateway chooses the route, and answers unknown routes itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004

from functions.api import problems
from functions.api.problems import ProblemError
from functions.contract.entry import Caller, Entry, ObjectVersion, Uploader, format_time
from functions.contract.form_metadata import caller_named
from functions.log import logger

Request = Mapping[str, Any]
Response = dict[str, Any]
Routes = Mapping[str, Callable[[Request], Response]]
"""Handlers by route key, such as ``GET /receipts/{fingerprint}``."""

CLIENT_CONFIG = Config(
    connect_timeout=2,
    read_timeout=3,
    retries={"mode": "standard", "total_max_attempts": 3},
)
"""An HTTP API gives up after 30 s. All attempts of a call end before that, so a problem can be answered."""

PRESIGNING_CONFIG = Config(
    signature_version="s3v4",
    # The style "auto" would sign for the global endpoint, which redirects outside of us-east-1. If the
    # endpoint is an IP address, as in the embedded AWS, the bucket is in the path in any case.
    s3={"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"},
)
"""Signs forms and links with SigV4 for the bucket's regional endpoint."""

THROTTLING_ERRORS = frozenset(
    {"ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException"}
)
"""Codes of DynamoDB, and of KMS behind it, for too many requests. Their status is 400."""


def respond(routes: Routes, request: Request) -> Response:
    """Answer a request with its route's handler. Any error becomes an ``application/problem+json``."""
    try:
        return routes[request["routeKey"]](request)
    except ProblemError as error:
        return problem_response(error)
    except Exception as error:  # noqa: BLE001 - logged, and answered as a problem
        request_id = request["requestContext"]["requestId"]
        logger.exception("request failed", extra={"api_request_id": request_id})
        unavailable = _is_transient(error)
        return problem_response(
            problems.unavailable(request_id) if unavailable else problems.internal_error(request_id)
        )


def caller_of(request: Request) -> Caller | None:
    """Return who sent a request, according to API Gateway."""
    authorizer = request["requestContext"].get("authorizer") or {}
    iam, claims = authorizer.get("iam") or {}, (authorizer.get("jwt") or {}).get("claims") or {}
    return caller_named(
        {"principal": iam.get("userArn"), "issuer": claims.get("iss"), "subject": claims.get("sub")}
    )


def json_response(body: Mapping[str, object], status: HTTPStatus = HTTPStatus.OK) -> Response:
    """Answer with JSON that no cache keeps, since the ledger is private and grows."""
    return _response(status, "application/json", body, {})


def problem_response(problem: ProblemError) -> Response:
    """Answer with a problem, which no cache keeps."""
    return _response(problem.status, "application/problem+json", problem.to_json(), problem.headers)


def entry_to_json(entry: Entry) -> dict[str, object]:
    """Write an entry as a JSON object.

    A rejection has ``reason`` and ``detail``, and a duplicate ``duplicate_of`` and ``restores``.
    Times are RFC 3339 in UTC. Unknown values are null.
    """
    upload, first = entry.upload, entry.duplicate_of
    return {
        "outcome": entry.outcome,
        **({"reason": entry.reason, "detail": entry.detail} if entry.reason is not None else {}),
        "fingerprint": entry.fingerprint,
        **_version_to_json(upload.version),
        "size_bytes": entry.size_bytes,
        "media_type": entry.media_type,
        "findings": entry.findings,
        "uploaded_at": format_time(upload.uploaded_at),
        "recorded_at": format_time(entry.recorded_at),
        "uploader": _uploader_to_json(upload.uploader),
        "resent": upload.resent,
        **({"duplicate_of": _version_to_json(first), "restores": entry.restores} if first else {}),
    }


def _uploader_to_json(uploader: Uploader) -> dict[str, object]:
    return {**vars(uploader), "caller": None if uploader.caller is None else vars(uploader.caller)}


def _version_to_json(version: ObjectVersion) -> dict[str, str]:
    return {"bucket": version.bucket, "key": version.key, "version_id": version.version_id}


def _response(
    status: HTTPStatus, content_type: str, body: Mapping[str, object], headers: Mapping[str, str]
) -> Response:
    return {
        "statusCode": int(status),
        "headers": {"content-type": content_type, "cache-control": "no-store", **headers},
        # ASCII only: a refused value may contain half a surrogate pair, which has no UTF-8.
        "body": json.dumps(body, separators=(",", ":")),
        "isBase64Encoded": False,
    }


def _is_transient(error: Exception) -> bool:
    """Say whether botocore gave up, after its own retries, on something that usually passes."""
    if isinstance(error, ClientError):
        code = error.response["Error"]["Code"]
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return code in THROTTLING_ERRORS or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return isinstance(error, ConnectionError | HTTPClientError)
