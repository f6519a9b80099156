from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from functions.api.responses import respond
from functions.contract.entry import (
    Caller,
    ContentFinding,
    Entry,
    Outcome,
    Reason,
    Uploader,
    Via,
    format_time,
)
from functions.contract.http_api import MAX_FINGERPRINTS
from functions.ledger.lookup import History, LedgerLookup
from functions.reader.routes import HISTORY_LIMIT, reader_routes
from tests.functions.account import LAMBDA_RESPONSE_BYTES
from tests.functions.examples import context, entry, upload
from tests.functions.fake_time_index import FakeTimeIndex, newest_first
from tests.functions.http_events import JSON, REQUEST_ID, Answer, http_event, sent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from functions.ledger.listing import IndexPage, IndexRead
    from tests.functions.account import Account

SHARDS = 3
START = datetime.now(UTC) - timedelta(hours=1)


def spread(count: int) -> list[Entry]:
    outcomes = list(Outcome)
    return [
        entry(f"receipt-{number}", START + timedelta(seconds=number), outcomes[number % 3])
        for number in range(count)
    ]


@pytest.fixture
def index() -> FakeTimeIndex:
    return FakeTimeIndex(SHARDS, spread(120))


@pytest.fixture
def get(index: FakeTimeIndex) -> Callable[..., Answer]:
    return getter(index)


def getter(index: FakeTimeIndex) -> Callable[..., Answer]:
    nothing = History(receipt=None, duplicates=[], rejections=[], truncated=False)
    routes = reader_routes(
        read_index=index.read,
        read_history=lambda *_: nothing,
        read_receipts=lambda _: [],
        shards=index.shards,
    )

    def get(path: str = "/receipts", query: str = "", method: str = "GET", **parameters: object) -> Answer:
        return sent(respond(routes, http_event(method, path, query or urlencode(parameters))))

    return get


class TestListing:
    def test_newest_fifty_come_first_without_a_limit(self, get: Callable[..., Answer]) -> None:
        answer = get()

        assert answer.status == 200
        assert answer.body.keys() == {"entries", "next_cursor"}
        assert [each["key"] for each in answer.body["entries"]] == [
            f"receipt-{number}" for number in range(119, 69, -1)
        ]

    def test_cursors_lead_through_all_entries_once_with_changing_limits(
        self, get: Callable[..., Answer]
    ) -> None:
        keys = []
        parameters: dict[str, object] = {"limit": 1}
        for limit in range(2, 100):
            body = get(**parameters).body
            keys += [each["key"] for each in body["entries"]]
            if body["next_cursor"] is None:
                break
            parameters = {"limit": limit, "cursor": body["next_cursor"]}

        assert keys == [f"receipt-{number}" for number in range(119, -1, -1)]

    def test_a_cursor_continues_with_the_filter_that_it_was_made_with(
        self, get: Callable[..., Answer]
    ) -> None:
        first = get(outcome="REJECTED", limit=30).body
        second = get(outcome="REJECTED", limit=30, cursor=first["next_cursor"]).body

        entries = first["entries"] + second["entries"]
        assert len(entries) == 40
        assert {each["outcome"] for each in entries} == {"REJECTED"}
        assert second["next_cursor"] is None

    @pytest.mark.parametrize(
        ("query", "keys"),
        [
            ({"key": "ä b"}, ["ä b+c.png"]),
            ({"key": "b+c"}, ["ä b+c.png"]),
            ({"q": "taxi"}, ["taxi.png"]),
            ({"fingerprint": "0123456789abcdef"}, ["taxi.png"]),
            ({"reason": "damaged"}, ["cut.png"]),
            ({"reason": "damaged", "key": "taxi"}, []),
        ],
    )
    def test_each_filter_leaves_out_all_else(
        self, index: FakeTimeIndex, query: dict[str, str], keys: list[str]
    ) -> None:
        index.add(entry("taxi.png", START, fingerprint="0123456789abcdef" * 4))
        index.add(entry("ä b+c.png", START))
        index.add(entry("cut.png", START, Outcome.REJECTED, reason=Reason.DAMAGED))

        assert [each["key"] for each in getter(index)(**query).body["entries"]] == keys

    def test_a_finding_leaves_out_all_entries_without_it(self, index: FakeTimeIndex) -> None:
        both, one = (ContentFinding.ACTIVE_CONTENT, ContentFinding.ENCRYPTED), (ContentFinding.ENCRYPTED,)
        for key, findings in {"both.pdf": both, "one.pdf": one}.items():
            index.add(entry(key, START, findings=findings))

        found = {
            finding: {each["key"] for each in getter(index)(finding=finding).body["entries"]}
            for finding in ContentFinding
        }

        assert found == {
            "active_content": {"both.pdf"},
            "encrypted": {"both.pdf", "one.pdf"},
            "multiple_images": set(),
            "trailing_data": set(),
        }

    def test_from_is_included_and_to_is_not(self, get: Callable[..., Answer]) -> None:
        since, until = (START + timedelta(seconds=number) for number in (10, 13))

        body = get(**{"from": format_time(since), "to": format_time(until)}).body

        assert [each["key"] for each in body["entries"]] == ["receipt-12", "receipt-11", "receipt-10"]

    @pytest.mark.parametrize(
        "time", ["2027-01-01T00:00:00Z", "2027-01-01t01:30:00.5+01:30", "9999-12-31T23:59:59Z"]
    )
    def test_rfc_3339_times_are_accepted(self, get: Callable[..., Answer], time: str) -> None:
        assert get(**{"from": "0001-01-01T00:00:00Z", "to": time}).status == 200


