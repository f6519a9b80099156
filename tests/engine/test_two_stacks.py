"""Stacks in one account and region don't interfere, even if two have the same name."""

from __future__ import annotations

from collections.abc import Callable

from tests.engine.stacks import Engine, Stack
from tests.local.account import inventory


def test_stacks_of_one_account_do_not_touch_each_other(new_engine: Callable[..., Engine]) -> None:
    one, namesake = new_engine().stack("local"), new_engine().stack("local")
    other = one.engine.stack("other")
    stacks = [one, namesake, other]

    for stack in stacks:
        made = stack.up()
        assert made.code == 0, made.text

    assert _shared(one, namesake) == set()
    assert _shared(one, other) == set()
    assert all(len(names) == len(set(names)) for names in inventory(one.engine.aws).values())
    assert namesake.destroy().code == 0

    for stack in (one, other):
        untouched = stack.refresh("--expect-no-changes")
        assert untouched.code == 0, untouched.text
        assert stack.destroy().code == 0
    assert not any(inventory(one.engine.aws).values())


def _shared(one: Stack, other: Stack) -> set[str]:
    return _ids(one) & _ids(other)


def _ids(stack: Stack) -> set[str]:
    """The type and id of each of a stack's resources, except stages: every API names its stage `$default`."""
    return {
        f"{resource['type']} {resource['id']}"
        for resource in stack.resources()
        if resource["type"].startswith("aws:") and resource["id"] != "$default"
    }
