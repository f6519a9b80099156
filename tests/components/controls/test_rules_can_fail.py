"""No control holds because it doesn't look: each one fails on every graph in which something breaks it."""

from __future__ import annotations

import pytest

from tests.components.controls import (
    test_api_gateway,
    test_dynamodb,
    test_iam,
    test_kms,
    test_lambda,
    test_monitoring,
    test_s3,
    test_sqs,
    test_unused_services,
)
from tests.components.controls.rules import BREAKS, Rule, holds, marks
from tests.components.programs import graph_of
from tests.components.sabotage import Sabotage

MODULES = (
    *(test_api_gateway, test_dynamodb, test_iam, test_kms, test_lambda, test_monitoring, test_s3, test_sqs),
    test_unused_services,
)


@pytest.mark.parametrize(
    ("rule", "over", "sabotage"),
    [pytest.param(*each, id=f"{each[0].__name__}: {each[2].label}") for each in BREAKS],
)
def test_rule_fails_on_every_graph_that_breaks_it(
    rule: Rule, over: tuple[str, ...], sabotage: Sabotage
) -> None:
    broken = [
        (f"{name}: {place}", graph) for name in over for place, graph in sabotage.damage(graph_of(name))
    ]
    assert broken, "no graph has what is to be damaged"
    assert [place for place, graph in broken if holds(rule, graph)] == []


def test_every_control_is_shown_to_fail() -> None:
    shown = {rule.__name__ for rule, _, _ in BREAKS}
    controls = {
        name
        for module in MODULES
        for name, function in vars(module).items()
        if name.startswith("test_") and any(mark.name == "claim" for mark in marks(function))
    }
    assert controls
    assert controls == shown
