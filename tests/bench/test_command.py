"""``python -m bench``: what it prints, writes, and fails for."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench import __main__ as command
from bench.results import Aim, Count, Findings, Table

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
    monkeypatch.setattr(command, "EMBEDDED", {})

    def put(**findings: Findings) -> None:
        made = {
            name: SimpleNamespace(
                __doc__=f"The {name}.\n\nDone in\n{{scale.rounds}} {{UNIT}}.\n",
                UNIT="rounds",
                measure=lambda *_, found=found: found,
            )
            for name, found in findings.items()
        }
        monkeypatch.setattr(command, "IN_PROCESS", made)

    return put


def found(*, row: str = "row", aims: Sequence[Aim] = (), counts: Sequence[Count] = ()) -> Findings:
    table = Table(columns=["", "figure"], rows={row: ["1"]}, caption="of everything")
    return Findings(tables=[table], aims=aims, counts=counts)


@pytest.mark.parametrize("arguments", [[], ["--quick"], ["--only", "cost"]])
def test_a_count_that_differs_fails_and_is_named(
    arguments: list[str], measures: Measures, capsys: pytest.CaptureFixture[str]
) -> None:
    measures(cost=found(counts=[HOLDS, DIFFERS]))

    assert command.main(arguments) == 1
    assert capsys.readouterr().err == "bench: calls per receipt: 3, expected 2\n"


def test_a_missed_aim_is_told_and_does_not_fail(
    measures: Measures, capsys: pytest.CaptureFixture[str]
) -> None:
    measures(cost=found(counts=[HOLDS], aims=[MISSED, MET]))

    assert command.main(["--quick"]) == 0
    out = capsys.readouterr().out
    assert "NOT MET: share of naive: 0.5 (aim: at most 0.143)" in out
    assert "   met: receipts per second: 4 (aim: at least 3)" in out


def test_the_whole_bench_writes_every_row_with_the_command_that_prints_it(
    measures: Measures, page: Path
) -> None:
    measures(cost=found(row="a", aims=[MISSED]), growth=found(row="b", counts=[HOLDS]))

    assert command.main([]) == 0

    text = page.read_text()
    for name, row in (("cost", "a"), ("growth", "b")):
        assert f"| {row} | 1 |" in text
        assert f"\n## The {name}\n\n`.venv/bin/python -m bench --only {name}`\n\nDone in 15 rounds.\n" in text
    assert "| share of naive | 0.5 | at most 0.143 | **not met** | `cost` |" in text
    assert "\n- calls per receipt: 2\n" in text


@pytest.mark.parametrize("arguments", [["--quick"], ["--only", "cost"]])
def test_a_part_of_the_bench_writes_nothing(arguments: list[str], measures: Measures, page: Path) -> None:
    measures(cost=found())

    assert command.main(arguments) == 0
    assert not page.exists()


def test_only_what_is_asked_for_is_measured(measures: Measures, capsys: pytest.CaptureFixture[str]) -> None:
    measures(cost=found(row="a"), growth=found(row="b"))

    command.main(["--only", "growth"])

    titles = [line for line in capsys.readouterr().out.splitlines() if line.startswith("== ")]
    assert titles == ["== The growth"]
