"""`docs/changes.md` is what the engine does, and no change of a setting loses data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from components import StackSettings
from tests.engine.changes import BASES, CASES, PAGE, Effect, effects, page
from tests.engine.stacks import DATA_TYPES, Engine, physical_ids
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


@pytest.mark.parametrize("base", ["plain", "jwt", "full"])
def test_update_does_what_the_page_says(
    found: list[Effect], new_engine: Callable[..., Engine], base: str
) -> None:
    """All settings at once that can be changed together: what changes is the sum of their rows."""
    together: dict[str, Effect] = {}
    for effect in found:
        if effect.case.base == base and not effect.refused and effect.case.setting not in ONE_WAY:
            together.setdefault(effect.case.setting, effect)
    stack = new_engine().stack(f"together-{base}", BASES[base])
    assert stack.up().code == 0
    before = physical_ids(stack.resources(), DATA_TYPES)
    changes: dict[str, object] = dict(BASES[base])
    for effect in together.values():
        changes |= {**effect.case.with_it, effect.case.setting: effect.case.to}
    stack.configure(**changes)

    updated = stack.up()

    assert updated.code == 0, updated.text
    assert {step.name for step in updated.changes()} == {
        step.name for effect in together.values() for step in effect.steps
    }
    after = physical_ids(stack.resources(), DATA_TYPES)
    assert before.items() <= after.items()
    assert stack.up("--expect-no-changes").code == 0


ONE_WAY = {"apiAuth", "encryption", "alarms"}
"""What makes or removes resources that other settings would change: each is shown by its own row."""
