"""``python -m bench``: what it prints, writes, and fails for."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from bench import __main__ as command
from bench.results import Aim, Count, Plot, Result, Table

HOLDS = Count(text="calls per receipt", actual="2", expected="2")
DIFFERS = Count(text="calls per receipt", actual="3", expected="2")
MISSED = Aim(text="share of naive", figure=0.5, limit=0.143)
MET = Aim(text="receipts per second", figure=4, limit=3, at_most=False)

Measures = Callable[..., None]


@pytest.fixture
def measures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Measures:
    """Puts results in the place of measures, and a folder in the place of the repository."""
    (tmp_path / "docs").mkdir()
    monkeypatch.setattr(command, "REPOSITORY", tmp_path)
    monkeypatch.setattr(command, "loaded_bench", contextlib.nullcontext)
    monkeypatch.setattr(command, "EMBEDDED", {})

    def put(*results: Result) -> None:
        made: dict[str, Any] = {result.name: lambda *_, result=result: result for result in results}
        monkeypatch.setattr(command, "IN_PROCESS", made)
        monkeypatch.setattr(command, "NAMES", tuple(made))

    return put


def result(name: str = "cost", **parts: Any) -> Result:
    table = Table(columns=["", "figure"], rows=[[f"row of {name}", "1"]], caption="of everything")
    return Result(name=name, title=name.title(), method="How it was done.", tables=[table], **parts)


@pytest.mark.parametrize("arguments", [[], ["--quick"], ["--only", "cost"]])
def test_a_count_that_differs_fails_and_is_named(
    arguments: list[str], measures: Measures, capsys: pytest.CaptureFixture[str]
) -> None:
    measures(result(counts=[HOLDS, DIFFERS]))

    assert command.main(arguments) == 1
    assert capsys.readouterr().err == "bench: calls per receipt: 3, expected 2\n"


def test_a_missed_aim_is_told_and_does_not_fail(
    measures: Measures, capsys: pytest.CaptureFixture[str]
) -> None:
    measures(result(counts=[HOLDS], aims=[MISSED, MET]))

    assert command.main(["--quick"]) == 0
    out = capsys.readouterr().out
    assert "NOT MET: share of naive: 0.5 (aim: at most 0.143)" in out
    assert "   met: receipts per second: 4 (aim: at least 3)" in out


def test_the_whole_bench_writes_every_row_with_the_command_that_prints_it(
    measures: Measures, tmp_path: Path
) -> None:
    plot = Plot(name="growth", title="T", x_label="x", y_label="y", lines=[("Bill-E", [(1, 1), (10, 2)])])
    measures(result("cost", aims=[MISSED]), result("growth", plots=[plot], counts=[HOLDS]))
    stale = tmp_path / "docs" / "benchmarks" / "gone.svg"
    stale.parent.mkdir()
    stale.touch()

    assert command.main([]) == 0

    page = (tmp_path / "docs" / "benchmarks.md").read_text()
    for name in ("cost", "growth"):
        assert f"| row of {name} | 1 |" in page
        assert f"python -m bench --only {name}`" in page
    assert "| share of naive | 0.5 | at most 0.143 | **not met** |" in page
    assert "(benchmarks/growth.svg)" in page
    assert [file.name for file in stale.parent.iterdir()] == ["growth.svg"]


@pytest.mark.parametrize("arguments", [["--quick"], ["--only", "cost"]])
def test_a_part_of_the_bench_writes_nothing(arguments: list[str], measures: Measures, tmp_path: Path) -> None:
    measures(result())

    assert command.main(arguments) == 0
    assert list((tmp_path / "docs").iterdir()) == []


@pytest.mark.parametrize(("log_x", "log_y"), [(False, False), (True, False), (True, True)])
def test_a_plot_keeps_the_order_of_its_points_inside_its_frame(
    log_x: bool, log_y: bool, measures: Measures, tmp_path: Path
) -> None:
    line = [(1.0, 2.0), (10.0, 3.0), (500.0, 552.0)]
    plot = Plot(
        name="p", title="A & B", x_label="x", y_label="y", lines=[("<b>", line)], log_x=log_x, log_y=log_y
    )
    measures(result(plots=[plot]))
    command.main([])

    drawn = ET.parse(tmp_path / "docs" / "benchmarks" / "p.svg").getroot()  # noqa: S314 - our own
    _, _, width, height = map(float, drawn.attrib["viewBox"].split())
    (polyline,) = drawn.iter("{http://www.w3.org/2000/svg}polyline")
    points = [tuple(map(float, pair.split(","))) for pair in polyline.attrib["points"].split()]
    assert points == sorted(points, key=lambda point: point[0])
    assert [y for _, y in points] == sorted((y for _, y in points), reverse=True)
    assert all(0 < x < width and 0 < y < height for x, y in points)
    texts = [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert {"A & B", "x", "y", "<b>"} <= set(texts)
