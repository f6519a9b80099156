"""Reads what a request asks of the ledger, and reports everything that is wrong with it at once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from functions.api.body import read_members
from functions.api.parameters import read_parameters
from functions.api.problems import FieldError, invalid_parameters, parsed, shown
from functions.contract.entry import (
    FINGERPRINT_DESCRIPTION,
    ContentFinding,
    Outcome,
    Reason,
    parse_fingerprint,
    parse_time,
)
from functions.contract.http_api import (
    CURSOR,
    FINDING,
    FINGERPRINT,
    FINGERPRINTS,
    FROM,
    KEY,
    LEAST_DIGITS,
    LIMIT,
    MAX_FINGERPRINTS,
    MAX_LIMIT,
    MAX_SEARCH_BYTES,
    OUTCOME,
    PARAMETERS,
    REASON,
    RFC_3339,
    TEXT,
    TO,
    UPLOADER,
)
from functions.ledger.cursor import decode_cursor
from functions.ledger.listing import Filters

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from enum import StrEnum

T = TypeVar("T")
E = TypeVar("E", bound="StrEnum")

DEFAULT_LIMIT = 50


@dataclass(frozen=True, kw_only=True)
class ListingQuery:
    """A query, checked. ``place`` is where the page begins, or ``None`` to begin with the newest entry."""

    filters: Filters
    limit: int
    place: str | None


def parse_listing_query(raw_query: str) -> ListingQuery:
    """Read a query string as it was sent, or raise a `ProblemError` that names every wrong parameter.

    In the parsed query of an HTTP API event, a repeated parameter would look like one value with a comma.
    """
    given, errors = read_parameters(raw_query, PARAMETERS)

    def optional(name: str, parse: Callable[[str], T]) -> T | None:
        return parsed(name, given, parse, errors) if name in given else None

    limit = optional(LIMIT, _limit)
    errors_before_filters = len(errors)
    filters = Filters(
        outcome=optional(OUTCOME, _one_of(Outcome)),
        reason=optional(REASON, _one_of(Reason)),
        finding=optional(FINDING, _one_of(ContentFinding)),
        key=optional(KEY, _search_text),
        uploader=optional(UPLOADER, _search_text),
        text=optional(TEXT, _search_text),
        fingerprint=optional(FINGERPRINT, _first_digits),
        since=optional(FROM, _time),
        until=optional(TO, _time),
    )
    if filters.since is not None and filters.until is not None and filters.since >= filters.until:
        errors.append(
            FieldError(field="from", value=shown(given["from"]), allowed=f"a time before to={given['to']}")
        )
    place = None
    if len(errors) == errors_before_filters:  # a cursor can't be checked against wrong filters
        place = optional(CURSOR, lambda text: _place(text, filters))

    if errors:
        raise invalid_parameters(errors)
    return ListingQuery(filters=filters, limit=limit or DEFAULT_LIMIT, place=place)


def parse_look_up(request: Mapping[str, Any]) -> list[str]:
    """Return the fingerprints that a look-up is about, each once, or raise a `ProblemError`."""
    members, errors = read_members(request, [FINGERPRINTS])
    fingerprints = parsed(FINGERPRINTS, members, _fingerprints, errors)
    if fingerprints is None or errors:
        raise invalid_parameters(errors)
    return fingerprints


# Each of these parsers raises a ValueError that says what is allowed.


def _one_of(kind: type[E]) -> Callable[[str], E]:
    def parse(text: str) -> E:
        try:
            return kind(text)
        except ValueError:
            raise ValueError(f"one of {', '.join(kind)}") from None

    return parse


def _search_text(text: str) -> str:
    if 1 <= len(text.encode(errors="surrogatepass")) <= MAX_SEARCH_BYTES:
        return text
    raise ValueError(f"1 to {MAX_SEARCH_BYTES:,} bytes of text, in UTF-8")


def _first_digits(text: str) -> str:
    if re.fullmatch(f"[0-9a-f]{{{LEAST_DIGITS},64}}", text):
        return text
    raise ValueError(f"the first {LEAST_DIGITS} to 64 hexadecimal digits of a fingerprint, lower-case")


def _time(text: str) -> datetime:
    try:
        if re.fullmatch(RFC_3339, text, re.ASCII):
            return parse_time(text.upper())
    except ValueError:
        pass
    raise ValueError("an RFC 3339 time with an offset, such as 2026-11-30T12:00:00Z; + has to be sent as %2B")


def _limit(text: str) -> int:
    if re.fullmatch(r"[0-9]{1,3}", text) and 1 <= int(text) <= MAX_LIMIT:
        return int(text)
    raise ValueError(f"a whole number from 1 to {MAX_LIMIT}")


def _fingerprints(value: object) -> list[str]:
    try:
        if isinstance(value, list) and 1 <= len(value) <= MAX_FINGERPRINTS:
            return list(dict.fromkeys(map(parse_fingerprint, value)))
    except ValueError:
        pass
    raise ValueError(f"an array of 1 to {MAX_FINGERPRINTS} fingerprints, each {FINGERPRINT_DESCRIPTION}")


def _place(text: str, filters: Filters) -> str:
    try:
        return decode_cursor(text, filters)
    except ValueError:
        raise ValueError("a next_cursor of this API, with the same filters") from None
