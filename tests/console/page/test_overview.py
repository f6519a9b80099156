"""The overview in a browser: what arrived, the log, and what an operator needs."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.console.page.conftest import Open
from tests.console.page.ledgers import Ledger

LETTER = {
    "id": "4b5e1f40-0000-4000-8000-000000000001",
    "first_sent_at": "2026-11-20T12:00:00.000000Z",
    "receive_count": 5,
    "state": "not recorded",
    "reason": "the <b>table</b> is throttled",
    "uploads": [{"bucket": "uploads", "key": "2026/taxi.png", "version_id": "v1"}],
    "more_uploads": 2,
}
ALARM = {
    "name": "Missing",
    "state": "ALARM",
    "since": "2026-11-20T12:00:00Z",
    "reason": None,
    "description": "See it",
}
QUIET = {"name": "Age", "state": "OK", "since": None, "reason": None, "description": ""}
OPERATIONS = {
    "backlog": {
        "value": {"uploads": {"waiting": 1200, "in_work": 34}, "resends": {"waiting": 5, "in_work": 0}}
    },
    "dead_letters": {"value": [LETTER], "about": 1},
    "missing": {"value": 3, "at": "2026-11-20T12:00:00Z"},
    "unbacked": {"unavailable": "you may not read metrics", "missing_right": "ReadOnlyAccess"},
    "unsealed": {"value": 120, "at": "2026-11-20T12:00:00Z"},
    "alarms": {"value": [ALARM, QUIET]},
}


def figure(page: Page, name: str) -> Locator:
    """The figure with this name."""
    return page.get_by_role("term").filter(has_text=name).locator("xpath=following-sibling::dd")


def as_operator(page: Page, operations: dict[str, Any]) -> list[Any]:
    """Let the page believe that an operator uses it; return what it asks to have redriven."""
    redriven: list[Any] = []

    def session(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "can": {"upload": True, "operate": True}})

    def redrive(route: Route) -> None:
        redriven.append(route.request.post_data_json)
        operations["dead_letters"] = {"value": [], "about": 0}
        route.fulfill(json={"redriven": [LETTER["id"]]})

    page.route("**/api/session", session)
    page.route("**/api/operations", lambda route: route.fulfill(json=operations))
    page.route("**/api/operations/redrive", redrive)
    return redriven


def test_counts_by_outcome_reason_and_uploader(open_page: Open, ledger: Ledger) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    first = ledger.add(at=yesterday)
    ledger.add_duplicate(first)
    ledger.add_duplicate(first)
    ledger.add(outcome="REJECTED", reason="damaged", detail=None)
    ledger.add(at=yesterday - timedelta(days=60))
    page = open_page("#/overview")

    expect(figure(page, "Accepted")).to_have_text("1")
    expect(figure(page, "Duplicate")).to_have_text("2")
    expect(figure(page, "Rejected")).to_have_text("1")
    expect(page.get_by_role("table").filter(has_text="Reason")).to_contain_text(re.compile("Damaged\\s*1"))
    expect(page.get_by_role("table").filter(has_text="Uploader")).to_contain_text(
        re.compile("AIDAEXAMPLE\\s*2")
    )
    page.get_by_text("Entries of each day, as a table").click()
    days = page.get_by_role("table").filter(has_text="Day (UTC)").get_by_role("row")
    expect(days).to_have_count(31)
    expect(days.nth(29)).to_have_text(re.compile(f"{yesterday.day} .*100$"))
    # Only operators see what they may see.
    expect(page.get_by_role("heading", name="Operation")).to_be_hidden()

    page.get_by_role("link", name="AIDAEXAMPLE").click()
    expect(page.get_by_label("Uploader")).to_have_value("AWS:AIDAEXAMPLE")
    expect(page.get_by_text("2 entries, back to the first.")).to_be_visible()
    page.go_back()
    page.get_by_role("link", name="Damaged").click()

    expect(page.get_by_label("Reason or finding")).to_have_value("reason:damaged")
    expect(page.get_by_text("1 entry, back to the first.")).to_be_visible()


def test_the_newest_checkpoint_is_verified_by_the_page(open_page: Open, ledger: Ledger) -> None:
    ledger.add()
    ledger.add()
    ledger.seal()
    page = open_page("#/overview")

    log = page.get_by_role("region", name="The log")
    expect(log).to_contain_text("2 entries sealed")
    expect(log).to_contain_text("Verified: signed with the key in the stack's outputs")

    assert ledger.stack.log is not None
    checkpoint = ledger.stack.log / "checkpoint"
    checkpoint.write_text(checkpoint.read_text().replace("\n2\n", "\n3\n"))
    page.reload()

    expect(log).to_contain_text("Not verified: the key in the stack's outputs didn't sign it")


def test_nothing_sealed_is_said(open_page: Open) -> None:
    page = open_page("#/overview")

    expect(page.get_by_role("region", name="The log")).to_contain_text("Nothing has been sealed yet.")
    expect(page.get_by_text("Nothing was rejected.")).to_be_visible()


def test_an_operator_sees_what_needs_them_and_redrives(open_page: Open) -> None:
    page = open_page()
    redriven = as_operator(page, {**OPERATIONS})
    page.reload()
    page.get_by_role("link", name="Overview").click()

    expect(figure(page, "Waiting to be processed")).to_have_text("1,239 5 of them resent")
    expect(figure(page, "Uploads without an entry")).to_have_text("3")
    expect(figure(page, "Receipts without an object")).to_have_text("Not known: you may not read metrics")
    expect(figure(page, "Oldest unsealed entry")).to_have_text("2 minutes")
    operation = page.get_by_role("region", name="Operation")
    expect(operation.get_by_role("listitem").first).to_have_text(
        "Missing since 20 Nov 2026, 12:00:00 UTC. See it"
    )
    expect(operation).to_contain_text("the <b>table</b> is throttled")
    page.get_by_role("button", name="Redrive the chosen ones").click()
    expect(operation.get_by_text("Choose at least one.")).to_be_visible()
    assert redriven == []

    page.get_by_role("checkbox", name="2026/taxi.png").check()
    page.get_by_role("button", name="Redrive the chosen ones").click()

    expect(operation).to_contain_text("There are none.")
    expect(operation.get_by_role("status")).to_have_text(
        re.compile(
            r"1 message sent back to be processed, [\d:]{8} UTC\. "
            r"What fails again comes back here after five deliveries\."
        )
    )
    assert redriven == [{"ids": [LETTER["id"]]}]


def test_a_letter_that_nobody_can_read_says_how_to_get_rid_of_it(open_page: Open) -> None:
    page = open_page()
    unreadable = {**LETTER, "id": "2", "state": "unreadable", "uploads": [], "more_uploads": 0}
    as_operator(page, {**OPERATIONS, "dead_letters": {"value": [LETTER, unreadable], "about": 2}})
    page.reload()

    page.get_by_role("link", name="Overview").click()

    letters = page.get_by_role("region", name="Operation").get_by_role("listitem")
    expect(letters.last).to_contain_text("a redrive can't help: bill-e dead-letters delete removes it.")
    expect(letters.filter(has_text="taxi.png")).not_to_contain_text("dead-letters delete")


@pytest.mark.parametrize(
    ("uploads", "resends", "said"),
    [(0, 0, "0"), (3, 0, "3"), (0, 1, "1 resent"), (3, 1, "4 1 of them resent")],
)
def test_what_is_resent_is_part_of_what_waits(open_page: Open, uploads: int, resends: int, said: str) -> None:
    backlog = {
        "uploads": {"waiting": uploads, "in_work": 0},
        "resends": {"waiting": 0, "in_work": resends},
    }
    page = open_page()
    as_operator(page, {**OPERATIONS, "backlog": {"value": backlog}})
    page.reload()

    page.get_by_role("link", name="Overview").click()

    expect(figure(page, "Waiting to be processed")).to_have_text(said)


def test_commands_in_messages_are_shown_as_code(open_page: Open) -> None:
    page = open_page()
    as_operator(page, {**OPERATIONS, "missing": {"unavailable": "run `aws sso login` or a ` alone"}})
    page.reload()

    page.get_by_role("link", name="Overview").click()

    expect(figure(page, "Uploads without an entry")).to_have_text("Not known: run aws sso login or a ` alone")
    expect(page.get_by_role("code").filter(has_text="aws sso login")).to_have_text("aws sso login")


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_an_operator_may_not_see_is_said(open_page: Open, name: str) -> None:
    page = open_page()
    as_operator(page, {**OPERATIONS, name: {"unavailable": "you may not"}})
    page.reload()

    page.get_by_role("link", name="Overview").click()

    expect(page.get_by_role("region", name="Operation")).to_contain_text(
        re.compile("not known: you may not$|Not known: you may not")
    )
