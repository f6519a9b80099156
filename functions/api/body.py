"""Reads the JSON body of a request, whatever somebody put in there."""

from __future__ import annotations

import base64
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, NoReturn

from functions.api.problems import FieldError, ProblemError, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

MAX_BODY_CHARACTERS = 16_384
"""The longest body that is read: twice the longest valid one, with 100 fingerprints, and four times the
longest that declares a receipt, whose file name is all escapes.

The limit also keeps an answer, which names every wrong member, below the 6 MB of a Lambda response.
"""


def read_members(
    request: Mapping[str, Any], allowed: Sequence[str]
) -> tuple[dict[str, object], list[FieldError]]:
    """Return the members of a request's body, and an error for each that isn't `allowed`.

    Raise a `ProblemError` with 415 unless the content type is JSON, with 413 if the body is too long, and
    with 400 if it isn't a JSON object.
    """
    _require_json(request["headers"].get("content-type"))
    body = request.get("body")
    _require_brevity(body)
    members = _json_object(body, is_base64=request["isBase64Encoded"], allowed=allowed)
    errors = [
        FieldError(
            field=shown(name), value=shown(members[name]), allowed=f"only the members {', '.join(allowed)}"
        )
        for name in members
        if name not in allowed
    ]
    return members, errors


def _require_json(content_type: str | None) -> None:
    media_type = (content_type or "").partition(";")[0].strip().lower()
    if media_type == "application/json" or (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        return
    raise ProblemError(
        status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        kind="unsupported-media-type",
        title="Unsupported media type",
        detail=f"The content type is {shown(content_type or 'absent')}: send application/json.",
        headers={"accept": "application/json"},
    )


def _require_brevity(body: str | None) -> None:
    if len(body or "") > MAX_BODY_CHARACTERS:
        raise ProblemError(
            status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            kind="body-too-long",
            title="Body too long",
            detail=f"The body must have at most {MAX_BODY_CHARACTERS} characters. A receipt itself goes to "
            "S3, with the form that POST /uploads returns.",
        )


def _json_object(body: str | None, *, is_base64: bool, allowed: Sequence[str]) -> dict[str, object]:
    """Return the members of the body, which has to be a JSON object (RFC 8259) with each member once."""
    try:
        # An HTTP API encodes a body in base64 unless the content type says that it is text.
        text = base64.b64decode(body or "", validate=True).decode() if is_base64 else body or ""
        members = json.loads(text, object_pairs_hook=_members_once, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        members = None
    if not isinstance(members, dict):
        raise ProblemError(
            status=HTTPStatus.BAD_REQUEST,
            kind="malformed-body",
            title="Malformed body",
            detail="The body must be one JSON object with only these members, none of them twice: "
            f"{', '.join(allowed)}.",
        )
    return members


def _members_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member is repeated")
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
