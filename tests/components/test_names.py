"""Two stacks with the same name, from two state folders, don't interfere in one account and region."""

from __future__ import annotations

import functools
import json
from dataclasses import replace

import pytest

from tests.components.mocks import HERE, Graph, run, stack_config
from tests.components.programs import deployed, graph_of, main_program

OWN_SCOPE = {
    # The default stage of an API is named within that API.
    "aws:apigatewayv2/stage:Stage"
}


@functools.cache
def graph_with(digits: str, stack: str = "prod") -> Graph:
    """A stack with everything in it, whose resources' random names end in these digits."""
    return deployed(
        stack,
        place=replace(HERE, digits=digits),
        encryption="customer-key",
        objectLockDays="30",
        alarmEmail="on-call@example.com",
        allowedOrigins='["https://receipts.example.com"]',
    )


def physical_names(graph: Graph) -> set[tuple[str, str]]:
    return {(each.type, each.id) for each in graph.resources if each.custom and each.type not in OWN_SCOPE}


def metrics(graph: Graph) -> set[str]:
    """The metrics that the processor writes and the dashboard shows, by namespace, name and dimensions."""
    body = json.loads(graph.only("aws:cloudwatch/dashboard:Dashboard").inputs["dashboardBody"])
    shown = [line for widget in body["widgets"] for line in widget["properties"].get("metrics", [])]
    return {json.dumps(line[:-1]) for line in shown if line[0] == "Bill-E"}


def processor_dimension(graph: Graph) -> str:
    function = graph.named("bill-e-ingest-processor-function")
    return str(function.inputs["environment"]["variables"]["STACK_NAME"])


def test_two_stacks_of_one_name_share_no_physical_name() -> None:
    one, other = graph_with("0a1b2c3"), graph_with("9f8e7d6")
    assert len(physical_names(one)) == len(physical_names(other)) > 60
    assert physical_names(one) & physical_names(other) == set()


def test_two_stacks_of_one_name_share_no_metric() -> None:
    one, other = graph_with("0a1b2c3"), graph_with("9f8e7d6")
    assert metrics(one)
    assert metrics(one) & metrics(other) == set()
    assert processor_dimension(one) != processor_dimension(other)


@pytest.mark.parametrize("stack", ["prod", "dev"])
def test_an_instance_is_named_after_its_stack(stack: str) -> None:
    graph = graph_with("0a1b2c3", stack)
    assert processor_dimension(graph).startswith(f"{stack}-")
    assert any(stack in metric for metric in metrics(graph))


@pytest.mark.parametrize(
    ("setting", "value"),
    [("encryption", "customer-key"), ("alarmEmail", "on-call@example.com"), ("alarms", "essential")],
)
def test_no_change_of_a_setting_gives_an_instance_another_name(setting: str, value: str) -> None:
    changed = run(main_program, stack_config("prod") | {f"bill-e:{setting}": value}, "prod")
    assert processor_dimension(changed) == processor_dimension(graph_of("prod"))
