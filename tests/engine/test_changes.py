"""`docs/changes.md` says what the engine does, and no change of a setting loses data."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from components.settings import StackSettings
from tests.engine.changes import BASES, CASES, PAGE, Effect, effects, page
from tests.engine.stacks import DATA_TYPES, Engine, Step, physical_ids
from tests.protected_types import GUARD_DATA


@pytest.fixture(scope="module")
def found(pulumi: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Effect]:
    assert pulumi
    return list(effects(tmp_path_factory.mktemp("changes")))


def test_page_is_what_the_engine_plans(found: list[Effect]) -> None:
    assert PAGE.read_text() == page(found), "docs/changes.md: run make changes"


def test_every_setting_is_on_the_page() -> None:
    assert {case.setting for case in CASES} == set(StackSettings.names())


def test_no_change_of_a_setting_replaces_or_deletes_what_holds_data(found: list[Effect]) -> None:
    harmful = [
        (effect.case, step)
        for effect in found
        for step in effect.operations("delete", "replace")
        if step.type in DATA_TYPES | GUARD_DATA and not step.retained and not effect.refused
    ]
    assert harmful == []


@pytest.mark.parametrize("base", BASES)
def test_update_does_what_the_page_says(
    found: list[Effect], new_engine: Callable[..., Engine], base: str
) -> None:
    """Every change that isn't refused is applied: those that can be made together, at once."""
    allowed = [effect for effect in found if effect.case.base == base and not effect.refused]
    alone = [[effect] for effect in allowed if effect.case.setting in ONE_WAY]
    together = [effect for effect in allowed if effect.case.setting not in ONE_WAY]
    assert len({effect.case.setting for effect in together}) == len(together)
    stack = new_engine().stack(f"changed-{base}", BASES[base])

    for group in filter(None, [*alone, together]):
        stack.configure(**BASES[base])
        deployed = stack.up()
        assert deployed.code == 0, deployed.text
        before = physical_ids(stack.resources(), DATA_TYPES)
        changes: dict[str, object] = dict(BASES[base])
        for effect in group:
            changes |= {**effect.case.with_it, effect.case.setting: effect.case.to}
        stack.configure(**changes)

        updated = stack.up()

        assert updated.code == 0, updated.text
        planned = [step for effect in group for step in effect.steps]
        assert _merged(updated.changes()) == _merged(planned), [effect.case for effect in group]
        left = {step.name for step in planned if step.retained}
        kept = {name: id_ for name, id_ in before.items() if name not in left}
        assert kept.items() <= physical_ids(stack.resources(), DATA_TYPES).items()

    unchanged = stack.up("--expect-no-changes")
    assert unchanged.code == 0, unchanged.text


def _merged(steps: Iterable[Step]) -> dict[tuple[str, str], set[str]]:
    """What changes by operation and resource; of a resource that several settings change, all of it."""
    merged: dict[tuple[str, str], set[str]] = {}
    for step in steps:
        merged.setdefault((step.operation, step.name), set()).update(step.changed)
    return merged


ONE_WAY = {"apiAuth", "encryption", "alarms"}
"""What makes or removes resources that other settings would change: each is changed alone."""
