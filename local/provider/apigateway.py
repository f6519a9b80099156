"""API Gateway: HTTP APIs with their stages, routes, integrations and authorizers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local.aws import Aws
from local.provider.schema import Created, Inputs, ResourceType, fields, pascal, physical_name, present

API_NAME_LENGTH = 128
AUTHORIZER_NAME_LENGTH = 128

_API = fields(
    "name",
    "description",
    "disableExecuteApiEndpoint",
    "protocolType",
    "tags",
    corsConfiguration=fields(
        "allowCredentials", "allowHeaders", "allowMethods", "allowOrigins", "exposeHeaders", "maxAge"
    ),
)
_STAGE = fields(
    "apiId",
    "name",
    "autoDeploy",
    "description",
    "tags",
    accessLogSettings=fields("destinationArn", "format"),
    defaultRouteSettings=fields("detailedMetricsEnabled", "throttlingBurstLimit", "throttlingRateLimit"),
)
_ROUTE = fields(
    "apiId", "authorizationScopes", "authorizationType", "authorizerId", "operationName", "routeKey", "target"
)
_INTEGRATION = fields(
    "apiId",
    "connectionType",
    "description",
    "integrationMethod",
    "integrationType",
    "integrationUri",
    "payloadFormatVersion",
    "timeoutMilliseconds",
)
_AUTHORIZER = fields(
    "apiId",
    "authorizerType",
    "identitySources",
    "name",
    jwtConfiguration=fields("audiences", "issuer"),
)


def endpoint(aws: Aws, api_id: str) -> str:
    """Where an API is reached: by path, since its own host name doesn't resolve on every machine."""
    return f"{aws.endpoint_url}/_aws/execute-api/{api_id}"


def _execution_arn(aws: Aws, api_id: str) -> str:
    account = aws.client("sts").get_caller_identity()["Account"]
    return f"arn:aws:execute-api:{aws.region}:{account}:{api_id}"


def _api(aws: Aws, name: str, inputs: Inputs) -> Created:
    api_name = physical_name(inputs, name, max_length=API_NAME_LENGTH)
    request = {**_request(inputs, _API), "Name": api_name}
    api_id = aws.client("apigatewayv2").create_api(**request)["ApiId"]
    return Created(
        id=api_id,
        outputs={
            "name": api_name,
            "apiEndpoint": endpoint(aws, api_id),
            "arn": f"arn:aws:apigateway:{aws.region}::/apis/{api_id}",
            "executionArn": _execution_arn(aws, api_id),
        },
    )


def _stage(aws: Aws, name: str, inputs: Inputs) -> Created:
    api_id, stage = inputs["apiId"], inputs.get("name") or name
    request = {**_request(inputs, _STAGE), "StageName": stage}
    request.pop("Name", None)
    aws.client("apigatewayv2").create_stage(**request)
    return Created(
        id=stage,
        outputs={
            "name": stage,
            "arn": f"arn:aws:apigateway:{aws.region}::/apis/{api_id}/stages/{stage}",
            "executionArn": f"{_execution_arn(aws, api_id)}/{stage}",
            "invokeUrl": endpoint(aws, api_id) + ("/" if stage == "$default" else f"/{stage}"),
        },
    )


def _route(aws: Aws, _name: str, inputs: Inputs) -> Created:
    return Created(id=aws.client("apigatewayv2").create_route(**_request(inputs, _ROUTE))["RouteId"])


def _integration(aws: Aws, _name: str, inputs: Inputs) -> Created:
    request = _request(inputs, _INTEGRATION)
    if "TimeoutMilliseconds" in request:
        request["TimeoutInMillis"] = request.pop("TimeoutMilliseconds")
    return Created(id=aws.client("apigatewayv2").create_integration(**request)["IntegrationId"])


def _authorizer(aws: Aws, name: str, inputs: Inputs) -> Created:
    authorizer_name = physical_name(inputs, name, max_length=AUTHORIZER_NAME_LENGTH)
    jwt = inputs.get("jwtConfiguration")
    request = {
        **present(inputs, ApiId="apiId", AuthorizerType="authorizerType", IdentitySource="identitySources"),
        "Name": authorizer_name,
        **({"JwtConfiguration": present(jwt, Audience="audiences", Issuer="issuer")} if jwt else {}),
    }
    created = aws.client("apigatewayv2").create_authorizer(**request)
    return Created(id=created["AuthorizerId"], outputs={"name": authorizer_name})


def _request(inputs: Inputs, properties: Mapping[str, Any]) -> Any:
    """Spell the inputs as the API does, which has the same names in another case; keys of tags are data."""
    request = pascal({name: inputs[name] for name in properties if name != "tags" and name in inputs})
    if inputs.get("tags"):
        request["Tags"] = inputs["tags"]
    return request


RESOURCE_TYPES = {
    "aws:apigatewayv2/api:Api": ResourceType(properties=_API, create=_api),
    "aws:apigatewayv2/stage:Stage": ResourceType(properties=_STAGE, create=_stage),
    "aws:apigatewayv2/route:Route": ResourceType(properties=_ROUTE, create=_route),
    "aws:apigatewayv2/integration:Integration": ResourceType(properties=_INTEGRATION, create=_integration),
    "aws:apigatewayv2/authorizer:Authorizer": ResourceType(properties=_AUTHORIZER, create=_authorizer),
}
