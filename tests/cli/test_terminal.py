from __future__ import annotations

import io
import re
from types import SimpleNamespace

import pytest
from rich.cells import cell_len
from rich.console import Console

from cli.commands import receipts
from cli.screen.layout import DROPPED_FIRST, wrapped_cell
from cli.screen.progress import count_bar, upload_bar
from cli.screen.terminal import Row, Terminal, printable, size_text

ROWS: list[Row] = [
    {"OUTCOME": "ACCEPTED", "KEY": "coffee.png", "DETAIL": ""},
    {"OUTCOME": "DUPLICATE", "KEY": "領収書.png", "DETAIL": "of coffee.png"},
]


def _console(*, width: int, terminal: bool) -> tuple[Console, io.StringIO]:
    stream = io.StringIO()
    return Console(file=stream, width=width, force_terminal=terminal, markup=False, highlight=False), stream


def _table(*, width: int, terminal: bool) -> str:
    console, stream = _console(width=width, terminal=terminal)
    Terminal(out=console, err=console).table(ROWS)
    return stream.getvalue()


def _plain(stream: io.StringIO) -> list[str]:
    return re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue()).splitlines()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Bäckerei Süß, 領収書.png", "Bäckerei Süß, 領収書.png"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\u202egnp.exe", "a\\u202egnp.exe"),
        ("a\u2066b\u2069", "a\\u2066b\\u2069"),
        ("two\nlines\u2028three", "two\\nlines\\u2028three"),
        ("\udce9", "\\udce9"),
        ("back\\slash", "back\\slash"),
    ],
)
def test_only_what_steers_or_misleads_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("size", "text"),
    [(None, "-"), (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_960, "1.0 MB"), (20_000_000, "20.0 MB")],
)
def test_sizes_are_written_in_powers_of_a_thousand(size: int | None, text: str) -> None:
    assert size_text(size) == text


def test_table_elsewhere_than_on_a_terminal_is_aligned_and_without_escape_codes() -> None:
    assert _table(width=20, terminal=False).splitlines() == [
        "OUTCOME    KEY         DETAIL",
        "ACCEPTED   coffee.png",
        "DUPLICATE  領収書.png  of coffee.png",
    ]


def test_wide_terminal_gets_a_table_in_colour() -> None:
    shown = _table(width=120, terminal=True)

    assert "\x1b[32mACCEPTED" in shown
    assert len(shown.splitlines()) == 3


ENTRY: Row = {
    "RECORDED": "2026-11-20T12:00:00Z",
    "OUTCOME": "DUPLICATE",
    "FINGERPRINT": "0123456789ab",
    "SIZE": "196.2 kB",
    "TYPE": "application/pdf",
    "UPLOADER": "erika",
    "KEY": "2026/november/hotel-invoice_0042.pdf",
    "DETAIL": "of inbox/hotel.pdf; encrypted",
}


DEAD_LETTER: Row = {
    "FIRST SENT": "2026-11-20T12:00:00Z",
    "RECEIVED": "6",
    "ID": "8f14e45f-ceea-467f-a0e6-4a2d3e1b6c11",
    "STATE": "not recorded",
    "KEY": "2026/november/hotel-invoice_0042.pdf",
    "DETAIL": "it has no entry: the processor's log says why, under message_id",
}


@pytest.mark.parametrize(
    ("width", "kept"),
    [
        (132, [*DEAD_LETTER]),
        (100, ["ID", "STATE", "KEY", "DETAIL"]),
        (80, ["ID", "KEY", "DETAIL"]),
        (60, ["ID", "DETAIL"]),
    ],
)
def test_dead_letter_keeps_its_whole_id_and_why_it_is_there(width: int, kept: list[str]) -> None:
    console, stream = _console(width=width, terminal=True)
    Terminal(out=console, err=console).table([DEAD_LETTER])

    lines = _plain(stream)
    assert re.split(r" {2,}", lines[0]) == kept
    assert DEAD_LETTER["ID"] in lines[1]
    assert max(map(len, lines)) <= width


def test_order_in_which_columns_are_left_out_is_in_the_help() -> None:
    assert f"in this order: {', '.join(DROPPED_FIRST)}." in " ".join(str(receipts.__doc__).split())


@pytest.mark.parametrize(
    ("width", "dropped"),
    [
        (200, []),
        (132, []),
        (110, ["TYPE"]),
        (100, ["TYPE"]),
        (80, ["TYPE", "UPLOADER", "SIZE"]),
        (68, ["TYPE", "UPLOADER", "SIZE", "FINGERPRINT"]),
        (60, ["TYPE", "UPLOADER", "SIZE", "FINGERPRINT", "RECORDED"]),
    ],
)
def test_narrow_table_leaves_out_what_is_needed_least_and_nothing_else(
    width: int, dropped: list[str]
) -> None:
    console, stream = _console(width=width, terminal=True)
    Terminal(out=console, err=console).table([ENTRY] * 300)

    lines = _plain(stream)
    assert lines[0].split() == [name for name in ENTRY if name not in dropped]
    assert sum("OUTCOME" in line for line in lines) == 1
    assert max(map(cell_len, lines)) <= width


