"""``python -m bench``: what it prints, writes, and fails for."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench import __main__ as command
from bench.results import Aim, Count, FigureTable

HOLDS = Count("calls per receipt", "2", "2")
DIFFERS = Count("calls per receipt", "3", "2")
MISSED = Aim("share of naive", 0.5, 0.143)
MET = Aim("receipts per second", 4, 3, at_most=False)

Measures = Callable[..., None]


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return tmp_path / "benchmarks.md"


@pytest.fixture
def measures(monkeypatch: pytest.MonkeyPatch, page: Path) -> Measures:
    """Puts measures that find this in the place of the real ones, and another page in that of ours."""
    monkeypatch.setattr(command, "PAGE", page)
    monkeypatch.setattr(command, "loaded_bench", contextlib.nullcontext)
    monkeypatch.setattr(command, "EMBEDDED", [])

    def put(**findings: Sequence[FigureTable | Aim | Count]) -> None:
        made = [
            SimpleNamespace(
                __name__=f"bench.measures.{name}",
                __doc__=f"The {name}.\n\nDone in\n{{scale.rounds}} {{UNIT}}.\n",
                UNIT="rounds",
                measure=lambda *_, found=found: found,
            )
            for name, found in findings.items()
        ]
        monkeypatch.setattr(command, "IN_PROCESS", made)

    return put


def table(row: str = "row") -> FigureTable:
    return FigureTable({row: {"figure": 1}, "another": {"another figure": "two"}}, caption="of everything")


def unpadded(text: str) -> str:
    return re.sub(" +", " ", text)


@pytest.mark.parametrize("arguments", [[], ["--quick"], ["--only", "cost"]])
def test_a_count_that_differs_fails_and_is_named(
    arguments: list[str], measures: Measures, capsys: pytest.CaptureFixture[str]
) -> None:
    measures(cost=[HOLDS, table(), DIFFERS])

    assert command.main(arguments) == 1
    assert capsys.readouterr().err == "bench: calls per receipt: 3, expected 2\n"


def test_a_missed_aim_is_told_and_does_not_fail(
    measures: Measures, capsys: pytest.CaptureFixture[str]
) -> None:
    measures(cost=[HOLDS, MISSED, MET])

    assert command.main(["--quick"]) == 0
    out = unpadded(capsys.readouterr().out)
    assert "| share of naive | 0.5 | at most 0.143 | **not met** | `cost` |" in out
    assert "| receipts per second | 4 | at least 3 | met | `cost` |" in out


def test_the_whole_bench_writes_every_row_with_the_command_that_prints_it(
    measures: Measures, page: Path
) -> None:
    measures(cost=[table("a"), MISSED], billed_time=[table("b"), HOLDS])

    assert command.main([]) == 0

    text = unpadded(page.read_text())
    for name, row in (("cost", "a"), ("billed-time", "b")):
        assert "\nof everything:\n\n| | figure | another figure |\n" in text
        assert f"| {row} | 1 | |\n| another | | two |" in text
        title = f"The {name.replace('-', '_')}"
        assert f"\n## {title}\n\n`.venv/bin/python -m bench --only {name}`\n\nDone in 15 rounds.\n" in text
    assert "| share of naive | 0.5 | at most 0.143 | **not met** | `cost` |" in text
    assert "\n- calls per receipt: 2\n" in text


@pytest.mark.parametrize("arguments", [["--quick"], ["--only", "cost"]])
def test_a_part_of_the_bench_writes_nothing(arguments: list[str], measures: Measures, page: Path) -> None:
    measures(cost=[table()])

    assert command.main(arguments) == 0
    assert not page.exists()


def test_only_what_is_asked_for_is_measured(measures: Measures, capsys: pytest.CaptureFixture[str]) -> None:
    measures(cost=[table()], growth=[table()])

    command.main(["--only", "growth"])

    assert re.findall("^## The .*", capsys.readouterr().out, re.MULTILINE) == ["## The growth"]
