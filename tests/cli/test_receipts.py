from __future__ import annotations

import csv
import io
import json
import os
import re
import tracemalloc
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
from rich.console import Console

from cli.answers import ApiPage
from cli.caller.api_client import ApiClient, EntryFilter
from cli.commands.receipts import Listing, write_csv, write_table
from cli.main import main
from cli.screen.entries import CSV_COLUMNS
from cli.screen.terminal import Terminal
from generator.openapi import openapi_document
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
    columns = ["RECORDED", "OUTCOME", "FINGERPRINT", "SIZE", "TYPE", "UPLOADER", "KEY", "DETAIL"]
    assert lines[0].split() == columns
    assert len(lines) == 52
    assert lines[-1].startswith("50 entries (61,700 bytes) = 50 accepted (61,700 bytes) + 0 duplicate (0 ")
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


@pytest.mark.parametrize(("options", "rows"), [((), 450), (("--limit", "7"), 7)])
def test_csv_has_all_entries_unless_told_otherwise(
    caller: Run, many: list[dict[str, Any]], options: tuple[str, ...], rows: int
) -> None:
    assert len(many) == 450
    assert caller("receipts", "--csv", *options).out.count("\r\n") == 1 + rows


@pytest.mark.usefixtures("many")
def test_limit_beyond_a_page_follows_cursors(caller: Run, stack: FakeStack) -> None:
    ran = caller("receipts", "--limit", "201")

    assert len(ran.out.splitlines()) == 203
    assert [request.partition("?")[2] for request in stack.requests] == ["limit=200", "limit=1&cursor=200"]


def test_all_entries_as_one_json_document(caller: Run, many: list[dict[str, Any]]) -> None:
    ran = caller("receipts", "--all", "--json")

    document = json.loads(ran.out)
    assert {name: document[name] for name in ("entries", "next_cursor")} == {
        "entries": many,
        "next_cursor": None,
    }


def test_totals_tell_entries_bytes_and_unknown_sizes_by_outcome(caller: Run, stack: FakeStack) -> None:
    stack.entries = [
        entry(size_bytes=1_000_000),
        entry(size_bytes=24),
        entry(outcome="DUPLICATE", size_bytes=24),
        entry(outcome="REJECTED", size_bytes=None, fingerprint=None),
    ]

    assert caller("receipts").out.splitlines()[-1] == (
        "4 entries (1,000,048 bytes, 1 of unknown size) = 2 accepted (1,000,024 bytes) "
        "+ 1 duplicate (24 bytes) + 1 rejected (0 bytes, 1 of unknown size)"
    )
    assert json.loads(caller("receipts", "--json").out)["totals"] == {
        "entries": 4,
        "bytes": 1_000_048,
        "of_unknown_size": 1,
        "by_outcome": {
            "ACCEPTED": {"entries": 2, "bytes": 1_000_024, "of_unknown_size": 0},
            "DUPLICATE": {"entries": 1, "bytes": 24, "of_unknown_size": 0},
            "REJECTED": {"entries": 1, "bytes": 0, "of_unknown_size": 1},
        },
    }


def test_csv_has_every_member_and_each_line_ends_as_rfc_4180_says(caller: Run, stack: FakeStack) -> None:
    caller_names = {"principal": None, "issuer": "https://login.example/", "subject": "erika"}
    uploader = {"principal": "AWS:AROA:f", "source_ip": "192.0.2.1", "via": "form", "caller": caller_names}
    first = {"bucket": "uploads", "key": 'a "b", c\nd.png', "version_id": "v1"}
    members = {"outcome": "DUPLICATE", "duplicate_of": first, "restores": True, "uploader": uploader}
    stack.entries = [entry(findings=["encrypted", "trailing_data"], **members)]

    ran = caller("receipts", "--csv")

    assert ran.out.count("\r\n") == 2
    (row,) = csv.DictReader(io.StringIO(ran.out, newline=""))
    expected = {**stack.entries[0], "findings": "encrypted trailing_data"}
    assert row == {column: text_of(expected, column) for column in row}
    assert set(row) >= {
        "uploader.caller.subject",
        "duplicate_of.key",
        "restores",
        "size_bytes",
        "recorded_at",
    }
    assert ran.err.startswith("1 entry (1,234 bytes)")


