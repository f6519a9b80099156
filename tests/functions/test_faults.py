"""Every AWS call of the processor fails in every way, and the ledger ends up as if it hadn't.

The calls are not listed here: each scenario is run once without a fault, and then once for every fault in
each call that the processor made. botocore's own retries are off (`processor_on_line`), so that every fault
reaches the processor, and only a redelivery from the queue can repair it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Final

import pytest

from functions.contract.entry import Outcome, Reason
from tests.functions.pipeline_model import (
    CONTENTS,
    LUNCH,
    NOTE,
    NOTHING,
    PHOTO,
    SCAN,
    TAXI,
    VISIBILITY_TIMEOUT,
    Content,
    Fault,
    Line,
    Pipeline,
    losses,
    processor_on_line,
    wrongs,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from functions.contract.entry import Entry


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What was there before, and the messages that are then processed while things fail.

    ``least`` are the calls that the processor cannot do without. Where two uploads race for the same bytes,
    a fault may decide which of them is first: ``is_race``.
    """

    name: str
    prepare: Callable[[Pipeline], object]
    least: tuple[str, ...]
    is_race: bool = False

    def run(self, line: Line, faults: dict[int, Fault] | None = None) -> Pipeline:
        """Prepare a pipeline without faults, then process what it has waiting to the end."""
        pipeline = Pipeline(line)
        self.prepare(pipeline)
        pipeline.calls.clear()
        pipeline.drain(faults)
        return pipeline


def recorded(pipeline: Pipeline, *files: tuple[str, Content]) -> None:
    pipeline.upload(*files)
    pipeline.drain()


def duplicate(pipeline: Pipeline) -> None:
    recorded(pipeline, ("first.png", LUNCH))
    pipeline.upload(("second.png", LUNCH))


def restoring(pipeline: Pipeline) -> None:
    recorded(pipeline, ("first.png", LUNCH), ("second.png", LUNCH))
    for version in pipeline.uploads:
        pipeline.delete(version)
    pipeline.upload(("third.png", LUNCH))


def restored(pipeline: Pipeline) -> None:
    restoring(pipeline)
    pipeline.drain()
    pipeline.upload(("fourth.png", LUNCH))


def redelivered(pipeline: Pipeline) -> None:
    recorded(pipeline, ("first.png", LUNCH), ("second.png", LUNCH))
    pipeline.send(*(made for made, _ in pipeline.uploads.values()))


def missing(pipeline: Pipeline) -> None:
    recorded(pipeline, *((f"{number}.png", content) for number, content in enumerate(CONTENTS)))
    (gone,) = pipeline.upload(("gone.png", LUNCH))
    pipeline.delete(gone.version)


def recorded_and_gone(pipeline: Pipeline) -> None:
    """The entry is in the month after the upload, behind a page of others."""
    for number in range(2):
        pipeline.upload(*((f"{number}.png", content) for content in CONTENTS))
    (gone,) = pipeline.upload(("gone.png", LUNCH))
    pipeline.wait(timedelta(minutes=15))
    pipeline.drain()
    pipeline.delete(gone.version)
    pipeline.send(gone)


def batch(pipeline: Pipeline) -> None:
    for key, content in (("a.png", LUNCH), ("b.txt", NOTE), ("c.pdf", TAXI)):
        pipeline.upload((key, content))


READ_AND_WRITE: Final = ("GetObject", "PutItem")
SCENARIOS: Final = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            name="new receipt", prepare=lambda world: world.upload(("a.png", LUNCH)), least=READ_AND_WRITE
        ),
        Scenario(name="duplicate", prepare=duplicate, least=(*READ_AND_WRITE, "HeadObject", "PutItem")),
        Scenario(
            name="restoring", prepare=restoring, least=(*READ_AND_WRITE, "HeadObject", "Query", "PutItem")
        ),
        Scenario(name="restored", prepare=restored, least=(*READ_AND_WRITE, *("HeadObject",) * 2, "PutItem")),
        Scenario(name="redelivered", prepare=redelivered, least=(*READ_AND_WRITE, *READ_AND_WRITE)),
        *(
            Scenario(
                name=f"rejected: {content.reason}, {content.media_type}",
                prepare=lambda world, content=content: world.upload(("a", content)),  # type: ignore[misc]
                least=READ_AND_WRITE,
            )
            for content in (NOTE, PHOTO, NOTHING, SCAN)
        ),
        Scenario(name="missing", prepare=missing, least=("GetObject", "Query", "GetObject", "PutItem")),
        Scenario(name="recorded and gone", prepare=recorded_and_gone, least=("GetObject", "Query")),
        Scenario(
            name="several records in a message",
            prepare=lambda world: world.upload(("a.png", LUNCH), ("b.txt", NOTE), ("c.pdf", TAXI)),
            least=READ_AND_WRITE * 3,
        ),
        Scenario(name="several messages in a batch", prepare=batch, least=READ_AND_WRITE * 3),
        Scenario(
            name="same bytes twice in a message",
            prepare=lambda world: world.upload(("a.png", LUNCH), ("b.png", LUNCH)),
            least=(*READ_AND_WRITE, *READ_AND_WRITE, "PutItem"),
            is_race=True,
        ),
    )
}


