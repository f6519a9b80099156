"""The API's functions against requests that our clients would never send.

Whatever is in a request, the answer is well-formed and small enough for Lambda, an error is a problem with a
status below 500, and the work for it is bounded. `Account.ask` checks each answer.
"""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from functions.api.problems import SHOWN_CHARACTERS, shown
from functions.contract import schema
from functions.contract.capacity import page_units
from functions.ledger.cursor import encode_cursor
from functions.ledger.listing import SPENT, Filters
from tests.functions.account import SHARDS
from tests.functions.examples import entry
from tests.functions.http_events import JSON, http_event

if TYPE_CHECKING:
    from tests.functions.account import Account

MOST_QUERIES = {
    # Each takes half a unit at least, and there may be a round just before the budget is spent.
    "GET /receipts": int(2 * SPENT * page_units(SHARDS)) + SHARDS,
    "GET /receipts/{fingerprint}": 2,
    "GET /files/{fingerprint}": 2,
    "POST /receipts/lookup": 1,
    "POST /uploads": 1,
}
FINGERPRINT = "ab" * 32
REQUEST_LINE = 10_240
"""The most bytes of the request line and headers (API Gateway Developer Guide, "Quotas for HTTP APIs")."""
BODY = {"filename": "lunch.png", "size_bytes": 1234, "fingerprint": FINGERPRINT}

any_settings = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])

URL_TEXT = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=60)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
ODD_TEXTS = [
    *("", " ", "\x00", "\r\nset-cookie: a=b", "../..", "%", "%00", "%ff%fe", "\u202e", "null", "NaN", "1e9"),
    *("-1", "0", "201", "9" * 5_000, "٣", "ACCEPTED\x00", "accepted", "<script>", "${jndi:x}", "2026-11-30"),
    *("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999Z"),
    *("9999-12-31T23:59:59-23:59", "2026-11-31T00:00:00Z", "2026-11-30T24:00:00Z", "2026-11-30T23:59:60Z"),
    *("2026-11-30T12:00:00." + "9" * 4_000 + "Z", "2026-11-30T12:00:00+99:99", "2026-W47-7T10:00:00Z"),
]
ODD_TEXT = TEXT | st.sampled_from(ODD_TEXTS)
TIMES = st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.isoformat())


@st.composite
def cursors(draw: st.DrawFn) -> str:
    """A cursor: random, damaged, or with the right checksum of a place that no answer has named."""
    place = draw(
        st.sampled_from(
            [
                f"{schema.FIRST_MONTH}-01T00:00:00.000000Z",
                f"{schema.FIRST_MONTH}-01T00:00:00.000000Z#" + "0" * 64,
                "9999-12-31T23:59:59.999999Z#" + "f" * 64,
                "0001-01-01T00:00:00.000000Z",
                "2026-13-01T00:00:00.000000Z",
                "2026-11-30T12:00:00.000000Z#" + "F" * 64,
            ]
        )
        | TIMES.map(lambda time: f"{time[:19]}.000000Z")
        | st.text(st.characters(codec="ascii"), max_size=100)
    )
    filters = draw(st.sampled_from([Filters(), Filters(since=datetime(2026, 11, 1, tzinfo=UTC))]))
    cursor = encode_cursor(place, filters)
    match draw(st.integers(0, 3)):
        case 0:
            at = draw(st.integers(0, len(cursor) - 1))
            return cursor[:at] + draw(st.characters(exclude_categories=["Cs"])) + cursor[at + 1 :]
        case 1:
            body = draw(st.binary(max_size=100))
            digest = hashlib.sha256(json.dumps([None, None, None]).encode() + b"\0" + body).digest()[:8]
            return base64.urlsafe_b64encode(body + digest).decode().rstrip("=")
        case _:
            return cursor


@st.composite
def queries(draw: st.DrawFn) -> str:
    """A query string, as in a URL."""
    if draw(st.integers(0, 3)) == 0:
        return draw(URL_TEXT)
    names = st.sampled_from(["outcome", "from", "to", "limit", "cursor"]) | ODD_TEXT
    values = st.one_of(ODD_TEXT, TIMES, cursors(), st.integers(-5, 300).map(str))
    pairs = draw(st.lists(st.tuples(names, values), max_size=5))
    return "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs)[:REQUEST_LINE]


