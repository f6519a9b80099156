"""What Pulumi refuses to delete while `protectData` is on, and what it never deletes."""

from __future__ import annotations

import pytest

from tests.components.controls.rules import (
    API,
    AUTHORIZER,
    BUCKET_CORS,
    FUNCTION,
    KEY,
    KEY_ALIAS,
    PERMISSION,
    ROLE,
    ROLE_POLICY,
    ROUTE,
    STAGE,
    TOPIC,
    TOPIC_POLICY,
    is_for_signing,
    keys,
)
from tests.components.mocks import Graph
from tests.components.programs import deployed, graph_of
from tests.protected_types import GUARD_DATA, HOLD_DATA

CAN_BE_MADE_AGAIN = {
    *(API, AUTHORIZER, ROUTE, STAGE, "aws:apigatewayv2/integration:Integration"),
    *(FUNCTION, PERMISSION, "aws:lambda/eventSourceMapping:EventSourceMapping"),
    *("aws:lambda/layerVersion:LayerVersion", ROLE, ROLE_POLICY),
    *("aws:cloudwatch/eventRule:EventRule", "aws:cloudwatch/eventTarget:EventTarget"),
    *("aws:cloudwatch/dashboard:Dashboard", "aws:cloudwatch/metricAlarm:MetricAlarm"),
    *(TOPIC, TOPIC_POLICY, "aws:sns/topicSubscription:TopicSubscription"),
    # Who may upload from a web page: without it, only they can't.
    BUCKET_CORS,
    # The customer's key is never deleted, protected or not. The alarm topic's own key encrypts messages that
    # SNS delivers at once and doesn't keep. The key that signs the log is protected.
    *(KEY, KEY_ALIAS),
}

PROTECTED = ("prod", "customer key", "jwt", "two of each")
UNPROTECTED = ("dev", "local")


@pytest.mark.parametrize("name", [*PROTECTED, *UNPROTECTED])
def test_every_type_is_known_to_hold_data_to_guard_data_or_to_do_neither(name: str) -> None:
    types = {resource.type for resource in graph_of(name).resources if resource.custom}
    assert types <= HOLD_DATA | GUARD_DATA | CAN_BE_MADE_AGAIN


@pytest.mark.claim(
    "with `protectData` (the default), Pulumi deletes nothing that holds or guards data: buckets, "
    "queues, tables, log groups and the key that signs the log, and their policies, versioning, "
    "encryption, Object Lock and notification",
    control="Deletion protection",
    requires="no deletion by accident",
)
@pytest.mark.parametrize("name", PROTECTED)
def test_what_holds_or_guards_data_is_protected_and_nothing_else(name: str) -> None:
    resources = [resource for resource in graph_of(name).resources if resource.custom]
    wrong = [
        each.name
        for each in resources
        if each.protect != (each.type in HOLD_DATA | GUARD_DATA or is_for_signing(each))
    ]
    assert wrong == []


@pytest.mark.parametrize("protect", ["true", "false"])
def test_the_customer_s_key_stays_and_nothing_else_does(protect: str) -> None:
    graph = deployed("dev", protectData=protect, encryption="customer-key")
    assert retained(graph) == keys(graph, for_data=True) != set()


def test_a_stack_without_a_customer_s_key_leaves_nothing_behind(dev: Graph) -> None:
    assert retained(dev) == set()


def retained(graph: Graph) -> set[str]:
    return {resource.outputs["arn"] for resource in graph.resources if resource.retain_on_delete}
