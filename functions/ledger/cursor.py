"""The cursor of a listing: an opaque text for the place where the next page begins.

A cursor has a version, the place, and a checksum of both and of the listing's filters. The checksum shows
that a cursor was damaged, edited or used with other filters. A cursor needs no signature, because it grants
nothing: it names a place in a ledger that the caller may read anyway.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from typing import TYPE_CHECKING

from functions.contract.entry import format_time, parse_time

if TYPE_CHECKING:
    from functions.ledger.listing import Filters

VERSION = b"1"
CHECKSUM_BYTES = 8

_PLACE = re.compile(r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)(#[0-9a-f]{64})?", re.ASCII)


def encode_cursor(place: str, filters: Filters) -> str:
    """Write a place in a listing as a cursor of at most 135 characters that need no escapes in a URL."""
    body = VERSION + place.encode("ascii")
    return base64.urlsafe_b64encode(body + _checksum(body, filters)).decode("ascii").rstrip("=")


def decode_cursor(cursor: str, filters: Filters) -> str:
    """Read the place from a cursor that was made with the same filters. Anything else is a ValueError."""
    try:
        raw = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        body = raw[:-CHECKSUM_BYTES]
        place = body.removeprefix(VERSION).decode("ascii")
    except (UnicodeError, binascii.Error):
        raise ValueError("not a cursor") from None
    # Decoding ignores foreign characters and unused bits, so encode again: only the exact text is a cursor.
    if encode_cursor(place, filters) != cursor:
        raise ValueError("not a cursor of this listing")
    return _checked(place)


def _checked(place: str) -> str:
    """Return a place as it is, or raise ValueError: anybody can compute the checksum of nonsense."""
    match = _PLACE.fullmatch(place)
    try:
        if match is not None and format_time(parse_time(match["time"])) == match["time"]:
            return place
    except ValueError:
        pass
    raise ValueError("not a place in the ledger")


def _checksum(body: bytes, filters: Filters) -> bytes:
    """Return a checksum of a cursor's body and its filters. Equal times with different offsets are equal."""
    times = [format_time(moment) if moment else None for moment in (filters.since, filters.until)]
    contents = filters.contents
    outcome, finding = contents.pop("outcome", None), contents.pop("finding", None)
    # Without the filters that came later, a cursor of an earlier release stays one.
    later = [*([finding] if finding else []), *([contents] if contents else [])]
    canonical = json.dumps([outcome, *times, *later], sort_keys=True).encode("ascii")
    return hashlib.sha256(canonical + b"\0" + body).digest()[:CHECKSUM_BYTES]
