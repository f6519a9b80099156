"""Only the browser that opened the console first, and only its own page, may talk to it."""

from __future__ import annotations

from http.cookies import SimpleCookie
from typing import TYPE_CHECKING

import pytest

from cli.caller.api_client import ApiClient
from cli.console.session import Session
from tests.cli.fake_stack import FakeStack, entry
from tests.console.sockets import Socket, handshake, refusal

if TYPE_CHECKING:
    from tests.console.served import Received, Served


def first(console: Served) -> str:
    return console.session.first_address.removeprefix(f"http://{console.host}")


@pytest.mark.claim(
    "the console's first address gives a cookie that is sent for no other site, and that no script reads",
    section="The console",
)
def test_the_first_address_gives_a_cookie_that_only_the_page_sends_and_no_script_reads(
    stranger: Served,
) -> None:
    opened = stranger.ask("GET", first(stranger), {})

    (cookie,) = SimpleCookie(opened.headers["set-cookie"]).values()
    assert (opened.status, opened.headers["location"]) == (303, "/")
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "strict", "/")
    # It ends with the browser, and no other host gets it.
    assert (cookie["expires"], cookie["max-age"], cookie["domain"]) == ("", "", "")
    # Neither of the two secrets says anything about the other one.
    assert cookie.value not in first(stranger)
    assert stranger.ask("GET", "/", {"Cookie": f"{cookie.key}={cookie.value}"}).status == 200


@pytest.mark.claim(
    "the console's first address works once",
    section="The console",
)
def test_an_address_that_was_used_says_how_to_get_another_one(stranger: Served) -> None:
    address = first(stranger)
    assert stranger.ask("GET", address, {}).status == 303

    again = stranger.ask("GET", address, {})

    assert again.status == 401
    assert b"This address has been opened before" in again.content
    assert b"run <code>bill-e console</code> again" in again.content
    assert "set-cookie" not in again.headers


@pytest.mark.parametrize("opened", [False, True], ids=["unused", "used"])
def test_an_address_of_another_run_is_not_taken_for_one_that_was_opened(
    stranger: Served, *, opened: bool
) -> None:
    if opened:
        stranger.ask("GET", first(stranger), {})

    answer = stranger.ask("GET", "/?secret=of-yesterday", {})

    assert answer.status == 401
    assert b"This isn't the address that the console has printed." in answer.content
    assert b"opened before" not in answer.content
    assert "set-cookie" not in answer.headers


def test_the_browser_that_has_the_cookie_may_open_the_first_address_again(stranger: Served) -> None:
    address = first(stranger)
    stranger.sign_in()

    assert stranger.ask("GET", address, stranger.cookie).headers["location"] == "/"


def test_each_run_has_secrets_of_its_own(page: Served) -> None:
    other = Session(page.port)

    assert len({Session(page.port).first_address for _ in range(3)}) == 3
    assert page.cookie["Cookie"] != f"{other.cookie_name}={other._cookie}"


@pytest.mark.claim(
    "without that cookie, the console asks the stack nothing, and only says how to get one",
    section="The console",
)
@pytest.mark.parametrize("cookie", [{}, {"Cookie": "{name}=x"}, {"Cookie": "bill_e_console_1={value}"}])
def test_nobody_gets_anything_without_the_cookie(
    stranger: Served, stack: FakeStack, cookie: dict[str, str]
) -> None:
    session = stranger.session
    filled = {
        name: value.format(name=session.cookie_name, value=session._cookie) for name, value in cookie.items()
    }

    pages = [stranger.ask("GET", target, filled) for target in ("/", "/index.html", "/x", "/?secret=")]
    answers = [stranger.ask("GET", target, filled) for target in ("/api/session", "/api/receipts", "/api/x")]
    answers.append(refusal(stranger, {**filled, "Origin": f"http://{stranger.host}"}))

    assert {answer.problem for answer in answers} == {(401, "no-session")}
    assert {page.status for page in pages} == {401}
    assert all(page.headers["content-type"].startswith("text/html") for page in pages)
    assert not any("set-cookie" in answer.headers for answer in (*pages, *answers))
    assert stack.requests == []


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}"])
def test_the_console_has_two_names(page: Served, host: str) -> None:
    host = host.format(port=page.port)
    sent = {**page.cookie, "Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}

    assert page.ask("GET", "/api/receipts?limit=1", sent).status == 200
    with handshake(page, sent) as socket:
        assert isinstance(socket, Socket)


@pytest.mark.claim(
    "the console refuses requests under a name that was made to resolve to this machine",
    section="The console",
)
@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:{port}", "127.0.0.1", "localhost", "127.0.0.1:1", ""),
        *("127.0.0.1.evil.example:{port}", "[::1]:{port}", "0.0.0.0:{port}", "127.0.0.1:{port}, x"),
    ],
)
def test_a_name_that_was_made_to_resolve_to_this_machine_is_refused(
    page: Served, stack: FakeStack, host: str
) -> None:
    sent = {**page.cookie, "Host": host.format(port=page.port)}

    assert {page.ask("GET", target, sent).problem for target in ("/", "/api/receipts?limit=1")} == {
        (403, "not-from-page")
    }
    assert page.ask("GET", first(page), {"Host": sent["Host"]}).status == 403
    # Even if its origin is of the same name, as it is after DNS rebinding.
    socket = refusal(page, {**sent, "Origin": f"http://{sent['Host']}"})
    assert (socket.status, sent["Host"]) == (400, "") or socket.problem == (403, "not-from-page")
    assert stack.requests == []


