from __future__ import annotations

import base64
import hashlib
import string
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.contract.entry import ContentFinding, Outcome, Reason
from functions.ledger.cursor import decode_cursor, encode_cursor
from functions.ledger.listing import Filters

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
ALL = Filters()
ENTRY_PLACE = "2026-11-30T12:00:00.000001Z#" + "0123456789abcdef" * 4
TIME_PLACE = "2026-12-01T00:00:00.000000Z"
URL_SAFE = string.ascii_letters + string.digits + "-_"

PLACES = pytest.mark.parametrize("place", [ENTRY_PLACE, TIME_PLACE])


@PLACES
@pytest.mark.parametrize(
    "filters",
    [
        ALL,
        Filters(outcome=Outcome.ACCEPTED),
        Filters(finding=ContentFinding.ENCRYPTED),
        Filters(since=NOON, until=NOON + timedelta(hours=1)),
        Filters(key="Bäckerei", uploader="erika", text="x", fingerprint="0" * 8, reason=Reason.DAMAGED),
    ],
)
def test_a_cursor_gives_its_place_back(place: str, filters: Filters) -> None:
    cursor = encode_cursor(place, filters)

    assert decode_cursor(cursor, filters) == place
    assert len(cursor) <= 135
    assert set(cursor) <= set(URL_SAFE)


@PLACES
def test_every_other_character_at_every_position_is_noticed(place: str) -> None:
    cursor = encode_cursor(place, ALL)

    for position, right in enumerate(cursor):
        for wrong in set(URL_SAFE + "=+/ .é\n") - {right}:
            with pytest.raises(ValueError, match="not a"):
                decode_cursor(cursor[:position] + wrong + cursor[position + 1 :], ALL)


@PLACES
def test_cut_and_lengthened_cursors_are_noticed(place: str) -> None:
    cursor = encode_cursor(place, ALL)

    for length in range(len(cursor)):
        with pytest.raises(ValueError, match="not a"):
            decode_cursor(cursor[:length], ALL)
    for more in ("A", "=", "==", "AAAA", "\n", " "):
        with pytest.raises(ValueError, match="not a"):
            decode_cursor(cursor + more, ALL)


@given(st.text())
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        decode_cursor(text, ALL)


@pytest.mark.parametrize(
    "others",
    [
        Filters(outcome=Outcome.REJECTED, since=NOON),
        Filters(outcome=Outcome.ACCEPTED),
        Filters(outcome=Outcome.ACCEPTED, until=NOON),
        Filters(outcome=Outcome.ACCEPTED, since=NOON + timedelta(microseconds=1)),
        Filters(outcome=Outcome.ACCEPTED, since=NOON, until=NOON + timedelta(hours=1)),
        Filters(outcome=Outcome.ACCEPTED, since=NOON, finding=ContentFinding.ENCRYPTED),
        Filters(outcome=Outcome.ACCEPTED, since=NOON, key="a"),
    ],
)
def test_cursor_of_other_filters_is_refused(others: Filters) -> None:
    cursor = encode_cursor(ENTRY_PLACE, Filters(outcome=Outcome.ACCEPTED, since=NOON))

    with pytest.raises(ValueError, match="not a cursor of this listing"):
        decode_cursor(cursor, others)


def test_a_text_to_search_for_means_something_else_in_another_field() -> None:
    cursor = encode_cursor(ENTRY_PLACE, Filters(key="a"))

    for others in (Filters(uploader="a"), Filters(text="a"), Filters(key="b")):
        with pytest.raises(ValueError, match="not a cursor of this listing"):
            decode_cursor(cursor, others)


@pytest.mark.parametrize(
    ("filters", "canonical"),
    [
        (Filters(outcome=Outcome.ACCEPTED), b'["ACCEPTED", null, null]'),
        (Filters(finding=ContentFinding.ENCRYPTED), b'[null, null, null, "encrypted"]'),
    ],
)
def test_a_cursor_of_an_earlier_release_stays_one(filters: Filters, canonical: bytes) -> None:
    body = b"1" + TIME_PLACE.encode()
    raw = body + hashlib.sha256(canonical + b"\0" + body).digest()[:8]

    assert decode_cursor(base64.urlsafe_b64encode(raw).decode().rstrip("="), filters) == TIME_PLACE


def test_same_time_in_another_offset_is_the_same_filter() -> None:
    berlin = NOON.astimezone(timezone(timedelta(hours=1)))
    cursor = encode_cursor(ENTRY_PLACE, Filters(since=NOON))

    assert decode_cursor(cursor, Filters(since=berlin)) == ENTRY_PLACE


def test_cursor_of_another_version_is_refused() -> None:
    raw = base64.urlsafe_b64decode(encode_cursor(TIME_PLACE, ALL) + "=")
    body = b"2" + raw[1:-8]
    checksum = hashlib.sha256(b"[null, null, null]\0" + body).digest()[:8]
    assert hashlib.sha256(b"[null, null, null]\0" + raw[:-8]).digest()[:8] == raw[-8:]

    with pytest.raises(ValueError, match="not a cursor of this listing"):
        decode_cursor(base64.urlsafe_b64encode(body + checksum).decode().rstrip("="), ALL)