@pytest.fixture(scope="module")
def line() -> Iterator[Line]:
    with processor_on_line() as line:
        yield line


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test every call, or every operation, of every scenario, and every fault that can befall it."""
    wanted = {"call", "operation"} & set(metafunc.fixturenames)
    if not wanted:
        return
    with processor_on_line() as line:
        calls = {name: scenario.run(line).calls for name, scenario in SCENARIOS.items()}
    points: Iterable[tuple[str, int | str, str]]
    if wanted == {"call"}:
        points = ((name, number, each) for name, made in calls.items() for number, each in enumerate(made))
    else:
        points = ((name, each, each) for name, made in calls.items() for each in sorted(set(made)))
    metafunc.parametrize(
        ("scenario", *wanted, "fault"),
        [
            pytest.param(SCENARIOS[name], point, fault, id=f"{name}-{point} {operation}-{fault}")
            for name, point, operation in points
            for fault in Fault
            if fault.befalls(operation)
        ],
    )


def test_after_redelivery_the_ledger_is_as_without_the_fault(
    scenario: Scenario, call: int, fault: Fault, line: Line
) -> None:
    expected = without_fault(scenario, line)

    pipeline = scenario.run(line, {call: fault})

    assert pipeline.faults_met == {fault: 1}
    assert_same_ledger(pipeline, expected, scenario)


def test_after_an_outage_of_an_operation_the_ledger_is_as_without_it(
    scenario: Scenario, operation: str, fault: Fault, line: Line
) -> None:
    expected = without_fault(scenario, line)
    pipeline = Pipeline(line)
    scenario.prepare(pipeline)

    pipeline.outages[operation] = fault
    for _ in range(2):
        pipeline.deliver(pipeline.visible())
        pipeline.wait(VISIBILITY_TIMEOUT)
    pipeline.outages.clear()
    pipeline.drain()

    assert_same_ledger(pipeline, expected, scenario)


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_discovery_finds_the_calls_that_there_must_be(scenario: Scenario, line: Line) -> None:
    calls = iter(scenario.run(line).calls)

    assert [call for call in scenario.least if call in calls] == [*scenario.least]


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        ("new receipt", [Outcome.ACCEPTED]),
        ("duplicate", [Outcome.ACCEPTED, Outcome.DUPLICATE]),
        ("restoring", [Outcome.ACCEPTED, Outcome.DUPLICATE, Outcome.DUPLICATE]),
        ("redelivered", [Outcome.ACCEPTED, Outcome.DUPLICATE]),
        ("same bytes twice in a message", [Outcome.ACCEPTED, Outcome.DUPLICATE]),
    ],
)
def test_a_scenario_without_a_fault_ends_as_its_name_says(
    scenario: str, expected: list[Outcome], line: Line
) -> None:
    assert outcomes(SCENARIOS[scenario].run(line)) == expected


@pytest.mark.parametrize(("scenario", "is_missing"), [("missing", True), ("recorded and gone", False)])
def test_only_what_has_no_entry_is_missing(scenario: str, is_missing: bool, line: Line) -> None:
    reasons = {entry.reason for entry in SCENARIOS[scenario].run(line).entries()}

    assert (Reason.OBJECT_MISSING in reasons) is is_missing


def assert_same_ledger(pipeline: Pipeline, expected: Pipeline, scenario: Scenario) -> None:
    assert wrongs(pipeline, {}) == losses(pipeline) == []
    assert pipeline.dead() == []
    if scenario.is_race:
        assert outcomes(pipeline) == outcomes(expected)
        assert pipeline.recorded() == expected.recorded()
    else:
        assert ledger(pipeline) == ledger(expected)


@cache
def without_fault(scenario: Scenario, line: Line) -> Pipeline:
    return scenario.run(line)


def ledger(pipeline: Pipeline) -> list[Entry]:
    """The ledger in an order of its own, without the times at which entries were recorded."""
    at = datetime(2026, 11, 30, tzinfo=UTC)
    entries = [replace(entry, recorded_at=at) for entry in pipeline.entries()]
    return sorted(entries, key=lambda entry: entry.upload.version.object_id)


def outcomes(pipeline: Pipeline) -> list[Outcome]:
    return sorted(entry.outcome for entry in pipeline.entries())