FINGERPRINTS = st.one_of(
    st.sampled_from(
        [FINGERPRINT, "\n", "\x00", "..", "/", "../uploads", f"{FINGERPRINT}\n", f"unread#{FINGERPRINT}"]
    ),
    ODD_TEXT.filter(bool),
    st.just("a" * 8_000),
)
PATHS = st.just("/receipts") | FINGERPRINTS.map(lambda text: f"/receipts/{quote(text, safe='')}")
"""What API Gateway passes on to the reader. It answers other paths and methods itself."""
HEADERS = st.dictionaries(
    st.sampled_from(
        ["content-type", "accept", "cookie", "host", "x-forwarded-for", "authorization", "origin"]
    )
    | URL_TEXT.map(str.lower),
    URL_TEXT
    | st.sampled_from(["application/json", 'application/json; charset="', "a/b+json", "gzip", "x" * 8_000]),
    max_size=4,
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=300),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def request_bodies(draw: st.DrawFn) -> str | None:
    """The body of a request: a valid one, intact or damaged, or something else."""
    match draw(st.integers(0, 5)):
        case 0:
            return draw(st.none() | st.text(st.characters()))
        case 1:
            return json.dumps(draw(VALUES))
        case 2:
            depth = draw(st.sampled_from([100, 900, 980, 1_000, 100_000]))
            return draw(st.sampled_from(['{"filename":', "["])) * depth
        case 3:
            depth = draw(st.sampled_from([100, 900, 950, 1_000, 5_000]))
            return json.dumps({**BODY, "x": 0})[:-2] + "[" * depth + "]" * depth + "}"
        case 4:
            return json.dumps(BODY)[: draw(st.integers(0, 100))]
        case _:
            changed = draw(
                st.dictionaries(st.sampled_from(list(BODY)) | st.text(max_size=5), VALUES, max_size=3)
            )
            return json.dumps({**BODY, **changed})


