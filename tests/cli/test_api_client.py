from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
import trustme
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from cli.caller.api_client import ApiClient, EntryFilter, sigv4
from cli.caller.bearer_token import BearerToken
from cli.caller.http_client import LONGEST_PAUSE_SECONDS, HttpClient, pause_seconds
from cli.errors import BillEError, UnavailableError
from tests.cli.conftest import api_of
from tests.cli.fake_stack import KEY_ID, REGION, Answer, FakeStack, entry, problem
from tests.cli.signatures import is_signed

SIGNED_BY_TOKEN = BearerToken("t", None).sign


def test_verifier_of_these_tests_takes_awss_own_example() -> None:
    # "get-vanilla-query-order-key-case" of the published Signature Version 4 test suite.
    headers = {
        "Host": "example.amazonaws.com",
        "X-Amz-Date": "20150830T123600Z",
        "Authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date, "
        "Signature=b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    }
    secret, target = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "/?Param2=value2&Param1=value1"

    assert is_signed("GET", target, headers, b"", secret, "service")
    assert not is_signed("GET", target.replace("value2", "value3"), headers, b"", secret, "service")


def test_call_is_signed_with_dollar_sign_in_its_path_and_special_characters_in_its_query(
    stack: FakeStack,
) -> None:
    start = datetime(2026, 11, 1, 12, 30, tzinfo=UTC)
    with api_of(stack) as api:
        page = api.page(EntryFilter(outcome="ACCEPTED", start=start), limit=10, cursor="a+b/c d=~é")

    assert stack.requests == [
        "GET /receipts?outcome=ACCEPTED&from=2026-11-01T12%3A30%3A00.000000Z&limit=10"
        "&cursor=a%2Bb%2Fc%20d%3D~%C3%A9"
    ]
    assert page["entries"] == []


def test_wrong_secret_is_access_denied(stack: FakeStack) -> None:
    sign = sigv4(Credentials(KEY_ID, "another"), REGION)
    with api_of(stack, sign) as api, pytest.raises(BillEError, match="access denied: Forbidden"):
        api.page(EntryFilter(), limit=1)


def test_pages_follow_cursors_also_past_an_empty_page(stack: FakeStack) -> None:
    stack.planned += [
        ("GET /receipts?limit=3", Answer(200, {"entries": [entry(key="a")], "next_cursor": "one"})),
        ("GET /receipts?limit=2&cursor=one", Answer(200, {"entries": [], "next_cursor": "two"})),
        ("GET /receipts?limit=2&cursor=two", Answer(200, {"entries": [entry(key="b")], "next_cursor": None})),
    ]
    with api_of(stack) as api:
        keys = [item["key"] for page in api.pages(EntryFilter(), limit=3) for item in page["entries"]]

    assert keys == ["a", "b"]
    assert not stack.planned


def test_cursor_that_doesnt_move_ends_in_an_error_not_in_a_loop(stack: FakeStack) -> None:
    stuck = Answer(200, {"entries": [], "next_cursor": "same"})
    stack.planned += [("GET /receipts", stuck), ("GET /receipts", stuck)]
    with api_of(stack) as api, pytest.raises(BillEError, match="same cursor twice"):
        list(api.pages(EntryFilter()))


def test_busy_api_is_asked_again_after_what_it_says(stack: FakeStack) -> None:
    slept: list[float] = []
    stack.planned += [
        ("GET /receipts", Answer(429, headers={"Retry-After": "3"})),
        ("GET /receipts", problem(503, "unavailable", "Busy")),
    ]
    with api_of(stack, sleep=slept.append) as api:
        api.page(EntryFilter(), limit=1)

    assert slept[0] == 3
    assert len(slept) == 2


def test_api_that_stays_busy_is_given_up_with_what_it_said(stack: FakeStack) -> None:
    busy = Answer(503, {"message": "Service Unavailable"}, headers={"Retry-After": "1"})
    stack.planned += [("GET /receipts", busy)] * 5
    with api_of(stack) as api, pytest.raises(UnavailableError, match=r"Service Unavailable \(503\)"):
        api.page(EntryFilter(), limit=1)
    assert len(stack.requests) == 5


def test_other_errors_are_not_repeated(stack: FakeStack) -> None:
    stack.planned.append(("GET /receipts", Answer(500, {"message": "Internal Server Error"})))
    with api_of(stack) as api, pytest.raises(UnavailableError, match="Internal Server Error"):
        api.page(EntryFilter(), limit=1)
    assert len(stack.requests) == 1


@pytest.mark.parametrize("said", ["86400", "999999999999999"])
def test_pause_is_bounded_whatever_the_server_asks(said: str) -> None:
    assert pause_seconds(said, 1) == LONGEST_PAUSE_SECONDS


@pytest.mark.parametrize("said", [None, "Wed, 21 Oct 2026 07:28:00 GMT", "-5", "²"])
def test_pause_without_seconds_grows_with_the_attempts_within_bounds(said: str | None) -> None:
    assert 0.5 <= pause_seconds(said, 1) <= 1
    assert 2 <= pause_seconds(said, 3) <= 4
    assert pause_seconds(said, 30) <= LONGEST_PAUSE_SECONDS


def test_problem_is_told_with_each_faulty_parameter(stack: FakeStack) -> None:
    errors = [{"field": "limit", "value": "0", "allowed": "1 to 200"}]
    stack.planned.append(("GET /receipts", problem(400, "invalid-parameter", "Refused.", errors=errors)))
    with api_of(stack) as api, pytest.raises(BillEError, match=r"Refused\.; limit is '0', allowed: 1 to 200"):
        api.page(EntryFilter(), limit=1)


def test_refused_bearer_token_is_told(stack: FakeStack) -> None:
    stack.auth = "jwt"
    with (
        api_of(stack, BearerToken("expired", None).sign) as api,
        pytest.raises(BillEError, match="the bearer token was refused"),
    ):
        api.history("0" * 64)


@pytest.mark.parametrize("document", ["<html>hello</html>", '["list"]', '{"other": 1}'])
def test_answer_that_no_ledger_gives_is_told(stack: FakeStack, document: str) -> None:
    stack.planned.append(("GET /receipts", Answer(200, document)))
    with api_of(stack) as api, pytest.raises(BillEError, match="is the stack's api_url right"):
        api.page(EntryFilter(), limit=1)


def test_gateways_404_is_not_taken_for_an_unknown_fingerprint(stack: FakeStack) -> None:
    stack.planned.append(("GET /receipts/", Answer(404, {"message": "Not Found"})))
    with api_of(stack) as api:
        with pytest.raises(BillEError, match="no such route"):
            api.history("0" * 64)
        stack.planned.append(("GET /receipts/", problem(400, "invalid-parameter", "One is invalid.")))
        with pytest.raises(BillEError, match="One is invalid"):
            api.history("0" * 64)
        assert api.history("0" * 64) is None


def test_signature_is_made_anew_for_each_attempt(stack: FakeStack, monkeypatch: pytest.MonkeyPatch) -> None:
    signed: list[AWSRequest] = []
    real = SigV4Auth.add_auth

    def add_auth(self: SigV4Auth, request: AWSRequest) -> None:
        signed.append(request)
        real(self, request)

    monkeypatch.setattr(SigV4Auth, "add_auth", add_auth)
    stack.planned.append(("GET /receipts", Answer(429)))
    with api_of(stack) as api:
        api.page(EntryFilter(), limit=1)
    assert len({id(request) for request in signed}) == 2


@contextmanager
def _tls_server(authority: trustme.CA) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = b'{"entries": [], "next_cursor": null}'
            self.send_response_only(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    class Server(HTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that hangs up is part of the test."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server = Server(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_own_ca_is_trusted_and_an_unknown_one_refused_with_a_sentence(tmp_path: Path) -> None:
    authority, ca_bundle = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca_bundle)
    with _tls_server(authority) as url:
        with closing(HttpClient(ca_bundle=str(ca_bundle), connections=1)) as http:
            assert ApiClient(url, http, SIGNED_BY_TOKEN).page(EntryFilter(), limit=1)["entries"] == []
        with (
            closing(HttpClient(ca_bundle=None, connections=1)) as http,
            pytest.raises(BillEError, match="the certificate is not trusted"),
        ):
            ApiClient(url, http, SIGNED_BY_TOKEN).page(EntryFilter(), limit=1)


def test_nothing_is_sent_once_the_connections_are_closed(stack: FakeStack) -> None:
    with api_of(stack) as api:
        api.page(EntryFilter(), limit=1)
    asked = len(stack.requests)

    with pytest.raises(UnavailableError, match="has been closed"):
        api.page(EntryFilter(), limit=1)
    assert len(stack.requests) == asked