def test_long_cell_goes_on_in_the_next_line_between_its_parts() -> None:
    console, stream = _console(width=80, terminal=True)
    Terminal(out=console, err=console).table([ENTRY])

    rows = _plain(stream)[1:]
    cells = [re.split(r" {2,}", row.strip()) for row in rows]
    assert cells == [
        [*(ENTRY[name] for name in ("RECORDED", "OUTCOME", "FINGERPRINT")), "2026/november/", "of inbox/"],
        ["hotel-invoice_", "hotel.pdf;"],
        ["0042.pdf", "encrypted"],
    ]


def test_longest_reason_stays_whole_at_80_columns() -> None:
    console, stream = _console(width=80, terminal=True)
    Terminal(out=console, err=console).table([ENTRY, {**ENTRY, "DETAIL": "unsupported_type"}])

    assert sum(line.endswith("  unsupported_type") for line in _plain(stream)) == 1


def test_date_stays_whole() -> None:
    assert wrapped_cell("taken on 2026-11-20", 15) == ["taken on", "2026-11-20"]


def test_sentence_is_broken_between_words_and_a_path_not_at_all() -> None:
    console, stream = _console(width=20, terminal=True)
    terminal = Terminal(out=console, err=console)
    terminal.write("50 entries (61,700 bytes)")
    terminal.complain(f"not uploaded: {'/scans' * 5}: gone")
    terminal.fields({"fingerprint": "0" * 64})

    assert _plain(stream) == [
        *("50 entries (61,700", "bytes)"),
        *("not uploaded:", f"{'/scans' * 5}:", "gone"),
        f"fingerprint  {'0' * 64}",
    ]


def test_part_without_a_place_to_break_is_broken_at_the_edge() -> None:
    assert wrapped_cell("x" * 25, 10) == ["x" * 10, "x" * 10, "x" * 5]
    assert wrapped_cell("領収書領収書", 6) == ["領収書", "領収書"]
    assert wrapped_cell("one two  three", 9) == ["one two", "three"]
    assert wrapped_cell("", 5) == [""]


def test_markup_in_a_key_is_shown_as_it_is() -> None:
    console, stream = _console(width=120, terminal=True)
    Terminal(out=console, err=console).table([{"KEY": "[red]x[/red] :smile:"}])

    assert "[red]x[/red] :smile:" in stream.getvalue()


def test_bars_draw_on_a_terminal_and_reach_their_end() -> None:
    console, stream = _console(width=80, terminal=True)
    with upload_bar(console, files=2, total_bytes=10) as (add_bytes, add_files):
        add_bytes(10)
        add_files(1)
        add_files(1)
    with count_bar(console, "outcomes", 3) as advance:
        advance(3)
    with count_bar(console, "entries read") as advance:
        advance(1234)

    assert "uploading 2/2" in stream.getvalue()
    assert "10/10 bytes" in stream.getvalue()
    assert "3/3" in stream.getvalue()
    assert "entries read: 1,234" in stream.getvalue()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    time = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr("cli.screen.progress.now", lambda: time.seconds)
    return time


def test_progress_without_a_terminal_is_a_line_each_minute(clock: SimpleNamespace) -> None:
    console, stream = _console(width=80, terminal=False)
    with upload_bar(console, files=1234, total_bytes=1234) as (add_bytes, add_files):
        for _ in range(1234):
            clock.seconds += 0.1
            add_bytes(1)
            add_files(1)

    lines = stream.getvalue().splitlines()
    assert [re.sub(r"\d\d of", "00 of", line) for line in lines] == [
        "uploaded: 600 of 1,234",
        "uploaded: 1,200 of 1,234",
    ]


def test_short_work_without_a_terminal_has_no_progress(clock: SimpleNamespace) -> None:
    console, stream = _console(width=80, terminal=False)
    with count_bar(console, "entries read") as advance:
        for _ in range(59):
            clock.seconds += 1
            advance(1_000)
        assert stream.getvalue() == ""
        clock.seconds += 1
        advance(1_000)

    assert stream.getvalue() == "entries read: 60,000 so far\n"


@pytest.mark.parametrize(
    ("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_colour_is_left_out_where_the_environment_says_so(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], coloured: bool
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    stream = io.StringIO()
    stream.isatty = lambda: True  # type: ignore[method-assign]

    terminal = Terminal.over(stream, stream)
    terminal.table([ENTRY])

    assert ("\x1b[33m" in stream.getvalue()) == coloured
