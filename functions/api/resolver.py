"""The resolver of an HTTP API function: routing and plumbing by Powertools, every error as a problem."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import NoReturn

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004

from functions.api import problems
from functions.api.problems import Problem, ProblemError

METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")

THROTTLING_ERRORS = frozenset(
    {"ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException"}
)
"""Codes with which DynamoDB, and KMS behind it, refuse too many requests. Their status is 400."""

logger = Logger()


def new_resolver() -> APIGatewayHttpResolver:
    """Make a resolver whose every error, also for an unknown path, is an ``application/problem+json``."""
    app = APIGatewayHttpResolver()

    def refuse(error: ProblemError) -> Response[str]:
        return problem_response(error.problem)

    def no_route(_: NotFoundError) -> Response[str]:
        return problem_response(problems.route_not_found(_method(app), _path(app)))

    def fail(error: Exception) -> Response[str]:
        request_id = app.current_event.request_context.request_id
        logger.exception("request failed", exc_info=error, request_id=request_id)
        if _is_transient(error):
            return problem_response(problems.unavailable(request_id))
        return problem_response(problems.internal_error(request_id))

    app.exception_handler(ProblemError)(refuse)
    app.exception_handler(NotFoundError)(no_route)
    app.exception_handler(Exception)(fail)
    return app


def refuse_other_methods(app: APIGatewayHttpResolver, rule: str, allowed: str) -> None:
    """Answer all methods of a route but the ``allowed`` one with 405."""

    @app.route(rule, method=[method for method in METHODS if method != allowed])
    def _refuse(**_: str) -> NoReturn:
        raise ProblemError(problems.method_not_allowed(_method(app), _path(app), allowed))


def json_response(body: Mapping[str, object], status: HTTPStatus = HTTPStatus.OK) -> Response[str]:
    """Answer with JSON that no cache keeps: the ledger is private, and grows."""
    return _response(status, "application/json", body, {})


def problem_response(problem: Problem) -> Response[str]:
    """Answer with a problem."""
    return _response(problem.status, "application/problem+json", problem.to_json(), problem.headers)


def _response(
    status: HTTPStatus, content_type: str, body: Mapping[str, object], headers: Mapping[str, str]
) -> Response[str]:
    return Response(
        status_code=int(status),
        content_type=content_type,
        # ASCII only: a refused value may hold half a surrogate pair, which has no UTF-8.
        body=json.dumps(body, separators=(",", ":")),
        headers={"cache-control": "no-store", **headers},
    )


def _is_transient(error: Exception) -> bool:
    """Tell whether botocore gave up, after its own retries, on something that tends to pass."""
    if isinstance(error, ClientError):
        code = error.response["Error"]["Code"]
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return code in THROTTLING_ERRORS or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return isinstance(error, ConnectionError | HTTPClientError)


def _method(app: APIGatewayHttpResolver) -> str:
    return app.current_event.http_method


def _path(app: APIGatewayHttpResolver) -> str:
    return app.current_event.path
