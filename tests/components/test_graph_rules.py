"""Rules that hold for every resource of every program, stated once."""

from __future__ import annotations

import inspect
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pulumi_aws as aws

from tests.components.mocks import Graph, Registered

XRAY_WRITES = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def allowed(graph: Graph) -> Iterator[tuple[Registered, dict[str, Any]]]:
    for resource, _, document in graph.policies():
        for statement in document["Statement"]:
            if statement["Effect"] == "Allow":
                yield resource, statement


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


def test_no_allowed_action_has_a_wildcard(graph: Graph) -> None:
    actions = [(r.name, action) for r, statement in allowed(graph) for action in as_list(statement["Action"])]
    assert [found for found in actions if "*" in found[1]] == []


def test_only_traces_are_allowed_on_every_resource(graph: Graph) -> None:
    everywhere = [
        as_list(statement["Action"])
        for _, statement in allowed(graph)
        if "*" in as_list(statement.get("Resource", []))
    ]
    assert everywhere
    assert all(actions == XRAY_WRITES for actions in everywhere)


def test_nobody_outside_is_allowed_anything(graph: Graph) -> None:
    principals = [statement["Principal"] for _, statement in allowed(graph) if "Principal" in statement]
    assert principals
    assert all(set(principal) == {"Service"} for principal in principals)


def test_every_function_has_a_role_of_its_own(graph: Graph) -> None:
    functions = graph.of_type("aws:lambda/function:Function")
    roles = [function.inputs["role"] for function in functions]
    assert len(set(roles)) == len(functions) == len(graph.of_type("aws:iam/role:Role"))


def test_only_lambda_can_take_a_role(graph: Graph) -> None:
    for role in graph.of_type("aws:iam/role:Role"):
        (statement,) = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
        assert statement["Principal"] == {"Service": "lambda.amazonaws.com"}
        assert statement["Action"] == "sts:AssumeRole"


def test_roles_have_no_policies_but_their_own(graph: Graph) -> None:
    policies = graph.of_type("aws:iam/rolePolicy:RolePolicy")
    roles = graph.of_type("aws:iam/role:Role")
    assert sorted(policy.inputs["role"] for policy in policies) == sorted(
        role.outputs["name"] for role in roles
    )
    assert not any({"managedPolicyArns", "inlinePolicies"} & set(role.inputs) for role in roles)


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


def test_every_log_group_has_a_retention(graph: Graph) -> None:
    assert all(g.inputs["retentionInDays"] >= 1 for g in graph.of_type("aws:cloudwatch/logGroup:LogGroup"))


def test_every_function_says_its_memory_timeout_platform_and_tracing(graph: Graph) -> None:
    for function in graph.of_type("aws:lambda/function:Function"):
        assert function.inputs["memorySize"] >= 128
        assert 1 <= function.inputs["timeout"] <= 900
        assert function.inputs["architectures"] == ["arm64"]
        assert function.inputs["tracingConfig"] == {"mode": "Active"}
        assert function.inputs["loggingConfig"]["logFormat"] == "JSON"


def test_every_bucket_is_private_versioned_encrypted_and_without_acls(graph: Graph) -> None:
    def of_bucket(type_: str, bucket: Registered) -> dict[str, Any]:
        (found,) = (r for r in graph.of_type(type_) if r.inputs["bucket"] == bucket.outputs["bucket"])
        return found.inputs

    for bucket in graph.of_type("aws:s3/bucket:Bucket"):
        access = of_bucket("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", bucket)
        versioning = of_bucket("aws:s3/bucketVersioning:BucketVersioning", bucket)
        ownership = of_bucket("aws:s3/bucketOwnershipControls:BucketOwnershipControls", bucket)
        encryption = of_bucket(
            "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration", bucket
        )
        assert {access[flag] for flag in access if flag != "bucket"} == {True}
        assert len(access) == 5
        assert versioning["versioningConfiguration"]["status"] == "Enabled"
        assert ownership["rule"]["objectOwnership"] == "BucketOwnerEnforced"
        assert encryption["rules"][0]["applyServerSideEncryptionByDefault"]["sseAlgorithm"] == "AES256"


def test_every_bucket_and_queue_is_closed_to_plain_http(graph: Graph) -> None:
    denied = {
        resource_arn: statement
        for _, _, document in graph.policies()
        for statement in document["Statement"]
        if statement["Effect"] == "Deny"
        for resource_arn in as_list(statement["Resource"])
    }
    for type_, action in (("aws:s3/bucket:Bucket", "s3:*"), ("aws:sqs/queue:Queue", "sqs:*")):
        for resource in graph.of_type(type_):
            statement = denied[resource.outputs["arn"]]
            assert statement["Principal"] == "*"
            assert statement["Action"] == action
            assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert all(f"{bucket.outputs['arn']}/*" in denied for bucket in graph.of_type("aws:s3/bucket:Bucket"))


def test_every_queue_and_table_is_encrypted(graph: Graph) -> None:
    assert all(queue.inputs["sqsManagedSseEnabled"] for queue in graph.of_type("aws:sqs/queue:Queue"))
    tables = graph.of_type("aws:dynamodb/table:Table")
    assert all(table.inputs["serverSideEncryption"]["enabled"] for table in tables)


def test_every_route_is_explicit_and_authorized(graph: Graph) -> None:
    for route in graph.of_type("aws:apigatewayv2/route:Route"):
        assert route.inputs["routeKey"].split(" ")[0] in {"GET", "POST"}
        assert route.inputs["authorizationType"] in {"AWS_IAM", "JWT"}


def test_only_the_routes_of_an_api_may_call_its_functions(graph: Graph) -> None:
    apis = {api.outputs["executionArn"] for api in graph.of_type("aws:apigatewayv2/api:Api")}
    routes = {
        f"{api}/*/{route.inputs['routeKey'].replace(' ', '')}"
        for route in graph.of_type("aws:apigatewayv2/route:Route")
        for api in apis
        if api.endswith(route.inputs["apiId"])
    }
    permissions = graph.of_type("aws:lambda/permission:Permission")
    assert {permission.inputs["sourceArn"] for permission in permissions} == routes
    assert {permission.inputs["principal"] for permission in permissions} == {"apigateway.amazonaws.com"}
    assert {permission.inputs["action"] for permission in permissions} == {"lambda:InvokeFunction"}