VERSION = {"bucket": "uploads", "key": "lunch 1.png", "version_id": "v1"}


@pytest.mark.parametrize(
    ("outcome", "more"),
    [
        (Outcome.ACCEPTED, {}),
        (Outcome.DUPLICATE, {"duplicate_of": VERSION, "restores": False}),
        (Outcome.REJECTED, {"reason": "unsupported_type", "detail": None}),
    ],
)
def test_an_entry_has_the_members_of_its_outcome(outcome: Outcome, more: dict[str, Any]) -> None:
    made = replace(entry("lunch 1.png", START, outcome), salt="0f" * 16)

    (only,) = getter(FakeTimeIndex(1, [made]))().body["entries"]

    assert only == {
        "outcome": outcome,
        "fingerprint": made.fingerprint,
        **VERSION,
        "size_bytes": 1024,
        "media_type": "image/png",
        "findings": [],
        "uploaded_at": format_time(START),
        "recorded_at": format_time(START),
        "uploader": {
            "principal": "AWS:AIDAEXAMPLE",
            "source_ip": "192.0.2.7",
            "via": "put",
            "caller": None,
        },
        "resent": False,
        "salt": "0f" * 16,
        **more,
    }


@pytest.mark.parametrize(
    "members",
    [
        {"outcome": "REJECTED", "reason": "damaged", "detail": "ends after 60 bytes, before the chunk IEND"},
        {"outcome": "ACCEPTED", "findings": ["active_content", "encrypted"]},
        {"outcome": "DUPLICATE", "findings": ["trailing_data"]},
    ],
    ids=["damaged", "with findings", "duplicate with a finding"],
)
def test_an_entry_says_what_was_read_in_the_file(members: dict[str, Any]) -> None:
    changes = {**members, "findings": tuple(members.get("findings", ()))}

    (only,) = getter(FakeTimeIndex(1, [entry("a.png", START, **changes)]))().body["entries"]

    assert {name: only[name] for name in members} == members


def test_an_entry_names_the_caller_whose_form_it_was() -> None:
    caller = Caller(issuer="https://login.example/", subject="ünï|7")
    uploader = Uploader(principal=None, source_ip=None, via=Via.FORM, caller=caller)
    made = entry("a.png", START, upload=replace(upload("a.png"), uploader=uploader))

    (only,) = getter(FakeTimeIndex(1, [made]))().body["entries"]

    assert only["uploader"] == {
        "principal": None,
        "source_ip": None,
        "via": "form",
        "caller": {"principal": None, "issuer": "https://login.example/", "subject": "ünï|7"},
    }


