"""Errors that the page gets: problems (RFC 9457), with types like those of the stack's API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

from cli.errors import BillEError, DeniedError, SignInError, UnavailableError, UsageError
from functions.contract.http_api import problem_type

if TYPE_CHECKING:
    from botocore.awsrequest import AWSResponse

NO_SESSION = "no-session"
NOT_FROM_PAGE = "not-from-page"
LOGIN_ENDED = "login-ended"
MISSING_RIGHT = "missing-right"
UNAVAILABLE = "unavailable"
INVALID_REQUEST = "invalid-request"
FAILED = "failed"

CALLER_RIGHT = "caller_policy"
AUDITOR_RIGHT = "auditor_policy"
OPERATOR_RIGHT = "operator_policy"
"""The stack's outputs with the policies that grant a right."""

HANDED_ON = frozenset({"application/json", "application/problem+json", "text/plain"})
"""Media types that a browser takes for neither a page nor a script of the console. Others become bytes."""


def problem(kind: str, status: int, title: str, detail: str, **members: object) -> Response:
    """Make a problem; `members` are besides the standard ones."""
    return JSONResponse(
        {"type": problem_type(kind), "title": title, "status": status, "detail": detail, **members},
        status_code=status,
        media_type="application/problem+json",
    )


def problem_of(error: BillEError, right: str | None = None, **members: object) -> Response:
    """Turn an error into the problem that it is for the page; `right` is what a refusal lacks."""
    detail = str(error)
    if isinstance(error, SignInError):
        return problem(LOGIN_ENDED, 401, "Your sign-in has ended", detail, **members)
    if isinstance(error, DeniedError):
        return problem(MISSING_RIGHT, 403, "You may not do this", detail, missing_right=right, **members)
    if isinstance(error, UsageError):
        return problem(INVALID_REQUEST, 400, "The request is not valid", detail, **members)
    if isinstance(error, UnavailableError):
        return problem(UNAVAILABLE, 503, "The stack can't be reached", detail, **members)
    return problem(FAILED, 502, "The stack refused it", detail, **members)


def handed_on(answer: AWSResponse, right: str) -> Response:
    """Hand on an answer of the stack's API. What its gateway says becomes a problem."""
    status, media_type = answer.status_code, answer.headers.get("Content-Type")
    if status < 400 or (media_type or "").startswith("application/problem+json"):
        kept = {"Retry-After": wait} if (wait := answer.headers.get("Retry-After")) else None
        is_harmless = (media_type or "").partition(";")[0].strip() in HANDED_ON
        return Response(
            answer.content, status, kept, media_type if is_harmless else "application/octet-stream"
        )
    said = answer.content.decode(errors="replace")[:500]
    if status == 401 or (status == 403 and "expired" in said):
        return problem(
            LOGIN_ENDED, 401, "Your sign-in has ended", "Sign in again, and start the console anew."
        )
    if status == 403:
        return problem(
            MISSING_RIGHT,
            403,
            "You may not do this",
            f"The stack's API refused it. The stack's output {right} is a policy that allows it, and with "
            "tokens it is a scope.",
            missing_right=right,
        )
    return problem(
        UNAVAILABLE if status >= 500 or status == 429 else FAILED,
        status,
        "The stack's API failed" if status >= 500 else "The stack's API refused it",
        f"It said: {said}",
    )
