"""The API's errors, as problem details (RFC 9457).

Clients may rely on ``type``. Titles and details are for people, and their wording may change.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import islice
from typing import Any, TypeVar

from functions.contract.http_api import problem_type

T = TypeVar("T")

SHOWN_CHARACTERS = 100
"""How much of a refused value an error shows."""


@dataclass(frozen=True, kw_only=True)
class FieldError:
    """A refused parameter or body member: its name, its value (``None`` if it is absent), what is allowed."""

    field: str
    value: str | None
    allowed: str


@dataclass(kw_only=True, eq=False)
class ProblemError(Exception):
    """Ends a request with a problem. ``members`` are its extension members; ``headers`` are sent with it."""

    status: HTTPStatus
    kind: str
    title: str
    detail: str
    members: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """Write the problem as the JSON object of an ``application/problem+json`` body."""
        return {
            "type": problem_type(self.kind),
            "title": self.title,
            "status": int(self.status),
            "detail": self.detail,
            **self.members,
        }


def shown(value: object) -> str:
    """Return a refused value for a message: text as it is, anything else as JSON. A long value is cut."""
    if isinstance(value, str):
        text = value
    else:
        # Each piece has at least a character, so no more of a deep value is visited than is shown.
        text = "".join(islice(json.JSONEncoder().iterencode(value), SHOWN_CHARACTERS + 1))
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def parsed(
    name: str, given: Mapping[str, Any], parse: Callable[[Any], T], errors: list[FieldError]
) -> T | None:
    """Return a field's value. If `parse` raises a ValueError, which says what is allowed, add an error."""
    try:
        return parse(given.get(name))
    except ValueError as allowed:
        value = shown(given[name]) if name in given else None
        errors.append(FieldError(field=name, value=value, allowed=str(allowed)))
        return None


def invalid_parameters(errors: Sequence[FieldError]) -> ProblemError:
    """Name everything that is wrong with a request."""
    names = ", ".join(dict.fromkeys(error.field for error in errors))
    return ProblemError(
        status=HTTPStatus.BAD_REQUEST,
        kind="invalid-parameter",
        title="Invalid parameter",
        detail=f"The request has {len(errors)} invalid parameter(s): {names}.",
        members={"errors": field_errors(errors)},
    )


def field_errors(errors: Iterable[FieldError]) -> list[dict[str, str | None]]:
    """Write field errors for a problem's ``errors`` member."""
    return [{"field": error.field, "value": error.value, "allowed": error.allowed} for error in errors]


def unavailable(request_id: str) -> ProblemError:
    """Say that a service behind the API is throttling or out of reach. Another attempt may succeed."""
    return ProblemError(
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        kind="unavailable",
        title="Temporarily unavailable",
        detail="A service behind this API is busy. Please send the request again.",
        members={"request_id": request_id},
        headers={"retry-after": "1"},
    )


def internal_error(request_id: str) -> ProblemError:
    """Say that the API itself failed. The log has the error, under the request id."""
    return ProblemError(
        status=HTTPStatus.INTERNAL_SERVER_ERROR,
        kind="internal-error",
        title="Internal error",
        detail="The request could not be completed. Please quote the request id when you report this.",
        members={"request_id": request_id},
    )
