"""What other sites can do to a console that is open in the same browser: nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.cli.fake_stack import FakeStack, entry
from tests.console.page.browsing import CHROMIUM, chromium_started
from tests.console.served import Served

FOREIGN = "evil.example"

# What loads from another site without asking it.
EMBED = """
async ([kind, address]) => {
  const element = document.createElement(kind);
  const loaded = new Promise((resolve) => {
    element.onload = () => resolve("loaded");
    element.onerror = () => resolve("refused");
  });
  if (kind === "link") {
    element.rel = "stylesheet";
    element.href = address;
  } else {
    element.src = address;
  }
  document.body.append(element);
  return loaded;
}
"""
FETCH = """
async ([address, options]) => {
  try {
    const answer = await fetch(address, {credentials: "include", ...options});
    return `${answer.type} ${answer.status}`;
  } catch {
    return "refused";
  }
}
"""


CONNECT = """
(address) => new Promise((resolve) => {
  const socket = new WebSocket(address);
  socket.onopen = () => resolve("opened");
  socket.onerror = () => resolve("refused");
})
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for which a foreign name leads to this machine, as after DNS rebinding."""
    if CHROMIUM is None:
        pytest.skip("Chromium isn't installed")
    with chromium_started(f"--host-resolver-rules=MAP {FOREIGN} 127.0.0.1") as launched:
        yield launched


@pytest.fixture(scope="module")
def other_port() -> Iterator[int]:
    """A server that isn't the console, with an empty page."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response_only(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>Another site</title><body>")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture
def signed_in(browser: Browser, stranger: Served, stack: FakeStack) -> Iterator[BrowserContext]:
    """A browser that has opened the console. Its page would ask for new entries, so it isn't left open."""
    stack.entries.append(entry(fingerprint="a" * 64))
    stack.objects["receipt.png", "v1"] = b"alert(1)"
    with browser.new_context() as context:
        assert context.request.get(stranger.session.first_address).status == 200
        assert context.request.get(f"{stranger.session.address}api/receipts?limit=1").status == 200
        stack.requests.clear()
        yield context


@contextmanager
def another_site(context: BrowserContext, host: str, port: int) -> Iterator[Page]:
    page = context.new_page()
    page.goto(f"http://{host}:{port}/")
    yield page
    page.close()


# The first is even of the same site, so the browser sends the console's cookie with each request.
each_site = pytest.mark.parametrize("host", ["127.0.0.1", "localhost", FOREIGN])


@each_site
@pytest.mark.claim(
    "no other site can read anything from the console, or have it change anything",
    section="The console",
)
def test_another_site_can_do_nothing(
    signed_in: BrowserContext, stranger: Served, stack: FakeStack, other_port: int, host: str
) -> None:
    address = stranger.session.address
    with another_site(signed_in, host, other_port) as page:
        read = [
            page.evaluate(FETCH, [f"{address}{path}", {"mode": mode}])
            for path in ("api/receipts?limit=1", f"api/files/{'a' * 64}", "api/session", "")
            for mode in ("cors", "no-cors")
        ]
        embedded = [
            page.evaluate(EMBED, [kind, f"{address}{path}"])
            for kind in ("script", "img", "link")
            for path in ("api/receipts?limit=1", f"api/files/{'a' * 64}", "js/main.js")
        ]
        changed = [
            page.evaluate(FETCH, [f"{address}{path}", {"method": method, "mode": mode, "body": "{}"}])
            for method, path, mode in (
                ("POST", "api/lookup", "no-cors"),
                ("POST", "api/operations/redrive", "no-cors"),
                ("POST", "api/operations/redrive", "cors"),
            )
        ]
        sockets = [
            page.evaluate(CONNECT, f"ws://{name}:{stranger.port}/api/uploads")
            for name in ("127.0.0.1", "localhost", FOREIGN)
        ]

        assert {*read, *embedded, *changed, *sockets} == {"refused"}
    assert stack.requests == []


@each_site
def test_another_site_can_neither_frame_the_console_nor_look_into_its_window(
    signed_in: BrowserContext, stranger: Served, other_port: int, host: str
) -> None:
    address = stranger.session.address
    with another_site(signed_in, host, other_port) as page:
        page.evaluate(EMBED, ["iframe", address])
        (frame,) = page.main_frame.child_frames
        assert "Bill-E" not in frame.content()

        with signed_in.expect_page() as opened:
            page.evaluate("(address) => { window.console_window = window.open(address); }", address)
        page.wait_for_function("() => window.console_window.closed")
        opened.value.close()


def test_a_form_of_another_site_is_refused(
    signed_in: BrowserContext, stranger: Served, stack: FakeStack, other_port: int
) -> None:
    address = f"{stranger.session.address}api/operations/redrive"
    with another_site(signed_in, "127.0.0.1", other_port) as page:
        page.evaluate(
            """(address) => {
            document.body.innerHTML = `<form method="post" action="${address}"><button>Win</button></form>`;
        }""",
            address,
        )
        with page.expect_navigation() as sent:
            page.get_by_role("button", name="Win").click()

        assert sent.value
        assert sent.value.status == 403
    assert stack.requests == []


def test_a_name_that_was_made_to_resolve_to_this_machine_shows_nothing(
    signed_in: BrowserContext, stranger: Served, stack: FakeStack
) -> None:
    page = signed_in.new_page()

    for path in ("", "api/session", f"?secret={stranger.session._secret}"):
        answer = page.goto(f"http://{FOREIGN}:{stranger.port}/{path}")
        assert answer
        assert answer.status == 403
    assert stack.requests == []


def test_a_link_on_another_site_leads_to_the_console_after_a_click(
    signed_in: BrowserContext, stranger: Served, other_port: int
) -> None:
    with another_site(signed_in, FOREIGN, other_port) as page:
        page.evaluate(
            "(address) => { document.body.innerHTML = `<a href=${address}>Look</a>`; }",
            stranger.session.address,
        )
        with page.expect_navigation() as asked:
            page.get_by_role("link", name="Look").click()
        assert asked.value
        assert asked.value.status == 401

        with page.expect_navigation() as shown:
            page.get_by_role("link", name="open it").click()
        assert shown.value
        assert shown.value.status == 200


def test_a_browser_that_has_not_opened_the_address_sees_nothing(
    browser: Browser, signed_in: BrowserContext, stranger: Served, stack: FakeStack
) -> None:
    assert signed_in.cookies()
    with browser.new_context() as other:
        page = other.new_page()
        answer = page.goto(stranger.session.address)

        assert answer
        assert answer.status == 401
        assert page.get_by_role("heading").inner_text() == "This address doesn't open the console"
    assert stack.requests == []
