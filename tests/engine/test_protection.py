"""`protectData`: what no way to destroy a stack gets at, and how a stack is given up on purpose."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from local import provider
from tests.engine.stacks import DATA_TYPES, Engine, Stack
from tests.protected_types import GUARD_DATA, HOLD_DATA


@pytest.fixture(scope="module")
def stack(new_engine: Callable[..., Engine]) -> Stack:
    return new_engine().stack("protected", {"protectData": True, "objectLockDays": 1})


@pytest.mark.parametrize("flags", [[], ["--skip-preview"], ["--exclude-protected"], ["--target"]], ids=str)
def test_destroy_gets_at_nothing_that_holds_or_guards_data(stack: Stack, flags: list[str]) -> None:
    assert stack.up().code == 0
    before = _guarded(stack)
    assert {type_ for type_, _, _ in before} >= HOLD_DATA | GUARD_DATA
    targets = [f"--target={urn}" for _, _, urn in before] if "--target" in flags else flags

    destroyed = stack.destroy(*targets)

    assert _guarded(stack) == before, destroyed.text


def test_unprotected_stack_is_destroyed_and_leaves_an_empty_account(stack: Stack) -> None:
    assert stack.up().code == 0
    stack.configure(protectData=False, objectLockDays=1)

    unprotected = stack.up()
    assert unprotected.code == 0, unprotected.text
    gone = stack.destroy()

    assert gone.code == 0, gone.text
    assert not any(provider.inventory(stack.engine.aws).values())


def _guarded(stack: Stack) -> set[tuple[str, str, str]]:
    """Type, id and URN of all that holds or guards data."""
    return {
        (resource["type"], resource["id"], resource["urn"])
        for resource in stack.resources()
        if resource["type"] in DATA_TYPES | GUARD_DATA and "alarms-key" not in resource["urn"]
    }