def text_of(document: Any, column: str) -> str:
    for name in column.split("."):
        document = (document or {}).get(name)
    return "" if document is None else json.dumps(document) if isinstance(document, bool) else str(document)


def test_csv_has_each_member_that_the_api_describes() -> None:
    described = openapi_document()["components"]["schemas"]
    nested = {"uploader": "Uploader", "uploader.caller": "Caller", "duplicate_of": "ObjectVersion"}

    def columns(schema: str, prefix: str = "") -> Iterator[str]:
        for name in described[schema]["properties"]:
            path = f"{prefix}{name}"
            yield from columns(nested[path], f"{path}.") if path in nested else (path,)

    entries = ("AcceptedReceipt", "Duplicate", "Rejection")
    assert set(CSV_COLUMNS) == {column for schema in entries for column in columns(schema)}


def test_csv_is_utf_8_with_its_own_line_ends_whatever_the_terminal_has(
    stack: FakeStack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stack.entries = [entry(key="領収書, 1.png")]
    outputs, written = stack.write_outputs(tmp_path), tmp_path / "receipts.csv"

    with written.open("w", encoding="cp1252", newline="\r\n") as as_on_windows:
        monkeypatch.setattr("sys.stdout", as_on_windows)
        assert main(["receipts", "--csv", "--outputs", str(outputs)]) == 0

    header, row, end = written.read_bytes().split(b"\r\n")
    assert header.startswith(b'"recorded_at","outcome",')
    assert ',"領収書, 1.png",'.encode() in row
    assert end == b""


def test_csv_of_any_number_of_entries_fits_into_memory() -> None:
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        terminal = Terminal.over(nowhere, nowhere)
        tracemalloc.start()
        try:
            write_csv(Listing(Pages(*[200] * 100), EntryFilter(), None), terminal)
            assert tracemalloc.get_traced_memory()[1] < 2_000_000
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("key", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "'quoted", "plain", "a=1"])
def test_no_cell_is_a_formula_and_each_can_be_read_back(caller: Run, stack: FakeStack, key: str) -> None:
    stack.entries = [entry(key=key)]

    (row,) = csv.DictReader(io.StringIO(caller("receipts", "--csv").out, newline=""))

    assert row["key"][0] not in "=+-@\t\r"
    assert row["key"].removeprefix("'") == key


@pytest.mark.parametrize(
    ("uploader", "shown"),
    [
        ({"principal": "AWS:AIDAEXAMPLE"}, "AIDAEXAMPLE"),
        ({"principal": "AWS:AROAEXAMPLE:erika"}, "erika"),
        ({"principal": "A1B2C3"}, "A1B2C3"),
        ({"principal": None}, "-"),
        ({"caller": {"principal": "arn:aws:iam::1:user/team/erika"}}, "team/erika"),
        ({"caller": {"principal": "arn:aws:sts::1:assumed-role/Clerk/erika"}}, "Clerk/erika"),
        ({"caller": {"principal": None, "issuer": "https://i/", "subject": "e@x"}}, "e@x"),
    ],
)
def test_an_uploader_is_shown_by_the_part_that_people_know(
    caller: Run, stack: FakeStack, uploader: dict[str, Any], shown: str
) -> None:
    stack.entries = [entry(uploader={"principal": None, "source_ip": None, "caller": None, **uploader})]

    assert re.findall(r"image/png  (.+?) +receipt.png", caller("receipts").out) == [shown]


@pytest.mark.usefixtures("many")
def test_json_of_a_part_has_the_cursor_of_the_rest(caller: Run) -> None:
    document = json.loads(caller("receipts", "--limit", "7", "--json").out)

    assert len(document["entries"]) == 7
    assert document["next_cursor"] == "7"


def test_empty_ledger_is_said_and_is_no_error(caller: Run) -> None:
    assert caller("receipts").err == "no entries\n"
    ran = caller("receipts", "--json")
    document = json.loads(ran.out)
    assert (ran.code, document["entries"], document["next_cursor"]) == (0, [], None)


def test_filters_reach_the_api(caller: Run, stack: FakeStack) -> None:
    arguments = ("--outcome", "rejected", "--from", "2026-11-01", "--to", "2026-11-18T02:00:00+02:00")
    ran = caller("receipts", *arguments)

    assert ran.code == 0
    assert stack.requests == [
        "GET /receipts?outcome=REJECTED&from=2026-11-01T00%3A00%3A00.000000Z"
        "&to=2026-11-18T00%3A00%3A00.000000Z&limit=50"
    ]


