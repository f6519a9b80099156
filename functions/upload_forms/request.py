"""Reads the body of ``POST /uploads``, and reports everything that is wrong with it at once."""

from __future__ import annotations

import base64
import json
import unicodedata
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, NoReturn, TypeVar

from functions.api.problems import (
    FieldError,
    ProblemError,
    field_errors,
    invalid_parameters,
    parsed,
    shown,
)
from functions.contract.entry import parse_fingerprint

if TYPE_CHECKING:
    pass

T = TypeVar("T")

MEMBERS = ("filename", "size_bytes", "fingerprint")

MAX_BODY_CHARACTERS = 16_384
"""The longest body that is read: four times the longest valid one, whose file name is all escapes.

The limit also keeps an answer, which names every wrong member, below the 6 MB of a Lambda response.
"""

MAX_FILENAME_CHARACTERS = 255
MAX_KEY_PART_BYTES = 255
"""How much of a file name is in a key, which has up to 1,024 bytes with the prefix, date and UUID."""


@dataclass(frozen=True, kw_only=True)
class UploadRequest:
    """A receipt that a caller wants to upload. ``key_part`` is its file name, made safe."""

    key_part: str
    size_bytes: int
    fingerprint: str


def parse_upload_request(
    *, content_type: str | None, body: str | None, is_base64: bool, max_bytes: int
) -> UploadRequest:
    """Read the body of a request, or raise a `ProblemError` that names every wrong member.

    The status is 415 unless the content type is JSON. It is 400 if the body isn't a JSON object or has wrong
    members. It is 413 if the body is too long, or if the only thing wrong is a size over ``max_bytes``.
    """
    _require_json(content_type)
    _require_brevity(body)
    members = _json_object(body, is_base64=is_base64)
    errors = [
        FieldError(
            field=shown(name), value=shown(members[name]), allowed=f"only the members {', '.join(MEMBERS)}"
        )
        for name in members
        if name not in MEMBERS
    ]

    key_part = parsed("filename", members, _key_part, errors)
    size_bytes = parsed("size_bytes", members, _size, errors)
    fingerprint = parsed("fingerprint", members, parse_fingerprint, errors)

    if size_bytes is not None and size_bytes > max_bytes:
        error = FieldError(field="size_bytes", value=shown(size_bytes), allowed=f"at most {max_bytes}")
        if not errors:
            raise _too_large(error)
        errors.append(error)
    if key_part is None or size_bytes is None or fingerprint is None or errors:
        raise invalid_parameters(errors)
    return UploadRequest(key_part=key_part, size_bytes=size_bytes, fingerprint=fingerprint)


def safe_key_part(filename: str) -> str:
    """Turn a file name into the last part of an object key, which is "" if nothing of the name is left.

    Folders are cut off, both those of Unix and of Windows. Letters, marks and digits of any script stay, in
    Unicode normal form C, and so do ``-``, ``_`` and inner dots. Anything else becomes ``_``. Therefore a key
    needs no quotes in a shell, and only percent-encoding in a URL's path. It has no ``${filename}`` that S3
    would replace, and no part ``..``. A name that is too long keeps its end, with the extension. The name
    only helps people: the bytes decide the media type.
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
            detail=f"The body must have at most {MAX_BODY_CHARACTERS} characters. It only "
            "declares a receipt: send the receipt itself to S3, with the form in the response.",
        )


def _json_object(body: str | None, *, is_base64: bool) -> dict[str, object]:
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
            detail=f"The body must be one JSON object with the members {', '.join(MEMBERS)}, each once.",
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
        f"the name of a file: 1 to {MAX_FILENAME_CHARACTERS} characters, no control characters, "
        "and more than dots and folders"
    )


def _size(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    raise ValueError("the size of the file in bytes: a whole number, 1 or more")


def _too_large(error: FieldError) -> ProblemError:
    return ProblemError(
        status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        kind="too-large",
        title="Receipt too large",
        detail=f"The receipt has {error.value} bytes, but {error.allowed} bytes are allowed.",
        members={"errors": field_errors([error])},
    )
