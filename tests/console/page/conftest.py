"""The console's page in Chromium, on a stack whose ledger a test decides on."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from cli.console.app import open_console
from cli.stack import read_outputs_file
from functions.sealing.note import VerifierKey
from tests.cli.fake_stack import TOKEN, FakeStack, running
from tests.console.page.ledgers import Ledger
from tests.console.served import served

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

Open = Callable[..., Page]
"""Opens the console at a view, such as ``"#/ledger"``, with `pinned` and the options of a browser context."""


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("Chromium isn't installed")
    expect.set_options(timeout=15_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the stack record what it gets now, as the browser sees it."""
    monkeypatch.setattr("tests.cli.fake_stack.NOW", datetime.now(UTC))


@pytest.fixture
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    """A stack, by default one that is empty."""
    with running(getattr(request, "param", FakeStack)()) as stack:
        yield Ledger(stack, tmp_path)


@pytest.fixture
def open_page(chromium: Browser, ledger: Ledger, tmp_path: Path) -> Iterator[Open]:
    """Open the console as people do. In the end, no page may have met an error or broken its own policy."""
    complaints: list[str] = []
    with ExitStack() as opened:

        def open_(view: str = "", *, pinned: VerifierKey | None = None, **options: object) -> Page:
            access = read_outputs_file(ledger.stack.write_outputs(tmp_path))
            console = opened.enter_context(open_console(access, name="dev", token=TOKEN, pinned=pinned))
            session = opened.enter_context(served(console)).session
            context = opened.enter_context(chromium.new_context(**options))  # type: ignore[arg-type]
            page = context.new_page()
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
            page.on(
                "console",
                lambda line: complaints.append(line.text) if "Content Security Policy" in line.text else None,
            )
            page.goto(session.first_address)
            if view:
                page.goto(f"{session.address}{view}")
            return page

        yield open_
    assert complaints == []
