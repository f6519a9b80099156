from __future__ import annotations

import io
import json
import re
from itertools import pairwise
from typing import Any, cast

import pytest
from rich.console import Console

from cli.answers import ApiPage
from cli.caller.api_client import ApiClient, EntryFilter
from cli.commands.receipts import Listing, write_table
from cli.screen.terminal import Terminal
from tests.cli.conftest import Run
from tests.cli.fake_stack import FakeStack, entry


@pytest.fixture
def many(stack: FakeStack) -> list[dict[str, Any]]:
    """A ledger of 450 entries, newest first: more than two pages."""
    stack.entries = [
        entry(key=f"receipt {number}.png", recorded_at=f"2026-11-{20 - number // 100}T00:00:00.000000Z")
        for number in range(450)
    ]
    return stack.entries


@pytest.mark.usefixtures("many")
def test_fifty_newest_entries_are_listed_and_it_is_said_that_there_are_more(caller: Run) -> None:
    ran = caller("receipts")

    lines = ran.out.splitlines()
    assert lines[0].split() == ["RECORDED", "OUTCOME", "FINGERPRINT", "SIZE", "TYPE", "KEY", "DETAIL"]
    assert len(lines) == 51
    assert lines[1].split()[:4] == ["2026-11-20T00:00:00Z", "ACCEPTED", "0" * 64, "1.2"]
    assert "the first 50; there are more" in ran.err


@pytest.mark.parametrize(
    ("members", "detail"),
    [
        ({}, ""),
        ({"findings": ["active_content", "encrypted"]}, "active_content, encrypted"),
        ({"outcome": "REJECTED", "reason": "empty", "detail": None}, "empty"),
        ({"outcome": "REJECTED", "reason": "damaged", "detail": "ends"}, "damaged: ends"),
        ({"duplicate_of": {"key": "a.png"}, "findings": ["encrypted"]}, "of a.png; encrypted"),
    ],
)
def test_detail_says_what_else_is_known_of_an_entry(
    caller: Run, stack: FakeStack, members: dict[str, Any], detail: str
) -> None:
    stack.entries = [entry(key="b.png", **members)]

    line = caller("receipts").out.splitlines()[1]

    assert line.partition("b.png")[2].strip() == detail


@pytest.mark.usefixtures("many")
def test_limit_beyond_a_page_follows_cursors(caller: Run, stack: FakeStack) -> None:
    ran = caller("receipts", "--limit", "201")

    assert len(ran.out.splitlines()) == 202
    assert [request.partition("?")[2] for request in stack.requests] == ["limit=200", "limit=1&cursor=200"]


def test_all_entries_as_one_json_document(caller: Run, many: list[dict[str, Any]]) -> None:
    ran = caller("receipts", "--all", "--json")

    assert json.loads(ran.out) == {"entries": many, "next_cursor": None}


@pytest.mark.usefixtures("many")
def test_json_of_a_part_has_the_cursor_of_the_rest(caller: Run) -> None:
    document = json.loads(caller("receipts", "--limit", "7", "--json").out)

    assert len(document["entries"]) == 7
    assert document["next_cursor"] == "7"


def test_empty_ledger_is_said_and_is_no_error(caller: Run) -> None:
    assert caller("receipts").err == "no entries\n"
    ran = caller("receipts", "--json")
    assert (ran.code, json.loads(ran.out)) == (0, {"entries": [], "next_cursor": None})


def test_filters_reach_the_api(caller: Run, stack: FakeStack) -> None:
    arguments = ("--outcome", "rejected", "--from", "2026-11-01", "--to", "2026-11-18T02:00:00+02:00")
    ran = caller("receipts", *arguments)

    assert ran.code == 0
    assert stack.requests == [
        "GET /receipts?outcome=REJECTED&from=2026-11-01T00%3A00%3A00.000000Z"
        "&to=2026-11-18T00%3A00%3A00.000000Z&limit=50"
    ]


@pytest.mark.parametrize(
    "options",
    [
        ("--from", "yesterday"),
        ("--from", "2026-11-01T00:00:00"),
        ("--from", "2026-02-30"),
        ("--to", "20261101"),
        ("--to", "0001-01-01T00:00:00+14:00"),
        ("--limit", "0"),
        ("--limit", "-1"),
        ("--limit", "²"),
        ("--limit", "5", "--all"),
        ("--outcome", "LOST"),
        ("--from", "2026-11-02", "--to", "2026-11-02"),
    ],
)
def test_malformed_option_is_wrong_usage_and_asks_nothing(
    caller: Run, stack: FakeStack, options: tuple[str, ...]
) -> None:
    assert options[0] in caller("receipts", *options).error(2)
    assert stack.requests == []


@pytest.mark.parametrize(("via", "detail"), [("put", "of a.png"), ("copy", "of a.png (a copy)")])
def test_duplicate_names_its_receipt_and_whether_it_is_a_copy(
    via: str, detail: str, caller: Run, stack: FakeStack
) -> None:
    first = {"bucket": "uploads", "key": "a.png", "version_id": "v1"}
    uploader = {"principal": None, "source_ip": None, "via": via, "caller": None}
    stack.entries = [entry(outcome="DUPLICATE", duplicate_of=first, uploader=uploader)]

    assert caller("receipts").out.splitlines()[-1].endswith(f" {detail}")


def test_key_that_would_steer_a_terminal_is_shown_escaped(caller: Run, stack: FakeStack) -> None:
    stack.entries = [entry(key="a\x1b[31m\u202egnp.exe\n\x9b2J ü[bold].png")]
    ran = caller("receipts")

    assert "a\\x1b[31m\\u202egnp.exe\\n\\x9b2J ü[bold].png" in ran.out
    assert caller("receipts", "--json").out.isascii()


class Pages(ApiClient):
    """A ledger whose pages have these numbers of entries, without a network."""

    def __init__(self, *sizes: int) -> None:
        """Connect to nothing."""
        self._sizes = sizes

    def page(self, chosen: EntryFilter, *, limit: int, cursor: str | None = None) -> ApiPage:  # noqa: ARG002
        number = int(cursor or 0)
        more = str(number + 1) if number + 1 < len(self._sizes) else None
        return cast("ApiPage", {"entries": [entry()] * self._sizes[number], "next_cursor": more})


@pytest.mark.parametrize(
    ("sizes", "rows", "empty"),
    [((0, 0, 1, 0, 2), 3, [2, 1]), ((0,) * 12, 0, [12]), ((1, 0), 1, [1]), ((1, 1), 2, [])],
)
def test_empty_pages_are_counted_on_a_terminal_while_the_search_goes_on(
    sizes: tuple[int, ...], rows: int, empty: list[int]
) -> None:
    out, err = io.StringIO(), io.StringIO()
    terminal = Terminal(
        out=Console(file=out, width=200), err=Console(file=err, force_terminal=True, color_system=None)
    )

    write_table(Listing(Pages(*sizes), EntryFilter(), 50), terminal)

    assert out.getvalue().count("receipt.png") == rows
    counts = [int(count) for count in re.findall(r"pages without an entry to list: (\d+)", err.getvalue())]
    assert [count for count, after in pairwise([*counts, 0]) if after < count] == empty


@pytest.mark.parametrize(("width", "digits"), [(60, 64), (120, 12), (200, 64)])
def test_fingerprint_is_cut_only_where_a_terminals_table_has_no_room_for_it(width: int, digits: int) -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=True, color_system=None)
    write_table(Listing(Pages(1), EntryFilter(), 50), Terminal(out=console, err=console))

    assert max(re.findall("0{12,}", stream.getvalue()), key=len) == "0" * digits
