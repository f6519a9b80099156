"""Uploading in a browser: what is known isn't sent, and what becomes of each file is shown."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from email.message import Message
from pathlib import Path

import pytest
from playwright.sync_api import Dialog, Locator, Page, WebSocketRoute, expect

from cli.console import uploads
from local.whole_files import png
from tests.cli.fake_stack import BUCKET, TOKEN, Answer, FakeStack, s3_error
from tests.console.page.conftest import Open
from tests.console.page.ledgers import Ledger


def row(page: Page, name: str) -> Locator:
    """What is said of a file."""
    return page.get_by_role("table", name="Files").get_by_role("row").filter(has_text=name)


def choose(page: Page, *files: Path, button: str = "Choose files") -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name=button).click()
    chooser.value.set_files([*map(str, files)])


DROP = """
(zone, files) => {
  const dataTransfer = new DataTransfer();
  for (const [name, content] of files) dataTransfer.items.add(new File([content], name));
  zone.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true }));
}
"""


def drop(page: Page, *files: tuple[str, str]) -> None:
    page.get_by_text("Drop receipts or folders here").evaluate(DROP, files)


def numbered(number: int) -> list[tuple[str, str]]:
    """Files with names and contents of their own."""
    return [(f"{at}.png", f"receipt {at}") for at in range(number)]


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str, bytes], Path]:
    """Makes a file."""
    folder = tmp_path / "files"

    def make(name: str, content: bytes) -> Path:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        return folder / name

    return make


def sent(ledger: Ledger) -> list[str]:
    """The requests with which files were sent."""
    return [request for request in ledger.stack.requests if request.startswith("PUT ")]


def test_outcomes_appear(open_page: Open, ledger: Ledger, file: Callable[[str, bytes], Path]) -> None:
    page = open_page("#/upload")

    choose(page, file("taxi & co.png", png(b"1")), file("script.png", b"#!/bin/sh\n"))

    expect(row(page, "taxi & co.png")).to_contain_text("Accepted")
    expect(row(page, "script.png")).to_contain_text("Rejected Unsupported type")
    expect(page.get_by_text("2 files: 1 accepted, 1 rejected")).to_be_visible()
    assert {key for key, _ in ledger.stack.objects} == {"taxi & co.png", "script.png"}
    row(page, "taxi & co.png").get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("taxi & co.png")


def test_known_bytes_are_not_sent_unless_asked_for(
    open_page: Open, ledger: Ledger, file: Callable[[str, bytes], Path]
) -> None:
    ledger.add(png(), key="known.png")
    page = open_page("#/upload")

    choose(page, file("again.png", png()), file("twin a.png", png(b"2")), file("twin b.png", png(b"2")))

    expect(row(page, "again.png")).to_contain_text(re.compile("Not sent: accepted on .* UTC"))
    expect(row(page, "twin a.png").first).to_contain_text("Accepted")
    expect(row(page, "twin b.png")).to_contain_text("Not sent. The same bytes as twin a.png")
    assert len(sent(ledger)) == 1

    page.get_by_role("button", name="Send anyway: again.png").click()

    expect(row(page, "again.png")).to_contain_text("Duplicate Same as known.png")
    assert len(sent(ledger)) == 2


def test_what_cannot_be_a_receipt_is_not_sent(
    open_page: Open, ledger: Ledger, file: Callable[[str, bytes], Path]
) -> None:
    page = open_page("#/upload")

    choose(page, file("empty.png", b""), file("large.png", bytes(5_001)))

    expect(row(page, "empty.png")).to_contain_text("Failed. The file has no bytes.")
    expect(row(page, "large.png")).to_contain_text("Failed. A receipt may have up to 5.0 kB.")
    expect(page.get_by_role("button", name="Try again")).to_have_count(0)
    assert sent(ledger) == []


def test_a_folder_keeps_its_paths(
    open_page: Open, ledger: Ledger, file: Callable[[str, bytes], Path], tmp_path: Path
) -> None:
    file("a.png", png(b"a"))
    file("2026/11/b.png", png(b"b"))
    file(".DS_Store", b"hidden")
    file(".git/c.png", png(b"c"))
    page = open_page("#/upload")

    choose(page, tmp_path / "files", button="Choose a folder")

    expect(page.get_by_text("2 files: 2 accepted, 2 hidden, left out")).to_be_visible()
    assert {key for key, _ in ledger.stack.objects} == {"a.png", "2026/11/b.png"}


def test_dropped_files_are_taken(open_page: Open, ledger: Ledger) -> None:
    page = open_page("#/upload")

    drop(page, ("dropped.png", "dropped"))

    expect(row(page, "dropped.png")).to_contain_text("Accepted")
    assert [*ledger.stack.objects.values()] == [b"dropped"]


class SlowStack(FakeStack):
    """A stack that takes no file until it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may_go_on = threading.Event()
        self.waiting = 0
        self.most = 0

    def _put_object(self, method: str, target: str, headers: Message, body: bytes) -> Answer:
        if method != "PUT":  # The console asks who is signed in.
            return super()._put_object(method, target, headers, body)
        with self.lock:
            self.waiting += 1
            self.most = max(self.most, self.waiting)
        assert self.may_go_on.wait(60)
        with self.lock:
            self.waiting -= 1
        return super()._put_object(method, target, headers, body)


