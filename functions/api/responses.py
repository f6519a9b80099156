"""From an HTTP API's request to its response: a handler for each route, and every error as a problem.

Requests and responses have payload format 2.0 (Amazon API Gateway Developer Guide, "Create AWS Lambda proxy
integrations for HTTP APIs in API Gateway"). API Gateway chooses the route, and answers unknown routes itself.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004

from functions.api import problems
from functions.api.problems import ProblemError
from functions.contract.entry import Caller
from functions.contract.form_metadata import caller_named
from functions.log import logger

Request = Mapping[str, Any]
Response = dict[str, Any]
Routes = dict[str, Callable[[Request], Response]]
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


def file_response(data: bytes, content_type: str, *, never_changes: bool = False) -> Response:
    """Answer with a file. Only one that never changes may be kept, and only by whoever asked."""
    keeping = "private, max-age=31536000, immutable" if never_changes else "no-store"
    return {
        "statusCode": int(HTTPStatus.OK),
        "headers": {"content-type": content_type, "cache-control": keeping},
        "body": base64.b64encode(data).decode(),
        "isBase64Encoded": True,
    }


def problem_response(problem: ProblemError) -> Response:
    """Answer with a problem, which no cache keeps."""
    return _response(problem.status, "application/problem+json", problem.to_json(), problem.headers)


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
