"""The body of ``POST /uploads``: its members, all checked, all errors reported at once."""

from __future__ import annotations

import base64
import json
import unicodedata
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, NoReturn, TypeVar

from functions.api.problems import (
    FieldError,
    Problem,
    ProblemError,
    field_errors,
    invalid_parameters,
    shown,
)
from functions.contract.entry import parse_fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

MEMBERS = ("filename", "size_bytes", "fingerprint")

MAX_BODY_CHARACTERS = 16_384
"""How much of a body is read: four times the longest that can be right, a file name all in escapes.

It bounds the answer too, which names every member that is wrong: Lambda takes 6 MB.
"""

MAX_FILENAME_CHARACTERS = 255
MAX_KEY_PART_BYTES = 255
"""How much of a file name goes into a key, which has 1,024 bytes with the prefix, the date and the UUID."""


@dataclass(frozen=True, kw_only=True)
class UploadRequest:
    """A receipt that somebody wants to upload. ``key_part`` is its file name, made safe."""

    key_part: str
    size_bytes: int
    fingerprint: str


def parse_upload_request(
    *, content_type: str | None, body: str | None, is_base64: bool, max_bytes: int
) -> UploadRequest:
    """Read the body of a request, or raise a `ProblemError` that names every member at fault.

    415 unless the content type is JSON; 400 for a body that is no JSON object, or has wrong members; 413 for
    one that is too long, and where nothing but the size of the receipt is wrong and over ``max_bytes``.
    """
    _require_json(content_type)
    _require_brevity(body)
    members = _json_object(body, is_base64=is_base64)
    errors = [
        FieldError(
            field=shown(name), value=shown(members[name]), allowed=f"no members but {', '.join(MEMBERS)}"
        )
        for name in members
        if name not in MEMBERS
    ]

    def parsed(name: str, parse: Callable[[object], T]) -> T | None:
        """Return a member's value, or ``None`` with an error noted."""
        try:
            return parse(members.get(name))
        except ValueError as allowed:
            value = shown(members[name]) if name in members else None
            errors.append(FieldError(field=name, value=value, allowed=str(allowed)))
            return None

    key_part = parsed("filename", _key_part)
    size_bytes = parsed("size_bytes", _size)
    fingerprint = parsed("fingerprint", parse_fingerprint)

    too_large = size_bytes is not None and size_bytes > max_bytes
    if too_large and not errors:
        raise ProblemError(_too_large(_size_error(size_bytes, max_bytes)))
    if too_large:
        errors.append(_size_error(size_bytes, max_bytes))
    if key_part is None or size_bytes is None or fingerprint is None or errors:
        raise ProblemError(invalid_parameters(errors))
    return UploadRequest(key_part=key_part, size_bytes=size_bytes, fingerprint=fingerprint)


def safe_key_part(filename: str) -> str:
    """Turn a file name into the last part of an object key; "" where nothing is left of it.

    Folders are cut off, in the way of Unix and of Windows. Letters, marks and digits of any script stay, in
    Unicode normal form C, and so do ``-``, ``_`` and inner dots; all else becomes ``_``. So a key needs no
    quoting in a shell or a URL's path beyond percent-encoding, holds no ``${filename}`` for S3 to fill in,
    and has no part ``..``. A name that is too long keeps its end, where the extension is. The key is for
    people: the media type is always taken from the bytes.
    """
    name = unicodedata.normalize("NFC", filename.replace("\\", "/").rpartition("/")[2]).strip(". ")
    safe = "".join(char if char in "-_." or unicodedata.category(char)[0] in "LMN" else "_" for char in name)
    return safe.encode()[-MAX_KEY_PART_BYTES:].decode(errors="ignore")


def _require_json(content_type: str | None) -> None:
    media_type = (content_type or "").partition(";")[0].strip().lower()
    if media_type == "application/json" or (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        return
    raise ProblemError(
        Problem(
            status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            kind="unsupported-media-type",
            title="Unsupported media type",
            detail=f"The content type is {shown(content_type or 'absent')}: send application/json.",
            headers={"accept": "application/json"},
        )
    )


def _require_brevity(body: str | None) -> None:
    if len(body or "") > MAX_BODY_CHARACTERS:
        raise ProblemError(
            Problem(
                status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                kind="body-too-long",
                title="Body too long",
                detail=f"The body must have at most {MAX_BODY_CHARACTERS} characters. It announces "
                "a receipt; the receipt itself goes to S3, with the form that comes back.",
            )
        )


def _json_object(body: str | None, *, is_base64: bool) -> dict[str, object]:
    """Return the members of the body, which has to be one JSON object (RFC 8259) with each member once."""
    try:
        # HTTP APIs encode a body in base64 unless its content type says that it is text.
        text = base64.b64decode(body or "", validate=True).decode() if is_base64 else body or ""
        members = json.loads(text, object_pairs_hook=_members_once, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        members = None
    if not isinstance(members, dict):
        raise ProblemError(
            Problem(
                status=HTTPStatus.BAD_REQUEST,
                kind="malformed-body",
                title="Malformed body",
                detail=f"The body must be one JSON object with the members {', '.join(MEMBERS)}, each once.",
            )
        )
    return members


def _members_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member is repeated")
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


# Each of these raises a ValueError that says what is allowed.


def _key_part(value: object) -> str:
    if (
        isinstance(value, str)
        and 1 <= len(value) <= MAX_FILENAME_CHARACTERS
        and not any(unicodedata.category(char) in {"Cc", "Cs"} for char in value)
        and (key_part := safe_key_part(value))
    ):
        return key_part
    raise ValueError(
        f"the name of a file: 1 to {MAX_FILENAME_CHARACTERS} characters, not only dots and folders, "
        "no control characters"
    )


def _size(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    raise ValueError("the size of the file in bytes: a whole number from 1")


def _size_error(size_bytes: int | None, max_bytes: int) -> FieldError:
    return FieldError(field="size_bytes", value=shown(size_bytes), allowed=f"at most {max_bytes}")


def _too_large(error: FieldError) -> Problem:
    return Problem(
        status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        kind="too-large",
        title="Receipt too large",
        detail=f"A receipt of {error.value} bytes can't be taken: {error.allowed} bytes are allowed.",
        members={"errors": field_errors([error])},
    )
