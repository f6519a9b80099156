from __future__ import annotations

import io

import pytest
from rich.console import Console

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


def test_narrow_terminal_gets_one_line_for_each_cell_and_nothing_is_cut_off() -> None:
    lines = [line.rstrip() for line in _table(width=12, terminal=True).splitlines()]

    assert "KEY      領収書.png" in lines
    assert "DETAIL   of coffee.png" in lines


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


def test_progress_without_a_terminal_is_ten_lines_at_most() -> None:
    console, stream = _console(width=80, terminal=False)
    with upload_bar(console, files=1234, total_bytes=1234) as (add_bytes, add_files):
        for _ in range(1234):
            add_bytes(1)
            add_files(1)

    lines = stream.getvalue().splitlines()
    assert len(lines) == 10
    assert lines[-1] == "uploaded: 1234 of 1234"


def test_progress_of_unknown_length_is_a_line_at_ten_thousand_and_at_each_doubling() -> None:
    console, stream = _console(width=80, terminal=False)
    with count_bar(console, "entries read") as advance:
        for _ in range(85):
            advance(999)

    assert [line.split()[2] for line in stream.getvalue().splitlines()] == [
        *("10,989", "20,979", "40,959", "80,919"),
    ]