class TestBadQuery:
    @pytest.mark.parametrize(
        ("query", "field", "allowed"),
        [
            ("limit=0", "limit", "from 1 to 200"),
            ("limit=201", "limit", "from 1 to 200"),
            ("limit=-1", "limit", "from 1 to 200"),
            ("limit=1.5", "limit", "from 1 to 200"),
            ("limit=", "limit", "from 1 to 200"),
            ("limit=%D9%A3", "limit", "from 1 to 200"),
            ("limit=" + "9" * 5000, "limit", "from 1 to 200"),
            ("outcome=accepted", "outcome", "ACCEPTED, DUPLICATE, REJECTED"),
            ("outcome=", "outcome", "ACCEPTED, DUPLICATE, REJECTED"),
            ("outcome=ACCEPTED,REJECTED", "outcome", "ACCEPTED, DUPLICATE, REJECTED"),
            ("finding=virus", "finding", "active_content, encrypted, multiple_images, trailing_data"),
            ("finding=", "finding", "active_content, encrypted, multiple_images, trailing_data"),
            ("reason=broken", "reason", "damaged, object_missing"),
            ("key=", "key", "1 to 1,024 bytes"),
            ("key=" + "%C3%A4" * 513, "key", "1 to 1,024 bytes"),
            ("uploader=", "uploader", "1 to 1,024 bytes"),
            ("q=", "q", "1 to 1,024 bytes"),
            ("fingerprint=0123456", "fingerprint", "the first 8 to 64 hexadecimal digits"),
            ("fingerprint=ABCDEF01", "fingerprint", "lower-case"),
            ("fingerprint=" + "0" * 65, "fingerprint", "the first 8 to 64 hexadecimal digits"),
            ("from=2026-11-30", "from", "RFC 3339"),
            ("from=2026-11-30T12:00:00", "from", "RFC 3339"),
            ("from=2026-11-30+12:00:00Z", "from", "RFC 3339"),
            ("from=20261130T120000Z", "from", "RFC 3339"),
            ("from=2026-02-30T12:00:00Z", "from", "RFC 3339"),
            ("from=0001-01-01T00:00:00%2B23:00", "from", "RFC 3339"),
            ("from=2026-11-30T12:00:00+01:00", "from", "%2B"),
            ("to=now", "to", "RFC 3339"),
            ("from=2026-11-30T12:00:00Z&to=2026-11-30T13:00:00%2B01:00", "from", "before to=2026-11-30T13"),
            ("cursor=", "cursor", "next_cursor"),
            ("cursor=abc", "cursor", "next_cursor"),
            ("cursor=%C3%A9", "cursor", "next_cursor"),
            ("page=2", "page", "outcome, reason, finding, key, uploader, q, fingerprint, from, to, limit"),
            ("Limit=2", "Limit", "outcome, reason, finding, key, uploader, q, fingerprint, from, to, limit"),
            ("limit=5&limit=5", "limit", "limit once"),
            ("limit=5&limit=", "limit", "limit once"),
        ],
    )
    def test_bad_parameter_is_named_with_its_value_and_what_is_allowed(
        self, get: Callable[..., Answer], index: FakeTimeIndex, query: str, field: str, allowed: str
    ) -> None:
        answer = get(query=query)

        assert answer.status == 400
        assert answer.body["type"] == "/problems/invalid-parameter"
        (error,) = answer.body["errors"]
        assert error["field"] == field
        assert allowed in error["allowed"]
        assert len(error["value"]) <= 101
        assert index.reads == []

    def test_all_errors_come_at_once(self, get: Callable[..., Answer]) -> None:
        answer = get(query="outcome=x&finding=w&from=y&to=z&limit=0&page=1&limit=2")

        assert sorted(answer.refused_fields) == ["finding", "from", "limit", "limit", "outcome", "page", "to"]
        assert {"field": "outcome", "value": "x", "allowed": "one of ACCEPTED, DUPLICATE, REJECTED"} in (
            answer.body["errors"]
        )

    def test_a_cursor_is_not_blamed_for_wrong_filters(self, get: Callable[..., Answer]) -> None:
        cursor = get(limit=1, outcome="ACCEPTED").body["next_cursor"]

        assert get(limit=1, outcome="accepted", cursor=cursor).refused_fields == ["outcome"]

    def test_cursor_with_other_filters_is_refused(self, get: Callable[..., Answer]) -> None:
        cursor = get(limit=1).body["next_cursor"]

        for filters in {"outcome": "ACCEPTED"}, {"finding": "encrypted"}:
            answer = get(limit=1, cursor=cursor, **filters)

            assert answer.status == 400
            assert answer.refused_fields == ["cursor"]

    def test_flipping_any_character_of_a_cursor_is_refused(self, get: Callable[..., Answer]) -> None:
        cursor = get(limit=1).body["next_cursor"]
        assert get(cursor=cursor).status == 200

        for position, right in enumerate(cursor):
            flipped = cursor[:position] + ("A" if right != "A" else "B") + cursor[position + 1 :]
            answer = get(cursor=flipped)
            assert (answer.status, answer.refused_fields) == (400, ["cursor"]), position


