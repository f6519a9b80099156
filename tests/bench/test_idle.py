"""What an idle stack costs: what is counted, how it is priced, and what docs/costs.md says about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from bench.measures import idle
from bench.measures.idle import CUSTOMER_KEY, DEFAULTS, ESSENTIAL, Idle
from bench.prices import PRICES
from bench.results import Count
from tests.components.mocks import REPOSITORY
from tests.components.programs import graph_of


@pytest.fixture(scope="module")
def stacks() -> Mapping[str, Idle]:
    return idle.idle_stacks()


def test_page_says_what_is_computed(stacks: Mapping[str, Idle]) -> None:
    default, essential = stacks[DEFAULTS], stacks[ESSENTIAL]
    lines = (REPOSITORY / "docs" / "costs.md").read_text(encoding="utf-8").splitlines()
    (line,) = (line for line in lines if line.startswith("An idle stack costs about "))

    assert re.findall(r"\$(\d+\.\d\d)", line) == [
        f"{default.dollars():.2f}",
        f"{essential.dollars():.2f}",
        f"{default.metrics_dollars():.2f}",
    ]
    things = default.things
    assert (
        f"{things['alarm_metric']} alarms, {things['dashboard']} dashboard, {things['kms_key']} KMS keys,"
        in line
    )
    (line,) = (line for line in lines if "the sealer in it, for" in line)
    assert default.log
    assert essential.log
    assert re.findall(r"\$(\d+\.\d\d)", line) == [
        f"{default.log.dollars():.2f}",
        f"{essential.log.dollars():.2f}",
    ]


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_stack_of_a_file_is_counted_as_its_settings_say(stack: str, stacks: Mapping[str, Idle]) -> None:
    registered = graph_of(stack)

    assert stacks[f"`Pulumi.{stack}.yaml`"].things == {
        thing: len(registered.of_type(type_)) for type_, thing in idle.PRICED.items()
    }


def test_each_alarm_is_paid_for_as_one_metric_of_standard_resolution() -> None:
    for alarm in graph_of("prod").of_type("aws:cloudwatch/metricAlarm:MetricAlarm"):
        assert alarm.inputs["metricName"]
        assert alarm.inputs["period"] >= 60


def test_settings_change_what_is_paid_for(stacks: Mapping[str, Idle]) -> None:
    assert stacks[ESSENTIAL].things["alarm_metric"] < stacks[DEFAULTS].things["alarm_metric"]
    assert stacks[CUSTOMER_KEY].things["kms_key"] == stacks[DEFAULTS].things["kms_key"] + 1


def test_what_an_idle_stack_has_is_priced_by_the_month(monkeypatch: pytest.MonkeyPatch) -> None:
    by_month = {"alarm_metric": 0.10, "dashboard": 3.00, "custom_metric": 0.30, "kms_key": 1.00}
    by_million = {"sqs_request": 0.40, "lambda_request": 0.20, "xray_trace": 5.00, "s3_get": 0.40}
    by_million["dynamodb_read_unit"] = 0.10
    prices = replace(PRICES, per_million=by_million, gigabyte_second=0.00001, per_month=by_month)
    monkeypatch.setattr(idle, "PRICES", prices)
    stack = Idle(
        things={"alarm_metric": 17, "dashboard": 1, "kms_key": 1},
        polls=648_000,
        reconciliations=1_000,
        sealings=10_000,
        idle_metrics=2.5,
        custom_metrics=9,
        unknown=[],
    )

    assert stack.dollars() == pytest.approx(1.70 + 3.00 + 1.00 + 0.2592 + 0.0176 + 0.074 + 0.75)
    assert stack.metrics_dollars() == pytest.approx(2.70)


def test_resource_that_the_price_list_lacks_fails_the_bench(monkeypatch: pytest.MonkeyPatch) -> None:
    unused: Any = None
    monkeypatch.setattr(idle, "FREE", idle.FREE | {"sns": ""})

    *_, count = idle.measure(unused, unused)

    assert isinstance(count, Count)
    assert not count.holds
    assert count.actual == "aws:sns/topic:Topic, aws:sns/topicPolicy:TopicPolicy"
