"""Everybody can use the page: axe-core finds nothing, it fits into 320 pixels, and its files are small."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import FilePayload, Page, expect

from cli.console.app import STATIC
from local.whole_files import png
from tests.console.page.conftest import Open
from tests.console.page.ledgers import Ledger, view_of
from tests.console.page.test_overview import OPERATIONS, as_operator

MOST_BYTES = 100_000
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}

Show = Callable[[Page, Ledger], None]
"""Goes to a view, and waits until everything in it is there."""


def go(page: Page, view: str) -> None:
    page.goto(f"{page.url.partition('#')[0]}{view}")


def show_ledger(page: Page, _ledger: Ledger) -> None:
    go(page, "#/ledger?key=e")
    expect(page.get_by_role("row").filter(has_text="Damaged")).to_be_visible()


def show_receipt(page: Page, ledger: Ledger) -> None:
    go(page, view_of(ledger.stack.entries[-1]))
    expect(page.get_by_text("Verified", exact=True)).to_be_visible()
    for each in page.get_by_text("Hashes").all():
        each.click()


def show_tampered(page: Page, ledger: Ledger) -> None:
    made = ledger.stack.entries[-1]
    ledger.stack.objects[made["key"], made["version_id"]] = b"forged"
    go(page, view_of(made))
    expect(page.get_by_role("alert")).to_be_visible()


def show_upload(page: Page, _ledger: Ledger) -> None:
    go(page, "#/upload")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose files").click()
    files = [("new.png", png(b"new")), ("known.png", png()), ("empty.png", b"")]
    chooser.value.set_files([FilePayload(name=name, mimeType="", buffer=body) for name, body in files])
    expect(page.get_by_text("3 files: 1 accepted, 1 already known, not sent, 1 failed")).to_be_visible()


def show_overview(page: Page, _ledger: Ledger) -> None:
    as_operator(page, {**OPERATIONS})
    go(page, "#/overview")
    page.reload()
    page.get_by_text("Entries of each day, as a table").click()
    expect(page.get_by_role("button", name="Redrive the chosen ones")).to_be_visible()


def show_nothing(page: Page, _ledger: Ledger) -> None:
    go(page, "#/ledger?key=nothing")
    expect(page.get_by_text("No entry matches these filters.")).to_be_visible()


VIEWS = [show_ledger, show_receipt, show_tampered, show_upload, show_overview, show_nothing]


@pytest.fixture
def ledger(ledger: Ledger) -> Ledger:
    """A ledger with one entry of each kind, and with a key that has to be marked. It is sealed."""
    first = ledger.add(png(), key=f"2026/{'very ' * 30}long name.png")
    ledger.add_duplicate(first, key="invoice\u202egpj.exe")
    ledger.add(outcome="REJECTED", reason="damaged", detail="ends after 5,000 bytes")
    ledger.add(key="p\u0430ypal.pdf", findings=["encrypted"], media_type=None)
    ledger.seal()
    return ledger


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(open_page: Open, ledger: Ledger, view: Show, scheme: str) -> None:
    page = open_page(color_scheme=scheme, reduced_motion="reduce")
    view(page, ledger)

    found = Axe().run(page, options=RULES)

    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("view", VIEWS)
def test_fits_into_320_pixels(open_page: Open, ledger: Ledger, view: Show) -> None:
    page = open_page(viewport={"width": 320, "height": 568}, reduced_motion="reduce")
    view(page, ledger)

    assert page.evaluate("document.documentElement.scrollWidth") == 320
    page.evaluate("scrollTo(0, 0)")
    found = Axe().run(page, options=RULES)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize(("width", "most"), [(1440, 60), (1000, 60), (800, 60), (320, 90)])
def test_a_long_name_leaves_the_header_low(open_page: Open, width: int, most: int) -> None:
    page = open_page(viewport={"width": width, "height": 640})
    name = "assumed-role/AWSReservedSSO_Auditors_0123456789abcdef/erika.mustermann@subsidiary.example.com"
    page.route(
        "**/api/session", lambda route: route.fulfill(json={**route.fetch().json(), "user": f"{name} {name}"})
    )
    page.reload()
    expect(page.get_by_role("banner")).to_contain_text(name)

    header = page.get_by_role("banner").bounding_box()

    assert header
    assert header["height"] < most
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_filters_can_be_opened_where_there_is_little_room(open_page: Open) -> None:
    page = open_page(viewport={"width": 320, "height": 568})
    toggle = page.get_by_role("button", name="Filters")
    expect(page.get_by_label("Outcome")).to_be_hidden()

    toggle.click()

    expect(page.get_by_label("Outcome")).to_be_visible()
    expect(toggle).to_have_attribute("aria-expanded", "true")


def test_the_content_is_one_key_away(open_page: Open) -> None:
    page = open_page("#/overview")
    page.reload()  # as if it was opened there: a view that is changed to takes the focus
    expect(page.get_by_role("heading", level=1, name="Overview")).to_be_visible()

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.get_by_role("main")).to_be_focused()
    assert page.url.endswith("#/overview")


def test_nothing_moves_for_those_who_ask_for_it(open_page: Open, ledger: Ledger) -> None:
    page = open_page(reduced_motion="reduce")
    show_ledger(page, ledger)

    ledger.add(key="new.png")

    expect(page.get_by_role("link", name="new.png")).to_be_visible()
    assert page.evaluate("document.getAnimations().length") == 0


def test_is_small_and_from_here_alone() -> None:
    files = [path for path in STATIC.rglob("*") if path.suffix in {".js", ".css", ".html"}]
    compressed = sum(len(gzip.compress(path.read_bytes())) for path in files)
    assert len(files) > 10
    assert compressed < MOST_BYTES
    for path in files:
        text = path.read_text(encoding="utf-8")
        # The names of formats are no addresses that anything is loaded from.
        assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)\S+", text) == [], path
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text
        ), path
        assert not re.search(r"localStorage|sessionStorage|indexedDB|document\.cookie", text), path
