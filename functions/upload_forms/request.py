"""Reads the body of ``POST /uploads``, and reports everything that is wrong with it at once."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from functions.api.body import read_members
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
    from collections.abc import Mapping

MEMBERS = ("filename", "size_bytes", "fingerprint")
AGAIN = "again"
"""A member that may be absent: whether to give a form even if the receipt has already been accepted."""

MAX_FILENAME_CHARACTERS = 255
MAX_KEY_PART_BYTES = 255
"""How much of a file name is in a key, which has up to 1,024 bytes with the prefix, date and UUID."""


@dataclass(frozen=True, kw_only=True)
class UploadRequest:
    """A receipt that a caller wants to upload, even ``again``. ``key_part`` is its file name, made safe."""

    key_part: str
    size_bytes: int
    fingerprint: str
    again: bool = False


def parse_upload_request(request: Mapping[str, Any], max_bytes: int) -> UploadRequest:
    """Read the body of a request, or raise a `ProblemError` that names every wrong member.

    The status is 400 if there are any. It is 413 if the only thing wrong is a size over ``max_bytes``.
    """
    members, errors = read_members(request, (*MEMBERS, AGAIN))
    key_part = parsed("filename", members, _key_part, errors)
    size_bytes = parsed("size_bytes", members, _size, errors)
    fingerprint = parsed("fingerprint", members, parse_fingerprint, errors)
    again = parsed(AGAIN, {AGAIN: False} | members, _truth, errors)

    if size_bytes is not None and size_bytes > max_bytes:
        error = FieldError(field="size_bytes", value=shown(size_bytes), allowed=f"at most {max_bytes}")
        if not errors:
            raise _too_large(error)
        errors.append(error)
    if key_part is None or size_bytes is None or fingerprint is None or again is None or errors:
        raise invalid_parameters(errors)
    return UploadRequest(key_part=key_part, size_bytes=size_bytes, fingerprint=fingerprint, again=again)


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


def _truth(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError("true or false")


def _too_large(error: FieldError) -> ProblemError:
    return ProblemError(
        status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        kind="too-large",
        title="Receipt too large",
        detail=f"The receipt has {error.value} bytes, but {error.allowed} bytes are allowed.",
        members={"errors": field_errors([error])},
    )