class TestReceipt:
    def test_unknown_fingerprint_is_not_found(self, get: Callable[..., Answer]) -> None:
        answer = get(f"/receipts/{'0' * 64}")

        assert answer.status == 404
        assert answer.body["type"] == "/problems/receipt-not-found"
        assert "0" * 64 in answer.body["detail"]

    @pytest.mark.parametrize(
        "fingerprint",
        ["abc", "AB" * 32, "ab" * 33, "g" * 64, "unread:" + "0" * 57, "é" * 64, "ab" * 32 + " "],
    )
    def test_malformed_fingerprint_is_refused(self, get: Callable[..., Answer], fingerprint: str) -> None:
        answer = get(f"/receipts/{quote(fingerprint)}")

        assert answer.status == 400
        assert answer.refused_fields == ["fingerprint"]

    def test_longest_history_fits_into_a_lambda_response(self, index: FakeTimeIndex) -> None:
        def longest(_: str, limit: int) -> History:
            duplicates = [entry("\x01" * 1024, START, Outcome.DUPLICATE)] * limit
            receipt = entry("first", START)
            return History(receipt=receipt, duplicates=duplicates, rejections=[], truncated=True)

        routes = reader_routes(
            read_index=index.read, read_history=longest, read_receipts=lambda _: [], shards=SHARDS
        )

        response = respond(routes, http_event("GET", f"/receipts/{'ab' * 32}"))

        body = json.loads(response["body"])
        assert (len(body["duplicates"]), body["truncated"]) == (HISTORY_LIMIT, True)
        assert len(json.dumps(response).encode()) < LAMBDA_RESPONSE_BYTES


class TestLookUp:
    def test_receipts_of_accepted_fingerprints_are_returned_and_nothing_of_others(
        self, account: Account
    ) -> None:
        accepted = entry("first.png", START, fingerprint="ab" * 32)
        account.store.record(accepted)
        account.store.record(entry("again.png", START, fingerprint="ab" * 32))
        account.store.record(entry("refused", START, Outcome.REJECTED, fingerprint="cd" * 32))
        wanted = ["ab" * 32, "cd" * 32, "ef" * 32, "ab" * 32]

        answer = account.look_up(json.dumps({"fingerprints": wanted}))

        assert answer.status == 200
        (found,) = answer.body["receipts"]
        assert (found["outcome"], found["fingerprint"], found["key"]) == (
            "ACCEPTED",
            "ab" * 32,
            "first.png",
        )
        assert found["recorded_at"] == format_time(accepted.recorded_at)

    @pytest.mark.parametrize(
        "fingerprints",
        [[], ["ab" * 32] * (MAX_FINGERPRINTS + 1), ["AB" * 32], ["ab" * 32, 1], "ab" * 32, None, {}],
    )
    def test_anything_but_one_to_a_hundred_fingerprints_is_refused(
        self, account: Account, fingerprints: object
    ) -> None:
        answer = account.look_up(json.dumps({"fingerprints": fingerprints, "more": 1}))

        assert answer.status == 400
        assert answer.refused_fields == ["more", "fingerprints"]
        assert account.calls.made == []

    def test_keys_that_the_ledger_leaves_out_make_the_request_one_to_repeat(self) -> None:
        class Throttled:
            def batch_get_item(self, **request: Any) -> dict[str, Any]:
                metadata = {"HTTPStatusCode": 200}
                return {
                    "Responses": {},
                    "UnprocessedKeys": request["RequestItems"],
                    "ResponseMetadata": metadata,
                }

        unused: Any = None
        client: Any = Throttled()
        receipts = LedgerLookup(client, "ledger").receipts
        routes = reader_routes(read_index=unused, read_history=unused, read_receipts=receipts, shards=1)
        body = json.dumps({"fingerprints": ["ab" * 32]})

        answer = sent(respond(routes, http_event("POST", "/receipts/lookup", body=body, headers=JSON)))

        assert (answer.status, answer.headers["retry-after"]) == (503, "1")


@pytest.mark.parametrize(("method", "path"), [("GET", "/uploads"), ("POST", "/receipts")])
def test_a_route_of_another_function_is_an_error_of_the_deployment(
    get: Callable[..., Answer], capsys: pytest.CaptureFixture[str], method: str, path: str
) -> None:
    assert get(path, method=method).status == 500
    assert f"KeyError: '{method} {path}'" in capsys.readouterr().out


def client_error(code: str, status: int) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "secret"}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "Query",
    )


