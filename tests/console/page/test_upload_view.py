"""Uploading in a browser: what is known isn't sent, and what becomes of each file is shown."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from email.message import Message
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from local.whole_files import png
from tests.cli.fake_stack import Answer, FakeStack
from tests.console.page.conftest import Open
from tests.console.page.ledgers import Ledger


def row(page: Page, name: str) -> Locator:
    """What is said of a file."""
    return page.get_by_role("table", name="Files").get_by_role("row").filter(has_text=name)


def choose(page: Page, *files: Path, button: str = "Choose files") -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name=button).click()
    chooser.value.set_files([*map(str, files)])


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
    transfer = page.evaluate_handle(
        """() => {
            const transfer = new DataTransfer();
            transfer.items.add(new File(["dropped"], "dropped.png"));
            return transfer;
        }"""
    )

    page.get_by_text("Drop receipts or folders here").dispatch_event("drop", {"dataTransfer": transfer})

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


@pytest.mark.parametrize("ledger", [SlowStack], indirect=True)
def test_a_few_go_at_a_time_and_the_rest_can_be_cancelled(
    open_page: Open, ledger: Ledger, file: Callable[[str, bytes], Path]
) -> None:
    stack = ledger.stack
    assert isinstance(stack, SlowStack)
    page = open_page("#/upload")

    choose(page, *(file(f"{number:02}.png", png(b"%d" % number)) for number in range(8)))

    expect(page.get_by_role("row").filter(has_text="Sending")).to_have_count(4)
    expect(page.get_by_role("row").filter(has_text="Waiting to be sent")).to_have_count(4)
    # A tab that is closed now would lose them, so the browser asks.
    assert page.evaluate("!dispatchEvent(new Event('beforeunload', { cancelable: true }))")
    page.get_by_role("button", name="Cancel: 07.png").click()
    expect(row(page, "07.png")).to_contain_text("You cancelled it. Nothing was recorded.")
    # All the connections that a browser has aren't taken.
    page.get_by_role("link", name="Ledger").first.click()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Upload 7 on the way")).to_be_visible()
    stack.may_go_on.set()
    page.get_by_role("navigation", name="Views").get_by_role("link", name="Upload").click()
    expect(page.get_by_text("8 files: 7 accepted, 1 cancelled")).to_be_visible()
    assert stack.most == 4
    assert page.evaluate("dispatchEvent(new Event('beforeunload', { cancelable: true }))")
    page.get_by_role("button", name="Try again: 07.png").click()
    expect(row(page, "07.png")).to_contain_text("Accepted")


@pytest.mark.parametrize("ledger", [SlowStack], indirect=True)
def test_a_file_that_was_on_its_way_may_have_arrived(
    open_page: Open, ledger: Ledger, file: Callable[[str, bytes], Path]
) -> None:
    assert isinstance(ledger.stack, SlowStack)
    page = open_page("#/upload")
    choose(page, file("taxi.png", png()))
    expect(row(page, "taxi.png")).to_contain_text("Sending")

    page.get_by_role("button", name="Cancel: taxi.png").click()

    expect(row(page, "taxi.png")).to_contain_text("If all of it had been sent by then, its entry appears in")
    ledger.stack.may_go_on.set()


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
    page.get_by_role("link", name="Upload").click()
    choose(page, file("taxi.png", png()))
    expect(row(page, "taxi.png")).to_contain_text("Failed. The console doesn't answer.")

    page.unroute("**/hash-worker.js")
    page.get_by_role("button", name="Try again: taxi.png").click()

    expect(row(page, "taxi.png")).to_contain_text("Accepted")


def test_a_refusal_is_said(open_page: Open, ledger: Ledger, file: Callable[[str, bytes], Path]) -> None:
    page = open_page("#/upload")
    page.route(
        "**/api/uploads?*",
        lambda route: route.fulfill(
            status=403,
            json={"type": "/problems/missing-right", "title": "You may not do this", "detail": "Ask for it."},
        ),
    )

    choose(page, file("taxi.png", png()))

    expect(row(page, "taxi.png")).to_contain_text("Failed. Ask for it.")
    page.unroute("**/api/uploads?*")
    page.get_by_role("button", name="Try again: taxi.png").click()
    expect(row(page, "taxi.png")).to_contain_text("Accepted")
    assert len(sent(ledger)) == 1
