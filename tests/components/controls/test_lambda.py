"""Controls of Lambda: every function."""

from __future__ import annotations

import pulumi_aws as aws
import pytest

from tests.components.controls.rules import (
    API,
    FUNCTION,
    LOG_GROUP,
    PERMISSION,
    ROLE_POLICY,
    ROUTE,
    XRAY_WRITES,
    allowed,
    as_list,
    broken_by,
    role_statements,
    some,
)
from tests.components.mocks import Graph
from tests.components.sabotage import REMOVED, with_input, with_resource, without, without_statement


@pytest.mark.claim(
    "only API Gateway may invoke a function behind the API, for the routes (`source_arn`) that it serves, "
    "and only its schedule the reconciler",
    control="Lambda.1",
    requires="no public invoke",
)
@broken_by(
    without(PERMISSION),
    with_input(PERMISSION, "principal", "*"),
    with_input(PERMISSION, "action", "lambda:*"),
    with_input(PERMISSION, "sourceArn", REMOVED),
    with_input(PERMISSION, "sourceArn", "arn:aws:execute-api:eu-central-1:123456789012:other/*"),
    with_resource("aws:lambda/functionUrl:FunctionUrl", authorizationType="NONE"),
)
def test_lambda_1_no_public_invoke(graph: Graph) -> None:
    apis = {api.outputs["executionArn"] for api in some(graph, API)}
    routes = {
        f"{api}/*/{route.inputs['routeKey'].replace(' ', '')}"
        for route in some(graph, ROUTE)
        for api in apis
        if api.endswith(route.inputs["apiId"])
    }
    schedules = {rule.outputs["arn"] for rule in some(graph, "aws:cloudwatch/eventRule:EventRule")}
    permissions = some(graph, PERMISSION)
    assert {(each.inputs["principal"], each.inputs.get("sourceArn")) for each in permissions} == {
        *(("apigateway.amazonaws.com", route) for route in routes),
        *(("events.amazonaws.com", schedule) for schedule in schedules),
    }
    assert {permission.inputs["action"] for permission in permissions} == {"lambda:InvokeFunction"}
    assert graph.of_type("aws:lambda/functionUrl:FunctionUrl") == []


@pytest.mark.claim(
    "the newest Python runtime that the AWS provider knows; the test fails when the provider knows a "
    "newer one",
    control="Lambda.2, NAG L1",
    requires="supported, latest runtime",
)
@broken_by(with_input(FUNCTION, "runtime", "python3.11"), with_input(FUNCTION, "runtime", REMOVED))
def test_lambda_2_nag_l1_latest_runtime(graph: Graph) -> None:
    minors = [runtime.value.removeprefix("python3.") for runtime in aws.lambda_.Runtime]
    newest = max(int(minor) for minor in minors if minor.isdecimal())
    for function in some(graph, FUNCTION):
        assert function.inputs.get("runtime") == f"python3.{newest}", (
            f"{function.name}: try python3.{newest}, and set RUNTIME in python_function.py to it"
        )


@pytest.mark.claim(
    "active on every function, whose role may write traces", control="Lambda.7", requires="tracing"
)
@broken_by(
    with_input(FUNCTION, "tracingConfig.mode", "PassThrough"),
    with_input(FUNCTION, "tracingConfig", REMOVED),
    without_statement(ROLE_POLICY, "WriteTraces"),
)
def test_lambda_7_tracing(graph: Graph) -> None:
    for function in some(graph, FUNCTION):
        actions = {
            action
            for statement in allowed(role_statements(graph, function))
            for action in as_list(statement["Action"])
        }
        assert function.inputs.get("tracingConfig") == {"mode": "Active"}, function.name
        assert set(XRAY_WRITES) <= actions, function.name


@pytest.mark.claim(
    "every function declares them, and every log group has a retention",
    control="NAG Serverless",
    requires="memory, time-out, JSON logs, log retention",
)
@broken_by(
    with_input(FUNCTION, "memorySize", REMOVED),
    with_input(FUNCTION, "timeout", REMOVED),
    with_input(FUNCTION, "loggingConfig.logFormat", "Text"),
    with_input(FUNCTION, "loggingConfig.logGroup", "/aws/lambda/made-by-itself"),
    with_input(LOG_GROUP, "retentionInDays", REMOVED),
)
def test_nag_serverless_functions_are_explicit(graph: Graph) -> None:
    groups = {group.outputs["name"]: group.inputs for group in some(graph, LOG_GROUP)}
    for group in groups.values():
        assert group.get("retentionInDays", 0) >= 1
    for function in some(graph, FUNCTION):
        assert function.inputs.get("memorySize", 0) >= 128
        assert 1 <= function.inputs.get("timeout", 0) <= 900
        assert function.inputs["loggingConfig"]["logFormat"] == "JSON"
        assert function.inputs["loggingConfig"]["logGroup"] in groups
