"""Reads the parameters in a request's path and query, and reports everything that is wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from functions.api.problems import FieldError, invalid_parameters, parsed, shown
from functions.contract.entry import parse_fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any


def read_parameters(raw_query: str, allowed: Sequence[str]) -> tuple[dict[str, str], list[FieldError]]:
    """Return the query's parameters by name, and an error for each that isn't `allowed`, or is repeated."""
    given: dict[str, str] = {}
    errors: list[FieldError] = []
    for name, value in parse_qsl(raw_query, keep_blank_values=True):
        if name not in allowed:
            wanted = f"only the parameters {', '.join(allowed)}"
        elif name in given:
            wanted = f"{name} once"
        else:
            given[name] = value
            continue
        errors.append(FieldError(field=shown(name), value=shown(value), allowed=wanted))
    return given, errors


def read_fingerprint(request: Mapping[str, Any]) -> tuple[str, list[FieldError]]:
    """Return the fingerprint in the path, and an error if it isn't one."""
    errors: list[FieldError] = []
    fingerprint = parsed("fingerprint", request["pathParameters"], parse_fingerprint, errors)
    return fingerprint or "", errors


def read_fingerprint_and(
    request: Mapping[str, Any], name: str, parse: Callable[[str], str]
) -> tuple[str, str | None]:
    """Return the fingerprint in the path, and the parameter in the query that says which of its entries.

    The parameter is ``None`` if it isn't given. Raise a `ProblemError` with all errors.
    """
    fingerprint, errors = read_fingerprint(request)
    given, more = read_parameters(request["rawQueryString"], [name])
    errors += more
    value = parsed(name, given, parse, errors) if name in given else None
    if errors:
        raise invalid_parameters(errors)
    return fingerprint, value