@pytest.fixture
def slow(ledger: Ledger) -> Iterator[SlowStack]:
    """The ledger's stack, which goes on in the end in any case."""
    assert isinstance(ledger.stack, SlowStack)
    yield ledger.stack
    ledger.stack.may_go_on.set()


slowly = pytest.mark.parametrize("ledger", [SlowStack], indirect=True)


def asks_before_it_closes(page: Page) -> bool:
    return bool(page.evaluate("!dispatchEvent(new Event('beforeunload', { cancelable: true }))"))


@slowly
def test_ten_go_at_a_time_and_the_rest_can_be_cancelled(
    open_page: Open, slow: SlowStack, file: Callable[[str, bytes], Path]
) -> None:
    page = open_page("#/upload")

    choose(page, *(file(f"{number:02}.png", png(b"%d" % number)) for number in range(14)))

    expect(page.get_by_role("row").filter(has_text="Sending")).to_have_count(10)
    expect(page.get_by_role("row").filter(has_text="Waiting to be sent")).to_have_count(4)
    # A tab that is closed now would lose them, so the browser asks.
    assert asks_before_it_closes(page)
    page.get_by_role("button", name="Cancel: 13.png").click()
    expect(row(page, "13.png")).to_contain_text("You cancelled it. Nothing was recorded.")
    # The connections that a browser has for requests aren't taken.
    page.get_by_role("link", name="Ledger").first.click()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Upload 13 on the way")).to_be_visible()
    slow.may_go_on.set()
    page.get_by_role("navigation", name="Views").get_by_role("link", name="Upload").click()
    expect(page.get_by_text("14 files: 13 accepted, 1 cancelled")).to_be_visible()
    assert slow.most == 10
    assert not asks_before_it_closes(page)
    page.get_by_role("button", name="Send it: 13.png").click()
    expect(row(page, "13.png")).to_contain_text("Accepted")


@slowly
def test_all_can_be_cancelled_and_sent_after_all(
    open_page: Open, ledger: Ledger, slow: SlowStack, file: Callable[[str, bytes], Path]
) -> None:
    page = open_page("#/upload")
    choose(page, *(file(f"{number:02}.png", png(b"%d" % number)) for number in range(12)))
    expect(page.get_by_role("row").filter(has_text="Sending")).to_have_count(10)

    page.get_by_role("button", name="Cancel all").click()

    expect(page.get_by_text("12 files: 12 cancelled")).to_be_visible()
    assert not asks_before_it_closes(page)
    slow.may_go_on.set()
    page.get_by_role("button", name="Send those that were cancelled").click()
    # What had arrived all the same is found in the ledger.
    expect(page.get_by_text(re.compile("^12 files: (?!.*(cancelled|on the way))"))).to_be_visible()
    assert {key for key, _ in ledger.stack.objects} == {f"{number:02}.png" for number in range(12)}


