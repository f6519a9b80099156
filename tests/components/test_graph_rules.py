"""Rules that hold for every resource of every program, stated once."""

from __future__ import annotations

import inspect
import json
from collections import Counter
from typing import Any

import pulumi_aws as aws

from tests.components.mocks import Graph


def test_no_two_resources_share_a_name(graph: Graph) -> None:
    names = Counter((resource.type, resource.name) for resource in graph.resources)
    assert [name for name, count in names.items() if count > 1] == []


def test_every_resource_has_a_component_as_parent_and_is_named_after_it(graph: Graph) -> None:
    components = {resource.urn: resource for resource in graph.resources if resource.is_component}
    strays = [
        resource.name
        for resource in graph.resources
        if resource.custom
        and (
            resource.parent not in components
            or not resource.name.startswith(f"{components[resource.parent].name}-")
        )
    ]
    assert strays == []


def test_every_component_registers_its_outputs(graph: Graph) -> None:
    components = {resource.urn for resource in graph.resources if resource.is_component}
    assert components <= graph.with_outputs


def test_every_taggable_resource_is_tagged(graph: Graph) -> None:
    def is_taggable(type_: str) -> bool:
        module, name = type_.removeprefix("aws:").split("/")[0], type_.split(":")[-1]
        args = getattr(getattr(aws, {"lambda": "lambda_"}.get(module, module)), f"{name}Args")
        return "tags" in inspect.signature(args).parameters

    aws_resources = [resource for resource in graph.resources if resource.custom]
    assert sum(is_taggable(resource.type) for resource in aws_resources) >= 10
    untagged = [r.name for r in aws_resources if is_taggable(r.type) and not r.inputs.get("tags")]
    assert untagged == []


def test_pulumi_names_everything_but_the_default_stage_and_the_layer(graph: Graph) -> None:
    named = {
        (resource.type.split(":")[-1], resource.inputs["name"])
        for resource in graph.resources
        if "name" in resource.inputs
    }
    assert named == {("Stage", "$default")}
    assert not any("bucket" in bucket.inputs for bucket in graph.of_type("aws:s3/bucket:Bucket"))


def test_no_property_holds_the_text_of_an_unresolved_output(graph: Graph) -> None:
    assert [r.name for r in graph.resources if "Calling __str__" in json.dumps(r.inputs, default=str)] == []


def test_no_policy_holds_a_null(graph: Graph) -> None:
    def holds_null(value: Any) -> bool:
        if isinstance(value, dict):
            return any(map(holds_null, value.values()))
        if isinstance(value, list):
            return any(map(holds_null, value))
        return value is None or value == "None" or value == ""

    documents = list(graph.policies())
    assert len(documents) >= 9
    assert [resource.name for resource, _, document in documents if holds_null(document)] == []


def test_every_statement_has_a_sid_of_its_own(graph: Graph) -> None:
    for resource, _, document in graph.policies():
        sids = [statement["Sid"] for statement in document["Statement"]]
        assert all(sids), resource.name
        assert len(set(sids)) == len(sids), resource.name


def test_every_function_waits_for_its_policy_and_a_log_group_with_retention(graph: Graph) -> None:
    groups = {group.outputs["name"]: group for group in graph.of_type("aws:cloudwatch/logGroup:LogGroup")}
    for function in graph.of_type("aws:lambda/function:Function"):
        stem = function.name.removesuffix("-function")
        group = groups[function.inputs["loggingConfig"]["logGroup"]]
        assert group.inputs["retentionInDays"] > 0
        assert {group.name, f"{stem}-policy"} <= graph.waits_for(function)


def test_every_function_may_write_its_own_log_group_only(graph: Graph) -> None:
    groups = {
        group.outputs["name"]: group.outputs["arn"]
        for group in graph.of_type("aws:cloudwatch/logGroup:LogGroup")
    }
    for function in graph.of_type("aws:lambda/function:Function"):
        logs = graph.statements(f"{function.name.removesuffix('-function')}-policy")["WriteOwnLogs"]
        assert logs["Resource"] == groups[function.inputs["loggingConfig"]["logGroup"]] + ":*"
        assert "logs:CreateLogGroup" not in logs["Action"]


def test_every_function_runs_on_arm64(graph: Graph) -> None:
    for function in graph.of_type("aws:lambda/function:Function"):
        assert function.inputs["architectures"] == ["arm64"]
