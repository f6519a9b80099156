"""The program uses the names of its partition: AWS, China or GovCloud."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest

from tests.components.mocks import PARTITIONS, Graph, Place
from tests.components.programs import deployed

LOGS_PRINCIPAL = re.compile(r"logs\.[a-z0-9-]+\.amazonaws.*")


@pytest.fixture(params=list(PARTITIONS.values()), ids=list(PARTITIONS))
def place(request: pytest.FixtureRequest) -> Place:
    place: Place = request.param
    return place


@pytest.fixture
def graph(place: Place) -> Graph:
    """A stack with every policy that there can be."""
    return deployed(
        "prod",
        place=place,
        encryption="customer-key",
        formerKeyArns=json.dumps([place.arn("kms", "key/former")]),
        objectLockDays="30",
        alarmEmail="on-call@example.com",
    )


def documents(graph: Graph) -> Iterator[tuple[str, dict[str, Any]]]:
    """The policies of resources, and those that the stack exports for people."""
    yield from ((resource.name, document) for resource, _, document in graph.policies())
    for name, value in graph.exports.items():
        if name.endswith("_policy"):
            yield name, json.loads(value)


def texts(value: Any) -> Iterator[str]:
    """Every text in a value, keys of objects too, with JSON in texts taken apart."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts(item)
    elif isinstance(value, str):
        if value.startswith(("{", "[")):
            yield from texts(json.loads(value))
        else:
            yield value


def test_the_tests_know_the_partitions_by_their_dns_suffixes() -> None:
    known = botocore.session.get_session().get_data("partitions")["partitions"]
    suffixes = {partition["id"]: partition["outputs"]["dnsSuffix"] for partition in known}
    assert {id_: place.dns_suffix for id_, place in PARTITIONS.items()} == {
        id_: suffixes[id_] for id_ in PARTITIONS
    }


def test_keys_are_used_through_services_by_their_names_in_the_partition(graph: Graph, place: Place) -> None:
    used = [
        (name, service)
        for name, document in documents(graph)
        for statement in document["Statement"]
        for service in statement.get("Condition", {}).get("StringEquals", {}).get("kms:ViaService", [])
    ]
    assert {
        "bill-e-encryption-key",
        "bill-e-ingest-processor-policy",
        "caller_policy",
        "auditor_policy",
        "operator_policy",
    } <= {name for name, _ in used}
    ends = (f".{place.region}.{place.dns_suffix}",)
    assert [(name, service) for name, service in used if not service.endswith(ends)] == []


def test_logs_have_a_principal_of_the_partition_and_other_services_the_same_everywhere(
    graph: Graph, place: Place
) -> None:
    principals = {
        statement["Principal"]["Service"]
        for _, document in documents(graph)
        for statement in document["Statement"]
        if "Service" in statement.get("Principal", {})
    }
    logs = {principal for principal in principals if LOGS_PRINCIPAL.fullmatch(principal)}
    assert logs == {f"logs.{place.region}.{place.dns_suffix}"}
    assert principals - logs == {
        f"{service}.amazonaws.com" for service in ("cloudwatch", "lambda", "logging.s3", "s3")
    }


def test_every_arn_is_of_the_partition_or_of_any(graph: Graph, place: Place) -> None:
    everything = [
        text
        for resource in graph.resources
        for text in texts({key: value for key, value in resource.inputs.items() if key != "code"})
    ]
    arns = [text for text in [*everything, *texts(graph.exports)] if text.startswith("arn:")]
    assert len(arns) > 50
    assert {arn.split(":")[1] for arn in arns} == {place.partition, "*"}
