"""Controls of services that the program doesn't use."""

from __future__ import annotations

import pytest

from tests.components.controls.rules import API, FUNCTION, broken_by, some
from tests.components.mocks import Graph
from tests.components.sabotage import with_input, with_new_input, with_resource

SERVICES = {"apigatewayv2", "cloudwatch", "dynamodb", "iam", "kms", "lambda", "s3", "sns", "sqs"}


@pytest.mark.claim(
    "the program uses no other services, so their controls don't apply",
    control="all others",
    requires="nothing unused",
)
@broken_by(
    with_resource("aws:apigateway/restApi:RestApi"),
    with_resource("aws:ec2/vpc:Vpc"),
    with_resource("aws:s3/accessPoint:AccessPoint"),
    with_input(API, "protocolType", "WEBSOCKET"),
    with_new_input(FUNCTION, "vpcConfig", {"subnetIds": ["subnet-1"]}),
    with_resource("aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock"),
)
def test_controls_of_services_that_are_not_used_do_not_apply(graph: Graph) -> None:
    services = {resource.type.split(":")[1].split("/")[0] for resource in graph.resources if resource.custom}
    assert services <= SERVICES
    kinds = {resource.type for resource in graph.resources}
    assert not any("accessPoint" in kind or "AccessPoint" in kind or "account" in kind for kind in kinds)
    assert all(api.inputs["protocolType"] == "HTTP" for api in some(graph, API))
    assert not any("vpcConfig" in function.inputs for function in some(graph, FUNCTION))