@pytest.mark.parametrize(
    ("options", "query"),
    [
        (("--key", "ä b"), "key=%C3%A4%20b"),
        (("--uploader", "erika"), "uploader=erika"),
        (("--finding", "encrypted"), "finding=encrypted"),
        (("--reason", "damaged"), "reason=damaged"),
        (("--month", "2026-12"), "from=2026-12-01T00%3A00%3A00.000000Z&to=2027-01-01T00%3A00%3A00.000000Z"),
        (("--from", "0001-01-01"), "from=0001-01-01T00%3A00%3A00.000000Z"),
    ],
)
def test_each_filter_is_sent_as_the_api_names_it(
    caller: Run, stack: FakeStack, options: tuple[str, str], query: str
) -> None:
    assert caller("receipts", *options).code == 0
    assert stack.requests == [f"GET /receipts?{query}&limit=50"]


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
        ("--month", "2026-13"),
        ("--month", "2026-1"),
        ("--month", "9999-12"),
        ("--month", "2026-10", "--from", "2026-10-02"),
        ("--key", ""),
        ("--uploader", "x" * 1_025),
        ("--key", "not UTF-8: \udcff"),
        ("--reason", "virus"),
        ("--csv", "--json"),
    ],
)
def test_malformed_option_is_wrong_usage_and_asks_nothing(
    caller: Run, stack: FakeStack, options: tuple[str, ...]
) -> None:
    assert options[0] in caller("receipts", *options).error(2)
    assert stack.requests == []


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--outcome", "accepted", "--reason", "damaged"), "only rejected uploads have a reason"),
        (("--outcome", "rejected", "--finding", "encrypted"), "rejected uploads have no findings"),
        (("--reason", "empty", "--finding", "encrypted"), "rejected uploads have no findings"),
    ],
)
def test_filters_that_never_fit_together_are_told_and_ask_nothing(
    caller: Run, stack: FakeStack, options: tuple[str, ...], why: str
) -> None:
    assert f"no entry can match these filters: {why}" in caller("receipts", *options).error(2)
    assert stack.requests == []


@pytest.mark.parametrize(
    "time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-00:01", "0000-01-01", "10000-01-01"]
)
def test_a_time_outside_of_the_calendar_is_refused_as_it_was_typed(caller: Run, time: str) -> None:
    error = caller("receipts", "--from", time).error(2)
    assert f"argument --from: '{time}' is not allowed" in error
    assert "in the years 1 to 9999 in UTC" in error


@pytest.mark.parametrize(
    ("key", "via", "detail"),
    [
        ("b.png", "put", "of a.png"),
        ("b.png", "copy", "of a.png (a copy)"),
        ("a.png", "put", "sent again"),
        ("a.png", "copy", "copied onto itself"),
    ],
)
def test_duplicate_names_its_receipt_if_that_has_another_key_and_says_whether_it_is_a_copy(
    key: str, via: str, detail: str, caller: Run, stack: FakeStack
) -> None:
    first = {"bucket": "uploads", "key": "a.png", "version_id": "v1"}
    uploader = {"principal": None, "source_ip": None, "via": via, "caller": None}
    stack.entries = [entry(key=key, outcome="DUPLICATE", duplicate_of=first, uploader=uploader)]

    assert caller("receipts").out.splitlines()[1].endswith(f" {key}  {detail}")
    assert json.loads(caller("receipts", "--json").out)["entries"][0]["duplicate_of"] == first


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
        return cast(
            "ApiPage", {"entries": [entry() for _ in range(self._sizes[number])], "next_cursor": more}
        )


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


@pytest.mark.parametrize(("width", "digits"), [(80, 12), (120, 12), (200, 64)])
def test_fingerprint_is_cut_only_where_a_terminals_table_has_no_room_for_it(width: int, digits: int) -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=True, color_system=None)
    write_table(Listing(Pages(1), EntryFilter(), 50), Terminal(out=console, err=console))

    assert max(re.findall("0{12,}", stream.getvalue()), key=len) == "0" * digits
