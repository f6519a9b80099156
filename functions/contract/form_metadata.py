"""The caller in the metadata of an object: signed into a form, and read back by the processor.

S3 takes only ASCII in metadata without changing it, and 2 KB in all (S3 User Guide, "Working with object
metadata"). So a caller is one value, form-encoded, such as ``issuer=https://login.example/&subject=a%20b``.
"""

from __future__ import annotations

import hashlib
from dataclasses import fields
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, quote, urlencode

from functions.contract.entry import Caller

if TYPE_CHECKING:
    from collections.abc import Mapping

CALLER: Final = "caller"
"""The name in S3's answers. Headers and fields of forms begin with `FIELD_PREFIX`."""

FIELD_PREFIX: Final = "x-amz-meta-"

MAX_NAME_BYTES: Final = 255
"""The longest name that stays whole (OpenID Connect Core, section 2: no subject is longer). Two longer ones
have less than 1,700 bytes when they are cut and encoded."""


def caller_named(names: Mapping[str, str | None]) -> Caller | None:
    """Return the caller with these names, or ``None`` without any. A name that is too long is cut."""
    given = {name: _bounded(value) for name, value in names.items() if value}
    return Caller(**given) if given else None


def names_of(caller: Caller | None) -> dict[str, str]:
    """Return the names that a caller has."""
    names = {} if caller is None else vars(caller)
    return {name: value for name, value in names.items() if value is not None}


def write_caller(caller: Caller) -> str:
    """Write a caller as a value of metadata, in printable ASCII."""
    return urlencode(names_of(caller), quote_via=quote, safe="/:@")


def read_caller(metadata: Mapping[str, str]) -> Caller | None:
    """Read the caller that `write_caller` wrote, or ``None`` if the metadata has none."""
    known = {each.name for each in fields(Caller)}
    names = {name: value for name, value in parse_qsl(metadata.get(CALLER, "")) if name in known}
    return Caller(**names) if names else None


def _bounded(name: str) -> str:
    """Return a name as it is, or if it is too long, its beginning and the SHA-256 of all of it.

    A cut name is longer than any whole one, so no caller can have a name that looks like a cut one.
    """
    whole = name.encode(errors="backslashreplace")
    if len(whole) <= MAX_NAME_BYTES:
        return whole.decode()
    return f"{whole[:MAX_NAME_BYTES].decode(errors='ignore')}…{hashlib.sha256(whole).hexdigest()}"