@slowly
def test_a_large_file_is_sent_as_it_is_taken(
    open_page: Open, ledger: Ledger, slow: SlowStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server ends a socket through which too much comes ahead."""
    monkeypatch.setattr(uploads, "AT_ONCE", 1)
    page = open_page("#/upload")
    page.route(
        "**/api/session",
        lambda route: route.fulfill(json={**route.fetch().json(), "max_receipt_bytes": 10_000_000}),
    )
    page.reload()

    drop(page, ("a.png", "a" * 2_000_000), ("b.png", "b" * 2_000_000))

    # The second one waits until S3 has answered for the first one.
    expect(page.get_by_role("progressbar", name="Sending a.png")).to_have_js_property("value", 1)
    expect(page.get_by_role("progressbar", name="Sending b.png")).to_have_js_property("value", 0)
    slow.may_go_on.set()
    expect(page.get_by_text("2 files: 2 rejected")).to_be_visible()
    assert sorted(ledger.stack.objects.values()) == [b"a" * 2_000_000, b"b" * 2_000_000]


@slowly
def test_only_some_files_are_read_ahead(open_page: Open, slow: SlowStack) -> None:
    page = open_page("#/upload")

    drop(page, *numbered(300))

    expect(page.get_by_text("300 files: 300 on the way")).to_be_visible()
    page.get_by_role("button", name="Show 500 more").click()
    ahead = re.compile("Waiting to be sent|Looking it up")
    expect(page.get_by_role("row").filter(has_text=ahead)).to_have_count(200)
    expect(page.get_by_role("cell", name="Waiting", exact=True)).to_have_count(90)
    # It begins with a few, and asks of up to a hundred at once.
    asked = [request for request in slow.requests if request.startswith("POST /receipts/lookup")]
    assert len(asked) in range(3, 15)


def test_the_first_files_are_sent_while_others_are_read(open_page: Open, ledger: Ledger) -> None:
    page = open_page("#/upload")

    drop(page, *numbered(300))

    expect(page.get_by_text("300 files: 300 accepted")).to_be_visible()
    requests = [request.split("?")[0] for request in ledger.stack.requests]
    last_asked = max(at for at, request in enumerate(requests) if request == "POST /receipts/lookup")
    assert len([request for request in requests[:last_asked] if request.startswith("PUT ")]) > 50


def test_of_many_files_some_are_shown_and_each_group_can_be(open_page: Open) -> None:
    page = open_page("#/upload")
    rows = page.get_by_role("table", name="Files").get_by_role("row")
    drop(page, *numbered(130))
    expect(page.get_by_text("130 files: 130 accepted")).to_be_visible()
    # The header is a row as well.
    expect(rows).to_have_count(101)
    expect(page.get_by_text("The first 100 of 130 are shown.")).to_be_visible()

    page.get_by_role("button", name="Show 500 more").click()
    expect(rows).to_have_count(131)

    drop(page, ("empty.png", ""))
    expect(page.get_by_text("131 files: 130 accepted, 1 failed")).to_be_visible()
    # What needs the person comes first.
    expect(rows).to_have_count(2)
    page.get_by_role("button", name="130 accepted").click()
    expect(rows).to_have_count(101)
    expect(page.get_by_role("button", name="130 accepted")).to_have_attribute("aria-pressed", "true")


def test_a_screen_reader_hears_of_the_end_once(open_page: Open) -> None:
    page = open_page("#/upload")
    expect(page.get_by_text("Drop receipts or folders here")).to_be_visible()
    page.evaluate(
        """() => {
            window.heard = [];
            for (const region of document.querySelectorAll("[role=status], [role=alert], [aria-live]")) {
                const hear = () => region.textContent && window.heard.push(region.textContent);
                new MutationObserver(hear).observe(region, { childList: true, subtree: true });
            }
        }"""
    )

    drop(page, *numbered(130))

    expect(page.get_by_text("130 files: 130 accepted")).to_be_visible()
    said = page.evaluate("window.heard.filter((text) => text !== 'Live')")
    assert said[-1] == "Finished: 130 accepted"
    assert len(said) <= 3


@slowly
@pytest.mark.usefixtures("slow")
def test_a_file_that_was_on_its_way_may_have_arrived(
    open_page: Open, file: Callable[[str, bytes], Path]
) -> None:
    page = open_page("#/upload")
    choose(page, file("taxi.png", png()))
    expect(row(page, "taxi.png")).to_contain_text("Sending")

    page.get_by_role("button", name="Cancel: taxi.png").click()

    expect(row(page, "taxi.png")).to_contain_text("If all of it had been sent by then, its entry appears in")


def test_a_file_dropped_beside_the_zone_does_not_replace_the_console(open_page: Open) -> None:
    page = open_page("#/overview")
    expect(page.get_by_role("heading", level=1)).to_be_visible()

    taken = page.evaluate(
        """() => ["dragover", "drop"].map((type) => {
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File(["dropped"], "dropped.html"));
            const event = new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer });
            return !document.body.dispatchEvent(event);
        })"""
    )

    assert taken == [True, True]


def test_hashing_is_tried_again(open_page: Open, file: Callable[[str, bytes], Path]) -> None:
    page = open_page()
    page.route("**/hash-worker.js", lambda route: route.abort())
    page.get_by_role("link", name="Upload", exact=True).click()
    choose(page, file("taxi.png", png()))
    expect(page.get_by_role("alert").get_by_text("The console doesn't answer.")).to_be_visible()

    page.unroute("**/hash-worker.js")
    page.get_by_role("button", name="Try now").click()

    expect(row(page, "taxi.png")).to_contain_text("Accepted")


def test_a_refusal_is_said(open_page: Open, ledger: Ledger, file: Callable[[str, bytes], Path]) -> None:
    ledger.stack.planned.append((f"PUT /{BUCKET}/", s3_error(400, "BadDigest", "no")))
    page = open_page("#/upload")

    choose(page, file("taxi.png", png()))

    expect(row(page, "taxi.png")).to_contain_text("Failed. upload to bucket uploads")
    page.get_by_role("button", name="Try again: taxi.png").click()
    expect(row(page, "taxi.png")).to_contain_text("Accepted")
    assert len(sent(ledger)) == 2


LACKING = s3_error(403, "AccessDenied", "no")
EXPIRED = s3_error(400, "ExpiredToken", "The provided token has expired.")


@pytest.mark.parametrize(
    ("answer", "title"), [(LACKING, "You may not do this."), (EXPIRED, "Your sign-in has ended.")]
)
def test_what_no_file_gets_past_is_said_once_and_the_rest_can_be_sent(
    open_page: Open, ledger: Ledger, answer: Answer, title: str
) -> None:
    ledger.stack.planned += [(f"PUT /{BUCKET}/", answer)] * 10
    page = open_page("#/upload")

    drop(page, *numbered(30))

    alert = page.get_by_role("main").get_by_role("alert")
    expect(alert.get_by_text(title)).to_be_visible()
    expect(alert).to_contain_text("30 files haven't been sent, and will be lost if you close this page.")
    expect(page.get_by_text("30 files: 30 not finished")).to_be_visible()
    expect(page.get_by_role("table", name="Files").get_by_text("Not sent", exact=True)).to_have_count(30)
    assert asks_before_it_closes(page)
    assert len(sent(ledger)) <= 10

    ledger.stack.planned.clear()
    page.get_by_role("button", name="Send the rest").click()

    expect(page.get_by_text("30 files: 30 accepted")).to_be_visible()
    expect(alert).to_be_empty()


@pytest.mark.parametrize("ledger", [lambda: FakeStack(auth="jwt")], indirect=True)
def test_a_token_that_has_expired_is_said_once(open_page: Open, ledger: Ledger) -> None:
    page = open_page("#/upload")
    ledger.stack.token = "another one"

    drop(page, *numbered(30))

    alert = page.get_by_role("main").get_by_role("alert")
    expect(alert).to_contain_text("Your sign-in has ended.")
    expect(page.get_by_text("30 files: 30 not finished")).to_be_visible()
    ledger.stack.token = TOKEN
    page.get_by_role("button", name="Send the rest").click()
    expect(page.get_by_text("30 files: 30 accepted")).to_be_visible()


@slowly
def test_a_tab_with_files_left_is_not_closed_without_a_question(open_page: Open, slow: SlowStack) -> None:
    page = open_page("#/upload")
    dialogs: list[str] = []

    def accept(dialog: Dialog) -> None:
        dialogs.append(dialog.type)
        dialog.accept()

    page.on("dialog", accept)
    drop(page, *numbered(12))
    expect(page.get_by_role("row").filter(has_text="Sending")).to_have_count(10)
    # A browser only asks somebody who has done something on the page.
    page.get_by_role("heading", level=1).click()

    with page.expect_event("close"):
        page.close(run_before_unload=True)

    assert dialogs == ["beforeunload"]
    slow.may_go_on.set()


def test_an_entry_that_was_not_heard_of_is_asked_for(open_page: Open) -> None:
    page = open_page("#/upload")
    page.clock.install()
    page.route("**/api/receipts?*", lambda route: route.fulfill(json={"entries": [], "next_cursor": None}))
    drop(page, *numbered(3))
    expect(page.get_by_role("row").filter(has_text="Sent, waiting for its entry")).to_have_count(3)

    page.clock.fast_forward(30_000)

    expect(page.get_by_text("3 files: 3 accepted")).to_be_visible()


def test_a_console_that_has_ended_is_said_once(open_page: Open) -> None:
    page = open_page("#/upload")
    page.route("**/api/*", lambda route: route.abort())

    drop(page, *numbered(30))

    alert = page.get_by_role("main").get_by_role("alert")
    expect(alert).to_contain_text("The console doesn't answer. Is bill-e console still running? 30 files")
    page.unroute("**/api/*")
    # It goes on by itself after a while, without being asked.
    expect(page.get_by_text("30 files: 30 accepted")).to_be_visible()


def test_a_socket_that_breaks_off_is_opened_again(open_page: Open, ledger: Ledger) -> None:
    page = open_page("#/upload")
    broken = []

    def broken_once(route: WebSocketRoute) -> None:
        broken.append(route)
        if len(broken) > 3:
            route.connect_to_server()
        else:
            route.close(code=1013, reason="Too many tabs of the console send files.")

    page.route_web_socket("**/api/uploads", broken_once)
    page.reload()
    drop(page, *numbered(30))

    expect(page.get_by_role("alert").get_by_text("Too many tabs of the console send files.")).to_be_visible()
    page.get_by_role("button", name="Try now").click()
    expect(page.get_by_text("30 files: 30 accepted")).to_be_visible()
    assert len(ledger.stack.objects) == 30


def test_bytes_that_did_not_arrive_are_sent_under_another_name(open_page: Open, ledger: Ledger) -> None:
    ledger.stack.planned.append((f"PUT /{BUCKET}/first.png", s3_error(400, "KeyTooLongError", "Too long.")))
    page = open_page("#/upload")

    drop(page, ("first.png", "same"), ("second.png", "same"))

    # The row of the second one may name the first one meanwhile.
    expect(row(page, "first.png").first).to_contain_text("Too long.")
    expect(row(page, "second.png")).to_contain_text("Accepted")


def test_the_end_of_a_cancelled_upload_does_not_end_the_next_one(open_page: Open, ledger: Ledger) -> None:
    page = open_page("#/upload")
    sockets: list[WebSocketRoute] = []
    answers: list[str | bytes] = []

    def opened(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        if len(sockets) == 1:
            socket.on_close(lambda _code, _reason: None)
        else:
            socket.connect_to_server().on_message(lambda message: answers.append(message))

    page.route_web_socket("**/api/uploads", opened)
    page.reload()
    drop(page, ("taxi.png", "taxi"))
    sending = page.get_by_role("progressbar", name="Sending taxi.png")
    expect(sending).to_be_visible()
    page.get_by_role("button", name="Cancel: taxi.png").click()
    page.get_by_role("button", name="Send it: taxi.png").click()
    expect(sending).to_be_visible()

    with page.expect_response("**/api/receipts?*"):
        sockets[0].close()
    with page.expect_response("**/api/receipts?*"):
        pass

    expect(sending).to_be_visible()
    while len(answers) < 2:
        page.evaluate("0")
    for answer in answers:
        sockets[1].send(answer)
    expect(row(page, "taxi.png")).to_contain_text("Accepted")
    assert len(sent(ledger)) == 1