class TestFailures:
    def failing(self, error: Exception) -> Answer:
        def fail(_: Sequence[IndexRead]) -> Sequence[IndexPage]:
            raise error

        routes = reader_routes(
            read_index=fail,
            read_history=lambda *_: pytest.fail("nobody asked"),
            read_receipts=lambda _: [],
            shards=1,
        )
        return sent(respond(routes, http_event("GET", "/receipts")))

    @pytest.mark.parametrize(
        "error",
        [
            client_error("ProvisionedThroughputExceededException", 400),
            client_error("ThrottlingException", 400),
            client_error("RequestLimitExceeded", 400),
            client_error("InternalServerError", 500),
            ConnectTimeoutError(endpoint_url="https://dynamodb"),
        ],
    )
    def test_temporary_trouble_asks_the_caller_to_try_again(self, error: Exception) -> None:
        answer = self.failing(error)

        assert answer.status == 503
        assert answer.body["type"] == "/problems/unavailable"
        assert answer.headers["retry-after"] == "1"

    @pytest.mark.parametrize(
        "error",
        [
            RuntimeError("secret"),
            client_error("AccessDeniedException", 400),
            KeyError("secret"),
            RecursionError(),
        ],
    )
    def test_an_internal_error_reveals_nothing_but_its_request_id(
        self, error: Exception, capsys: pytest.CaptureFixture[str]
    ) -> None:
        answer = self.failing(error)

        assert answer.status == 500
        assert answer.body["type"] == "/problems/internal-error"
        assert answer.body["request_id"] == REQUEST_ID
        assert "secret" not in answer.text
        (logged,) = map(json.loads, capsys.readouterr().out.splitlines())
        assert (logged["level"], logged["api_request_id"]) == ("ERROR", REQUEST_ID)
        assert logged["exception"].startswith("Traceback")
        assert type(error).__name__ in logged["exception"]


class TestHandler:
    """The whole function, on DynamoDB."""

    def test_a_line_has_the_ids_of_its_invocation_and_of_the_api_s_request(self, account: Account) -> None:
        assert account.get("/no-such-route").status == 500

        (logged,) = account.log()
        assert (logged["requestId"], logged["api_request_id"]) == (context().aws_request_id, REQUEST_ID)

    def test_listing_walks_the_ledger(self, account: Account) -> None:
        made = [entry(f"receipt-{number}", START + timedelta(seconds=number)) for number in range(10)]
        entries = newest_first(account.store.record(each).entry for each in made)

        first = account.get("/receipts", limit=6).body
        second = account.get("/receipts", limit=6, cursor=first["next_cursor"]).body

        keys = [each["key"] for each in first["entries"] + second["entries"]]
        assert keys == [each.upload.version.key for each in entries]
        assert second["next_cursor"] is None

    @pytest.mark.parametrize(
        "damage",
        [
            {"source_ip": {"N": "5"}},
            {"principal": {"L": []}},
            {"outcome": {"S": "LOST"}},
            {"size_bytes": {"N": "0.5"}},
            {"uploaded_at": {"S": "yesterday"}},
            {"duplicate_of": {"M": {}}},
        ],
        ids=str,
    )
    def test_an_item_that_somebody_damaged_hides_no_other(
        self, account: Account, damage: dict[str, Any]
    ) -> None:
        fingerprint = "ab" * 32
        for number in range(3):
            account.store.record(
                entry(str(number), START + timedelta(seconds=number), fingerprint=fingerprint)
            )
        item = next(
            item
            for item in account.table.client.scan(TableName=account.table.name)["Items"]
            if item["key"]["S"] == "1"
        )
        account.table.client.put_item(TableName=account.table.name, Item={**item, **damage})

        listed = account.get("/receipts").body["entries"]
        shown = account.get(f"/receipts/{fingerprint}").body

        assert [each["key"] for each in listed] == ["2", "0"]
        assert (shown["receipt"]["key"], [each["key"] for each in shown["duplicates"]]) == ("0", ["2"])
        lines = [line for line in account.log() if line["level"] == "ERROR"]
        assert {line["entry"] for line in lines} == {item["entry"]["S"]}

    def test_receipt_shows_its_duplicates(self, account: Account) -> None:
        for key in ("first", "again"):
            account.store.record(entry(key, START, fingerprint="ab" * 32))

        body = account.get(f"/receipts/{'ab' * 32}").body

        assert body["receipt"]["key"] == "first"
        assert [each["key"] for each in body["duplicates"]] == ["again"]
        assert body["duplicates"][0]["duplicate_of"]["key"] == "first"
        assert body["rejections"] == []
        assert body["truncated"] is False
