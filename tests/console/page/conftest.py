"""The console's page in Chromium, on a stack whose ledger a test decides on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from cli.stack import read_outputs_file
from tests.cli.fake_stack import FakeStack, running
from tests.console.page.browsing import CHROMIUM, chromium_started, visiting
from tests.console.page.ledgers import Ledger

Open = Callable[..., Page]
"""Opens the console as `Visits.open` does, on the test's ledger."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser. It has ended when other modules begin: while it runs, nothing else can use asyncio here."""
    if CHROMIUM is None:
        pytest.skip("Chromium isn't installed")
    with chromium_started() as browser:
        yield browser


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
    with visiting(chromium) as visits:
        yield lambda view="", **options: visits.open(
            read_outputs_file(ledger.stack.write_outputs(tmp_path)), view, **options
        )
