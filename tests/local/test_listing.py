from __future__ import annotations

from typing import Any

import pytest

from tests.local.stack import DeployedStack, Object, png


@pytest.fixture(scope="module")
def receipts(stack: DeployedStack) -> list[Object]:
    """Enough for several pages."""
    uploads = [stack.upload(f"listing/{number}.png", png()) for number in range(7)]
    stack.entries_of(*uploads)
    return uploads


@pytest.mark.usefixtures("receipts")
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_of_any_size_hold_every_entry_once_newest_first(stack: DeployedStack, limit: int) -> None:
    everything = stack.entries()

    assert pages(stack, limit) == everything
    recorded = [entry["recorded_at"] for entry in everything]
    assert recorded == sorted(recorded, reverse=True)


@pytest.mark.usefixtures("receipts")
def test_page_size_can_change_between_pages(stack: DeployedStack) -> None:
    everything = stack.entries()
    first = stack.get("/receipts", {"limit": "2"}).json

    rest = pages(stack, 5, cursor=first["next_cursor"])

    assert first["entries"] + rest == everything


@pytest.mark.usefixtures("receipts")
def test_changed_cursor_is_refused(stack: DeployedStack) -> None:
    cursor = stack.get("/receipts", {"limit": "2"}).json["next_cursor"]
    changed = ("A" if cursor[0] != "A" else "B") + cursor[1:]

    answer = stack.get("/receipts", {"limit": "2", "cursor": changed})

    assert (answer.status, answer.json["errors"][0]["field"]) == (400, "cursor")


def test_only_entries_of_an_outcome_are_listed(stack: DeployedStack, receipts: list[Object]) -> None:
    rejected = stack.upload("listing/bad.png", b"no picture")
    stack.entry_of(rejected)

    versions = {entry["version_id"]: entry["outcome"] for entry in stack.entries(outcome="REJECTED")}

    assert set(versions.values()) == {"REJECTED"}
    assert rejected.version_id in versions
    assert not {receipt.version_id for receipt in receipts} & set(versions)


def test_only_entries_of_a_time_are_listed(stack: DeployedStack, receipts: list[Object]) -> None:
    entries = stack.entries_of(*receipts)
    start, end = sorted(entry["recorded_at"] for entry in entries)[2:5:2]

    listed = {entry["recorded_at"] for entry in stack.entries(**{"from": start, "to": end})}

    assert start in listed
    assert all(start <= recorded < end for recorded in listed)


def test_receipt_is_found_by_its_fingerprint(stack: DeployedStack) -> None:
    content = png()
    first = stack.upload("found/first.png", content)
    accepted = stack.entry_of(first)
    duplicate = stack.entry_of(stack.upload("found/second.png", content))

    history = stack.get(f"/receipts/{first.fingerprint}").json

    assert history["receipt"] == accepted
    assert history["duplicates"] == [duplicate]
    assert history["rejections"] == []


def test_unknown_fingerprint_is_not_found(stack: DeployedStack) -> None:
    assert stack.get(f"/receipts/{'0' * 64}").status == 404


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"outcome": "LOST"}, "outcome"),
        ({"from": "now"}, "from"),
        ({"x": "1"}, "x"),
    ],
)
def test_malformed_query_is_refused_naming_the_parameter(
    stack: DeployedStack, query: dict[str, str], field: str
) -> None:
    answer = stack.get("/receipts", query)

    assert (answer.status, answer.json["errors"][0]["field"]) == (400, field)


def pages(stack: DeployedStack, limit: int, cursor: str | None = None) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    while True:
        query = {"limit": str(limit)} | ({"cursor": cursor} if cursor else {})
        page = stack.get("/receipts", query).json
        assert len(page["entries"]) <= limit
        entries += page["entries"]
        cursor = page["next_cursor"]
        if cursor is None:
            return entries