@pytest.fixture
def filled(account: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    """An account whose ledger has a few entries, and before them many empty months."""
    monkeypatch.setattr(schema, "FIRST_MONTH", "2000-01")
    now = datetime.now(UTC)
    for number in range(12):
        account.store.record(entry(f"receipt-{number}\x1b\u202e", now - timedelta(minutes=number)))
    return account


def ask_bounded(account: Account, function: str, event: dict[str, Any]) -> None:
    """Let a function answer, and check the answer, the work for it, and that only a form is logged."""
    account.calls.made.clear()
    response = account.ask(function, event)

    assert 200 <= response.status < 500
    assert len(account.calls.made) <= MOST_QUERIES[event["routeKey"]]
    assert set(account.calls.made) <= {"Query", "GetItem", "BatchGetItem"}
    if response.status == 400:
        assert account.calls.made == [], "a request was worked on before it was checked"
    logged = [json.loads(line)["message"] for line in account.output().splitlines()]
    assert logged == ["form given"] * (response.status == 201)


@any_settings
@given(path=PATHS, query=queries(), headers=HEADERS)
@pytest.mark.claim(
    "the reader answers any request with less than 6 MB, never with a 5xx; every error is a problem",
    section="Hostile input",
)
def test_reader_answers_any_request(filled: Account, path: str, query: str, headers: dict[str, str]) -> None:
    ask_bounded(filled, "reader", http_event("GET", path, query, headers=headers))


@any_settings
@given(query=queries())
@example("from=0001-01-01T00:00:00Z&to=9999-12-31T23:59:59.999999Z&limit=200&outcome=REJECTED")
@example("a&" * (REQUEST_LINE // 2))
@example("%00=%00&" * (REQUEST_LINE // 8))
@pytest.mark.claim("any query is answered with a bounded number of reads", section="Hostile input")
def test_listing_answers_any_query(filled: Account, query: str) -> None:
    ask_bounded(filled, "reader", http_event("GET", "/receipts", query))


@any_settings
@given(fingerprint=st.just(FINGERPRINT) | FINGERPRINTS, query=st.just("version=v1") | queries())
@pytest.mark.claim(
    "the route to files answers any request with a bounded number of reads, never with a 5xx",
    section="Hostile input",
)
def test_file_route_answers_any_request(filled: Account, fingerprint: object, query: str) -> None:
    path = f"/files/{quote(str(fingerprint), safe='')}"
    event = http_event("GET", path, query) | {"routeKey": "GET /files/{fingerprint}"}
    event["pathParameters"] = {"fingerprint": str(fingerprint)}

    ask_bounded(filled, "file_links", event)


def test_listing_answers_any_odd_value_of_any_parameter(filled: Account) -> None:
    parameters = ("outcome", "from", "to", "limit", "cursor", "unknown")
    for parameter, value in product(parameters, ODD_TEXTS):
        query = f"{parameter}={quote_plus(value)}"
        ask_bounded(filled, "reader", http_event("GET", "/receipts", query))


@pytest.mark.parametrize(
    "place",
    [
        *("2026-13-01T00:00:00.000000Z", "2026-02-30T00:00:00.000000Z", "2026-11-30T24:00:00.000000Z"),
        *("2026-11-30T12:00:00Z", "2026-11-30T12:00:00.000000Z#" + "F" * 64, "2026-11-30T12:00:00.000000Z#0"),
        *("", "9", "2026-11", "yesterday", "0000-01-01T00:00:00.000000Z", "2026-11-30T12:00:00.000000Z\n"),
        *("2026-11-30T12:00:00.000000Z#", "2026-11-30T12:00:00.000000Z#" + "0" * 65, "\x00" * 27),
    ],
)
@pytest.mark.claim("an invented cursor is refused, even with the right checksum", section="Hostile input")
def test_an_invented_cursor_is_refused_even_with_the_right_checksum(account: Account, place: str) -> None:
    response = account.get("/receipts", f"cursor={encode_cursor(place, Filters())}")

    assert response.status == 400
    assert response.refused_fields == ["cursor"]
    assert account.calls.made == []


@any_settings
@example(JSON, json.dumps(BODY), False, False)
@example(JSON, json.dumps(BODY), True, True)
@example(JSON, json.dumps({"fingerprints": [FINGERPRINT, FINGERPRINT]}), False, False)
@given(
    headers=st.just(JSON) | HEADERS,
    body=request_bodies() | st.lists(FINGERPRINTS).map(lambda found: json.dumps({"fingerprints": found})),
    is_base64=st.booleans(),
    is_really_base64=st.booleans(),
)
@pytest.mark.parametrize(("function", "path"), [("upload_forms", "/uploads"), ("reader", "/receipts/lookup")])
@pytest.mark.claim(
    "a route with a body answers any request with less than 6 MB, never with a 5xx, and errors as problem "
    "documents",
    section="Hostile input",
)
def test_route_with_a_body_answers_any_request(
    filled: Account,
    function: str,
    path: str,
    headers: dict[str, str],
    body: str | None,
    is_base64: bool,
    is_really_base64: bool,
) -> None:
    if body is not None and is_really_base64:
        body = base64.b64encode(body.encode(errors="surrogatepass")).decode()
    event = http_event("POST", path, headers=headers, body=body, is_base64=is_base64)

    ask_bounded(filled, function, event)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(json.dumps(dict.fromkeys(map(str, range(200_000)), 1)), id="many members"),
        pytest.param(json.dumps({**BODY, "note": "x" * 4_000_000}), id="one long member"),
        pytest.param("[" * 4_000_000, id="deep"),
        pytest.param(
            json.dumps(dict.fromkeys(map(chr, range(0x4E00, 0x4E00 + 1_700)), 1)), id="all in escapes"
        ),
        pytest.param(json.dumps(dict.fromkeys(map(chr, range(1, 1_200)), "\x01")), id="control characters"),
        pytest.param(json.dumps({"fingerprints": ["\x01" * 900] * 2}), id="long fingerprints"),
    ],
)
@pytest.mark.claim("a body of any size gets a small answer", section="Hostile input")
def test_answer_to_a_body_of_any_size_is_small(account: Account, body: str) -> None:
    for response in (account.post(body), account.look_up(body)):
        assert response.status in {400, 413}
        assert len(response.text) < 1_000_000
    assert account.calls.made == []


def test_no_more_of_a_value_is_visited_than_is_shown() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]

    assert shown(deep) == "[" * SHOWN_CHARACTERS + "…"


def test_a_refused_value_comes_back_short_and_in_ascii(account: Account) -> None:
    value = quote("\x1b[2J\u202e\r\n" * 400)
    for parameter in ("limit", "outcome", "from", "to", "cursor", "\x00\u202e"):
        response = account.get("/receipts", f"{quote(parameter)}={value}")

        assert response.status == 400, parameter
        assert len(response.text) < 2_000, parameter