ELSEWHERE = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "https://{host}"},
    {"Origin": "http://localhost:{port}"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "http://{host}", "Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
]


@pytest.mark.claim(
    "no other site can read anything from the console, or have it change anything",
    section="The console",
)
@pytest.mark.parametrize("headers", ELSEWHERE)
def test_another_site_can_neither_read_nor_change_anything(
    page: Served, stack: FakeStack, headers: dict[str, str]
) -> None:
    sent = page.cookie | {
        name: value.format(host=page.host, port=page.port) for name, value in headers.items()
    }
    refused = [
        page.ask("GET", "/api/receipts?limit=1", sent),
        page.ask("POST", "/api/lookup", sent, b"{}"),
        refusal(page, sent),
        refusal(page, sent, "/?secret=x"),
    ]

    assert {answer.problem for answer in refused} == {(403, "not-from-page")}
    assert stack.requests == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "http://{host}"}, 200),
    ],
)
def test_a_change_needs_a_sign_that_it_comes_from_the_page(
    page: Served, headers: dict[str, str], status: int
) -> None:
    filled = {name: value.format(host=page.host) for name, value in headers.items()}
    body = b'{"fingerprints": ["%b"]}' % (b"0" * 64)

    assert page.ask("POST", "/api/lookup", {**page.cookie, **filled}, body).status == status


@pytest.mark.claim(
    "no other site can read anything from the console, or have it change anything",
    section="The console",
)
@pytest.mark.parametrize("site", [{}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}])
def test_a_web_socket_needs_an_origin(page: Served, site: dict[str, str]) -> None:
    assert refusal(page, {**page.cookie, **site}).problem == (403, "not-from-page")


def test_a_web_socket_leads_to_uploads_alone(stranger: Served) -> None:
    own = {"Origin": f"http://{stranger.host}"}
    # It doesn't use up the address that the person is about to open.
    assert refusal(stranger, own, first(stranger)).status == 401
    stranger.sign_in()

    for target in ("/", "/index.html", "/x", "/api/", "/api/session", "/api/uploads/x", "/api/receipts"):
        assert refusal(stranger, stranger.own, target).status == 403


def test_a_link_on_another_site_may_lead_to_the_page_and_to_nothing_else(page: Served) -> None:
    visit = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}

    # The browser doesn't send a strict cookie with it, so the person is asked to follow a link of ours.
    asked = page.ask("GET", "/", visit)

    assert asked.status == 401
    assert b'<a href="/">' in asked.content
    assert page.ask("GET", "/", {**visit, "Sec-Fetch-Dest": "iframe"}).status == 403
    assert page.ask("GET", "/", {**visit, "Sec-Fetch-Mode": "no-cors"}).status == 403
    assert page.ask("GET", "/index.html", visit).status == 403
    assert page.ask("POST", "/", visit, b"").status == 403


@pytest.mark.claim(
    "every answer of the console forbids scripts and frames of others, and caches",
    section="The console",
)
def test_every_answer_forbids_scripts_frames_and_caches(
    page: Served, stack: FakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.entries.append(entry(fingerprint="a" * 64))
    stack.objects["receipt.png", "v1"] = b"bytes"

    answers = [
        page.get("/"),
        page.get(f"/api/files/{'a' * 64}"),
        page.ask("GET", "/?secret=x", page.cookie),
        page.ask("GET", "/", {}),
        page.ask("GET", "/", {"Host": "evil.example"}),
        page.get("/nothing"),
        page.ask("DELETE", "/api/receipts", page.own),
    ]
    monkeypatch.setattr(ApiClient, "call", lambda *_, **__: 1 / 0)
    answers += [refusal(page, {}), page.get("/api/receipts")]

    assert [answer.status for answer in answers] == [200, 200, 303, 401, 403, 404, 405, 403, 500]
    for answer in answers:
        assert_safe(answer, page)
    assert answers[-1].problem == (500, "failed")
    assert b"division" not in answers[-1].content


def assert_safe(answer: Received, page: Served) -> None:
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' blob: data:",
        "connect-src": " ".join(
            ["'self'", *(f"ws://{host}:{page.port}/api/uploads" for host in ("127.0.0.1", "localhost"))]
        ),
        "worker-src": "'self'",
        "frame-src": "blob:",
        "font-src": "'self'",
        "form-action": "'none'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    expected = {
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "cache-control": "no-store",
    }
    assert expected.items() <= answer.headers.items()
    assert "camera=()" in answer.headers["permissions-policy"]
    assert "server" not in answer.headers
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.claim(
    "the console serves no file of the machine but those of its page",
    section="The console",
)
def test_nothing_outside_the_folder_of_the_page_is_served(page: Served) -> None:
    targets = ("/../app.py", "/..%2fapp.py", "/%2e%2e/app.py", "/js/../../app.py", "//etc/passwd")

    assert {page.get(target).status for target in targets} == {404}
