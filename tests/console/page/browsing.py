"""The console in Chromium, as people open it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

from bench.measures.console import CHROMIUM as CHROMIUM
from cli.console.app import open_console
from cli.stack import StackAccess
from functions.sealing.note import VerifierKey
from tests.cli.fake_stack import TOKEN
from tests.console.served import served


@dataclass
class Visits:
    """Pages of consoles, and what they complained about: errors, dialogs and breaches of their policy."""

    browser: Browser
    opened: ExitStack = field(default_factory=ExitStack)
    complaints: list[str] = field(default_factory=list)

    def open(
        self, access: StackAccess, view: str = "", *, pinned: VerifierKey | None = None, **options: Any
    ) -> Page:
        """Open a console at a view, such as ``"#/ledger"``; the options are those of a browser's context."""
        console = self.opened.enter_context(open_console(access, name="prod", token=TOKEN, pinned=pinned))
        session = self.opened.enter_context(served(console)).session
        page = self.opened.enter_context(self.browser.new_context(**options)).new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "dialog",
            lambda dialog: (
                self.complaints.append(f"dialog: {dialog.message}") if dialog.type != "beforeunload" else None
            ),
        )
        page.on(
            "console",
            lambda line: (
                self.complaints.append(line.text) if "Content Security Policy" in line.text else None
            ),
        )
        page.goto(session.first_address)
        if view:
            page.goto(f"{session.address}{view}")
        return page


@contextmanager
def visiting(browser: Browser) -> Iterator[Visits]:
    """Let pages be opened, and close them in the end. None may have complained by then."""
    visits = Visits(browser)
    with visits.opened:
        yield visits
    assert visits.complaints == []


@contextmanager
def chromium_started(*options: str) -> Iterator[Browser]:
    """Start Chromium with options, and have tests wait longer than usual for what they expect."""
    expect.set_options(timeout=15_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()
