"""The ledger in a browser, as a person finds it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import APIResponse, Locator, Page, Route, expect

from cli.console.app import STATIC
from tests.cli.fake_stack import TOKEN, Answer, problem
from tests.console.page.conftest import Open
from tests.console.page.ledgers import Entry, Ledger, LongStack, SparseStack

IMPORTED = re.compile(r'^import .* from "\./(.+)";', re.MULTILINE)
DAMAGED: Entry = {"outcome": "REJECTED", "reason": "damaged", "detail": "ends after 5,000 bytes"}


def rows(page: Page) -> Locator:
    """The rows with entries."""
    table = page.get_by_role("table", name="Entries, newest first")
    return table.get_by_role("row").filter(has=page.get_by_role("cell"))


def test_lists_entries_newest_first_with_what_is_worth_knowing(open_page: Open, ledger: Ledger) -> None:
    first = ledger.add(key="2026/taxi.png", at=datetime(2026, 11, 20, 9, 30, 15, tzinfo=UTC))
    ledger.add_duplicate(first, key="2026/taxi again.png", at=datetime(2026, 11, 20, 9, 31, tzinfo=UTC))
    ledger.add(key="scan.png", at=datetime(2026, 11, 20, 9, 32, tzinfo=UTC), **DAMAGED)
    ledger.add(key="locked.pdf", at=datetime(2026, 11, 20, 9, 33, tzinfo=UTC), findings=["encrypted"])

    page = open_page()

    expect(rows(page)).to_have_text(
        [
            re.compile("09:33:00.*Accepted.*locked.pdf.*Encrypted"),
            re.compile("09:32:00.*Rejected.*scan.png.*Damaged: ends after 5,000 bytes"),
            re.compile("09:31:00.*Duplicate.*taxi again.png.*Same as taxi.png"),
            re.compile("2026-11-20 09:30:15.*Accepted.*2026/taxi.png.*AIDAEXAMPLE.*PNG.*1.2 kB"),
        ]
    )
    expect(page.get_by_text("4 entries, back to the first.")).to_be_visible()


def test_an_address_may_be_typed_in_lower_case(open_page: Open, ledger: Ledger) -> None:
    ledger.add(key="taxi.png")
    ledger.add(key="scan.png", **DAMAGED)

    page = open_page("#/ledger?outcome=accepted")

    expect(page.get_by_text("1 entry, back to the first.")).to_be_visible()
    expect(page.get_by_label("Outcome")).to_have_value("ACCEPTED")


def test_filters_that_no_entry_can_match_are_told_without_a_search(open_page: Open, ledger: Ledger) -> None:
    ledger.add(key="taxi.png")
    page = open_page("#/ledger?outcome=ACCEPTED&reason=damaged")

    expect(page.get_by_text("No entry can match these filters: only rejected uploads")).to_be_visible()
    expect(page.get_by_role("link", name="Export CSV")).to_be_hidden()
    assert not [each for each in ledger.stack.requests if "reason=damaged" in each]

    page.get_by_role("button", name="Clear the filters").click()

    expect(rows(page)).to_have_count(1)
    expect(page.get_by_role("link", name="Export CSV")).to_be_visible()


def test_entries_do_not_wait_for_the_session(open_page: Open, ledger: Ledger) -> None:
    ledger.add(key="taxi.png")
    page = open_page()
    waiting: list[Route] = []
    page.route("**/api/session", lambda route: waiting.append(route))

    page.reload()

    expect(rows(page)).to_have_text([re.compile("taxi.png")])
    page.get_by_role("link", name="Overview").click()
    expect(page).to_have_url(re.compile("#/overview$"))
    assert page.get_by_role("heading", level=1, name="Overview").count() == 0
    waiting[0].continue_()
    expect(page.get_by_role("heading", level=1, name="Overview")).to_be_visible()
    expect(page.locator("#stack")).to_have_text("prod")


def test_a_session_that_fails_is_said(open_page: Open, ledger: Ledger) -> None:
    ledger.add(key="taxi.png")
    page = open_page()
    expect(rows(page)).to_have_count(1)
    failure = {"title": "The console failed", "status": 500, "detail": "An unexpected KeyError."}
    page.route("**/api/session", lambda route: route.fulfill(status=500, json=failure))

    page.reload()

    expect(page.get_by_role("heading", level=1)).to_have_text("The console failed")
    expect(page.get_by_role("alert")).to_have_text("An unexpected KeyError.")
    expect(rows(page)).to_have_count(0)


def test_modules_of_the_first_view_are_loaded_together() -> None:
    preloaded = re.findall('<link rel="modulepreload" href="js/(.+)">', (STATIC / "index.html").read_text())
    needed: set[str] = set()
    found = {"main.js"}
    while found:
        needed |= found
        texts = [(STATIC / "js" / name).read_text() for name in found]
        found = {
            name for text in texts for name in re.findall(r'(?m)^import .* from "\./(.+)";', text)
        } - needed

    # Otherwise the browser learns of a module only when it has the one that imports it.
    assert sorted(preloaded) == sorted(needed - {"main.js"})


def test_filters_are_in_the_address(open_page: Open, ledger: Ledger) -> None:
    ledger.add(key="taxi.png")
    ledger.add(key="scan.png", **DAMAGED)
    ledger.add(key="empty.png", outcome="REJECTED", reason="empty", detail=None)
    page = open_page()

    page.get_by_label("Outcome").select_option(label="Rejected")
    expect(rows(page)).to_have_count(2)
    page.get_by_label("Reason or finding").select_option(label="Damaged")
    expect(rows(page)).to_have_text([re.compile("scan.png")])
    assert page.url.endswith("#/ledger?outcome=REJECTED&reason=damaged")

    colleague = page.context.new_page()
    colleague.goto(page.url)
    expect(rows(colleague)).to_have_text([re.compile("scan.png")])
    expect(colleague.get_by_label("Reason or finding")).to_have_value("reason:damaged")

    page.go_back()
    expect(rows(page)).to_have_count(2)
    page.get_by_role("button", name="Clear").click()
    expect(rows(page)).to_have_count(3)
    assert page.url.endswith("#/ledger")


def test_text_is_searched_for_while_it_is_typed(open_page: Open, ledger: Ledger) -> None:
    ledger.add(key="taxi.png")
    ledger.add(key="hotel & bar.png")
    page = open_page()

    page.get_by_role("searchbox", name="Text in the key").press_sequentially("hotel &")

    expect(rows(page)).to_have_text([re.compile("hotel & bar.png")])
    expect(page).to_have_url(re.compile(r"#/ledger\?key=hotel\+%26$"))
    page.get_by_role("searchbox", name="Text in the key").fill("nothing like that")
    expect(page.get_by_text("No entry matches these filters.")).to_be_visible()
    page.get_by_role("button", name="Clear the filters").click()
    expect(rows(page)).to_have_count(2)


def test_last_month_is_one_choice_away(open_page: Open, ledger: Ledger) -> None:
    month = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    ledger.add(key="this month.png", at=month)
    ledger.add(key="its last moment.png", at=month - timedelta(microseconds=1))
    ledger.add(key="earlier.png", at=(month - timedelta(days=1)).replace(day=1) - timedelta(seconds=1))
    page = open_page()

    page.get_by_label("Recorded").select_option(label="Last month")

    expect(rows(page)).to_have_text([re.compile("its last moment.png")])
    # Nothing new can come, so nothing is asked for.
    expect(page.get_by_text("Live", exact=True)).to_be_hidden()


def test_new_entries_appear_by_themselves(open_page: Open, ledger: Ledger) -> None:
    ledger.add(key="before.png", at=datetime.now(UTC) - timedelta(hours=1))
    page = open_page()
    expect(rows(page)).to_have_count(1)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()

    ledger.add(key="just now.png")

    expect(rows(page)).to_have_text([re.compile("just now.png"), re.compile("before.png")])
    expect(page.get_by_role("status").filter(has_text="1 new entry recorded")).to_be_attached()


def test_an_entry_that_is_recorded_late_stands_in_its_place(open_page: Open, ledger: Ledger) -> None:
    now = datetime.now(UTC)
    ledger.add(key="oldest.png", at=now - timedelta(seconds=20))
    ledger.add(key="newest.png", at=now - timedelta(seconds=1))
    page = open_page()
    expect(rows(page)).to_have_count(2)

    ledger.add(key="late.png", at=now - timedelta(seconds=5))

    in_order = [re.compile("newest.png"), re.compile("late.png"), re.compile("oldest.png")]
    expect(rows(page)).to_have_text(in_order)
    page.get_by_role("link", name="newest.png").focus()
    ledger.add(key="later.png", at=now - timedelta(seconds=10))
    page.get_by_role("button", name="1 new entry").click()
    expect(page.get_by_role("link", name="later.png")).to_be_focused()
    expect(rows(page)).to_have_text([*in_order[:2], re.compile("later.png"), in_order[2]])


def test_new_entries_that_do_not_match_stay_away(open_page: Open, ledger: Ledger) -> None:
    ledger.add(key="before.png", at=datetime.now(UTC) - timedelta(hours=1), **DAMAGED)
    page = open_page("#/ledger?outcome=REJECTED")
    expect(rows(page)).to_have_count(1)

    ledger.add(key="accepted.png")
    ledger.add(key="rejected.png", **DAMAGED)

    expect(rows(page)).to_have_text([re.compile("rejected.png"), re.compile("before.png")])


def test_what_is_being_read_does_not_move(open_page: Open, ledger: Ledger) -> None:
    ledger.add_many(80)
    page = open_page(viewport={"width": 1200, "height": 700})
    read = page.get_by_role("link", name="many 40.png")
    page.get_by_role("link", name="many 20.png").scroll_into_view_if_needed()
    read.scroll_into_view_if_needed()
    place = read.bounding_box()

    ledger.add(key="new a.png")
    ledger.add(key="new b.png")

    arrivals = page.get_by_role("button", name="2 new entries")
    expect(arrivals).to_be_visible()
    assert read.bounding_box() == place
    arrivals.click()
    expect(page.get_by_role("link", name="new b.png")).to_be_focused()
    expect(page.get_by_role("link", name="new a.png")).to_be_in_viewport()
    expect(arrivals).to_be_hidden()


def test_a_row_with_the_focus_does_not_move(open_page: Open, ledger: Ledger) -> None:
    ledger.add_many(3)
    page = open_page()
    page.get_by_role("link", name="many 0.png").focus()

    ledger.add(key="new.png")

    expect(page.get_by_role("button", name="1 new entry")).to_be_visible()
    expect(page.get_by_role("link", name="new.png")).to_have_count(0)


def test_a_row_with_the_focus_is_left_when_the_filter_changes(open_page: Open, ledger: Ledger) -> None:
    ledger.add(key="taxi.png")
    ledger.add(key="scan.png", **DAMAGED)
    page = open_page()
    page.get_by_label("Outcome").select_option(label="Rejected")
    expect(rows(page)).to_have_count(1)
    page.get_by_role("link", name="scan.png").focus()

    page.go_back()

    expect(rows(page)).to_have_count(2)
    expect(page.get_by_role("heading", level=1)).to_be_focused()


def test_what_came_while_another_view_was_shown_is_not_missed(open_page: Open, ledger: Ledger) -> None:
    now = datetime.now(UTC)
    ledger.add(key="before.png", at=now - timedelta(hours=1))
    page = open_page()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    page.get_by_role("link", name="Upload", exact=True).click()
    ledger.add(key="meanwhile.png", at=now + timedelta(minutes=5))

    page.clock.set_fixed_time(now + timedelta(hours=2))
    page.get_by_role("link", name="Ledger").click()

    expect(rows(page)).to_have_text([re.compile("meanwhile.png"), re.compile("before.png")])


def test_more_new_entries_than_can_be_taken_in_are_loaded_again(open_page: Open, ledger: Ledger) -> None:
    ledger.add(key="before.png", at=datetime.now(UTC) - timedelta(hours=1))
    page = open_page()
    expect(rows(page)).to_have_count(1)
    page.get_by_role("link", name="before.png").focus()

    for number in range(2_100):
        ledger.stack.store(f"{number}.png", b"%d" % number)
    page.get_by_role("button", name=re.compile("More than .* new entries")).click()

    expect(page.get_by_role("link", name="2099.png")).to_be_visible()
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(page.get_by_text("Loading more")).to_be_attached()


def test_keys_lead_through_the_rows_and_back(open_page: Open, ledger: Ledger) -> None:
    ledger.add_many(300)
    page = open_page(viewport={"width": 1200, "height": 700})
    page.get_by_role("link", name="many 0.png").focus()

    for _ in range(40):
        page.keyboard.press("ArrowDown")
    focused = page.get_by_role("link", name="many 40.png")
    expect(focused).to_be_focused()
    expect(focused).to_be_in_viewport()
    scrolled = page.evaluate("scrollY")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("many 40.png")

    page.get_by_role("link", name="← Ledger").click()

    expect(focused).to_be_focused()
    expect(focused).to_be_in_viewport()
    assert page.evaluate("scrollY") == scrolled
    page.get_by_role("link", name="many 41.png").focus()
    page.keyboard.press("Home")
    expect(page.get_by_role("link", name="many 0.png")).to_be_focused()
    page.keyboard.press("End")
    expect(page.get_by_role("link", name="many 299.png")).to_be_focused()


def test_keys_that_deceive_are_shown_for_what_they_are(open_page: Open, ledger: Ledger) -> None:
    script = "<img src=x onerror=alert(1)><script>alert(2)</script>.png"
    ledger.add(key="invoice\u202egpj.exe", at=datetime(2026, 11, 20, 9, 2, tzinfo=UTC))
    ledger.add(key="p\u0430ypal\u0000.png", at=datetime(2026, 11, 20, 9, 1, tzinfo=UTC))
    ledger.add(
        key=script,
        at=datetime(2026, 11, 20, 9, 0, tzinfo=UTC),
        uploader={"principal": f"AWS:x:{script}", "source_ip": script, "via": "put", "caller": None},
        outcome="REJECTED",
        reason="damaged",
        detail=script,
    )
    ledger.add(
        key="scan.png",
        at=datetime(2026, 11, 20, 8, 0, tzinfo=UTC),
        **{**DAMAGED, "detail": "has the chunk \u202eTADI/x"},
    )
    page = open_page()
    expect(rows(page)).to_have_count(4)

    overridden, lookalike, html, damaged = rows(page).all()

    expect(damaged).to_contain_text("Damaged: has the chunk U+202ETADI/x")

    expect(overridden).to_contain_text("invoiceU+202Egpj.exe")
    expect(overridden.get_by_title("U+202E, right-to-left override")).to_be_visible()
    expect(lookalike.get_by_title("U+0430, which looks like a but isn't")).to_have_text(re.compile("^\u0430"))
    expect(lookalike.get_by_title("U+0000, NUL")).to_be_visible()
    expect(html.get_by_role("link")).to_have_text(script)
    html.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("script>.png")
    expect(page.get_by_text(f"The file {script}.")).to_be_visible()
    assert page.locator("main img, main script").count() == 0


def test_entries_below_what_is_loaded_are_not_taken_for_new_ones(open_page: Open, ledger: Ledger) -> None:
    now = datetime.now(UTC)
    for number in range(150):
        ledger.add(at=now - timedelta(milliseconds=number), key=f"busy {number}.png")
    page = open_page(viewport={"width": 1200, "height": 900})
    held: list[tuple[Route, APIResponse]] = []
    page.route("**/api/receipts?limit=200&cursor=100", lambda route: held.append((route, route.fetch())))
    with page.expect_response(lambda response: "from=" in response.url):
        page.reload()
    expect(rows(page).first).to_contain_text("busy 0.png")
    ledger.add(key="late.png", at=now - timedelta(milliseconds=120.5))
    for _ in range(3):
        with page.expect_response(lambda response: "from=" in response.url):
            pass

    assert page.locator(".row.new").count() == 0
    expect(page.get_by_text("new entries recorded")).to_have_count(0)
    for route, answer in held:
        route.fulfill(response=answer)
    expect(page.get_by_text("151 entries, back to the first.")).to_be_visible()
    page.get_by_role("link", name="busy 0.png").focus()
    page.keyboard.press("End")
    expect(page.locator(".row[aria-rowindex='122']")).to_contain_text("busy 120.png")
    expect(page.locator(".row[aria-rowindex='123']")).to_contain_text("late.png")
    expect(page.locator(".row[aria-rowindex='124']")).to_contain_text("busy 121.png")


@pytest.mark.parametrize("ledger", [LongStack], indirect=True)
def test_a_hundred_thousand_entries_can_be_scrolled(open_page: Open) -> None:
    page = open_page(viewport={"width": 1200, "height": 700})
    expect(rows(page).first).to_be_visible()

    most = page.evaluate(
        """async () => {
            const rows = document.querySelector("[role=rowgroup]:last-child");
            let most = 0;
            while (!document.body.textContent.includes("100,000 entries, back to the first.")) {
                scrollTo(0, document.body.scrollHeight);
                await new Promise(requestAnimationFrame);
                most = Math.max(most, rows.childElementCount);
            }
            scrollTo(0, document.body.scrollHeight);
            return most;
        }"""
    )

    # However many entries there are, only those that are seen are in the document.
    assert most < 100
    expect(page.get_by_role("link", name="2026/99999.png")).to_be_in_viewport()
    page.evaluate("scrollTo(0, document.body.scrollHeight / 2)")
    expect(page.get_by_role("link", name="2026/50000.png")).to_be_in_viewport()


@pytest.mark.parametrize("ledger", [SparseStack], indirect=True)
def test_a_long_search_says_how_far_it_is(open_page: Open) -> None:
    page = open_page()
    held: list[Route] = []
    page.route(re.compile("key=needle.*cursor=3$"), lambda route: held.append(route))
    with page.expect_request(re.compile("key=needle.*cursor=3$")):
        page.get_by_role("searchbox", name="Text in the key").fill("needle")

    expect(page.get_by_text("No match in the last 3 stretches of the ledger.")).to_be_visible()
    held[0].continue_()

    expect(rows(page)).to_have_text([re.compile("needle.png")])
    expect(page.get_by_text("1 entry, back to the first.")).to_be_visible()


def test_export_is_of_the_view(open_page: Open, ledger: Ledger) -> None:
    ledger.add(key="=cmd()")
    ledger.add(key="scan.png", **DAMAGED)
    page = open_page("#/ledger?outcome=ACCEPTED")

    with page.expect_download() as download:
        page.get_by_role("link", name="Export CSV").click()

    text = Path(download.value.path()).read_text(encoding="utf-8")
    assert len(text.splitlines()) == 2
    assert '"\'=cmd()"' in text


def test_the_end_of_a_login_is_said(open_page: Open, ledger: Ledger) -> None:
    ledger.stack.auth = "jwt"
    ledger.add(key="before.png")
    page = open_page()
    expect(rows(page)).to_have_count(1)

    ledger.stack.token = "another"

    expect(page.get_by_role("alert")).to_contain_text("Sign in again. If this doesn't go away, run bill-e ")
    expect(page.get_by_text("Ended", exact=True)).to_be_visible()
    # What was there can still be read.
    expect(rows(page)).to_have_count(1)

    ledger.stack.token = TOKEN

    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    expect(page.get_by_role("alert")).to_be_hidden()


def test_a_failure_can_be_tried_again(open_page: Open, ledger: Ledger) -> None:
    ledger.add(key="taxi.png")
    ledger.stack.planned.append(("GET /receipts", Answer(500, {"message": "Internal Server Error"})))
    page = open_page()

    page.get_by_role("button", name="Try again").click()

    expect(rows(page)).to_have_text([re.compile("taxi.png")])


def test_a_filter_that_is_refused_says_what_is_allowed(open_page: Open, ledger: Ledger) -> None:
    errors = [{"field": "from", "value": "2026-11-30", "allowed": "a time before to"}]
    refused = problem(400, "invalid-parameter", "The request has an invalid parameter.", errors=errors)
    # The page asks for the newest entries as well, before the address with the filters is opened.
    ledger.stack.planned += [("GET /receipts", refused)] * 2

    page = open_page("#/ledger?from=2026-11-30&to=2026-11-01")

    expect(page.get_by_text("invalid parameter. from: a time before to.")).to_be_visible()


def test_an_empty_ledger_says_what_to_do(open_page: Open) -> None:
    page = open_page()

    expect(page.get_by_text("Nothing has been recorded yet.")).to_be_visible()
    page.get_by_role("link", name="Upload a receipt").click()

    expect(page.get_by_role("heading", level=1, name="Upload")).to_be_focused()
    expect(page).to_have_title("Upload - Bill-E")
