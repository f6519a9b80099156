"""API Gateway: HTTP APIs with their stages, routes, integrations and authorizers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from local.aws import Aws
from local.provider.patterns import update_tags
from local.provider.resource_types import ANY, Change, Created, Existing, Inputs, ResourceType, Shape, fields
from local.provider.spelling import camel, physical_name, present, request

NAME_LENGTH = 128

_API = fields(
    *("name", "description", "disableExecuteApiEndpoint", "protocolType"),
    corsConfiguration=fields(
        "allowCredentials", "allowHeaders", "allowMethods", "allowOrigins", "exposeHeaders", "maxAge"
    ),
)
_LIMITS = fields("detailedMetricsEnabled", "throttlingBurstLimit", "throttlingRateLimit")
_STAGE = fields(
    *("autoDeploy", "description"),
    accessLogSettings=fields("destinationArn", "format"),
    defaultRouteSettings=_LIMITS,
)
_ROUTE = fields(
    "authorizationScopes", "authorizationType", "authorizerId", "operationName", "routeKey", "target"
)
_INTEGRATION = fields(
    *("connectionType", "description", "integrationMethod", "integrationType", "integrationUri"),
    "payloadFormatVersion",
)
"""The inputs that API Gateway calls the same."""


def endpoint(aws: Aws, api_id: str) -> str:
    """Return where an API is reached: by path, since its own host name doesn't resolve on every machine."""
    return f"{aws.endpoint_url}/_aws/execute-api/{api_id}"


def _create_api(aws: Aws, name: str, inputs: Inputs) -> Created:
    api_name = physical_name(inputs, name, max_length=NAME_LENGTH)
    execution_arns = aws.arn("execute-api", "")  # asked for first: if that fails, nothing is left behind
    asked = {**request(inputs, _API), **_tags(inputs), "Name": api_name}
    api_id = aws.client("apigatewayv2").create_api(**asked)["ApiId"]
    return Created(
        id=api_id,
        outputs={
            "name": api_name,
            "apiEndpoint": endpoint(aws, api_id),
            "arn": f"arn:aws:apigateway:{aws.region}::/apis/{api_id}",
            "executionArn": f"{execution_arns}{api_id}",
        },
    )


def _read_api(aws: Aws, api: Existing) -> Inputs:
    return {**camel(aws.client("apigatewayv2").get_api(ApiId=api.id), _API), "tags": _tags_of(aws, api)}


def _update_api(aws: Aws, change: Change) -> Mapping[str, Any]:
    gateway, api_id, different = aws.client("apigatewayv2"), change.resource.id, dict(change.different)
    if "corsConfiguration" in different and not change.inputs.get("corsConfiguration"):
        gateway.delete_cors_configuration(ApiId=api_id)
        del different["corsConfiguration"]
    if asked := request(different, _API):
        gateway.update_api(ApiId=api_id, **asked)
    arn = change.resource.outputs["arn"]
    update_tags(change, gateway.tag_resource, gateway.untag_resource, ResourceArn=arn)
    return present(different, name="name")


def _create_stage(aws: Aws, name: str, inputs: Inputs) -> Created:
    api_id, stage = inputs["apiId"], inputs.get("name") or name
    execution_arn = aws.arn("execute-api", f"{api_id}/{stage}")
    asked = {**_spelled_stage(inputs), **_tags(inputs)}
    aws.client("apigatewayv2").create_stage(ApiId=api_id, StageName=stage, **asked)
    return Created(
        id=stage,
        outputs={
            "name": stage,
            "arn": f"arn:aws:apigateway:{aws.region}::/apis/{api_id}/stages/{stage}",
            "executionArn": execution_arn,
            "invokeUrl": endpoint(aws, api_id) + ("/" if stage == "$default" else f"/{stage}"),
        },
    )


def _read_stage(aws: Aws, stage: Existing) -> Inputs:
    found = aws.client("apigatewayv2").get_stage(ApiId=stage.inputs["apiId"], StageName=stage.id)
    routes = [
        {"routeKey": route_key, **camel(limits, _LIMITS)}
        for route_key, limits in found.get("RouteSettings", {}).items()
    ]
    return {**camel(found, _STAGE), "routeSettings": routes, "tags": _tags_of(aws, stage)}


def _update_stage(aws: Aws, change: Change) -> None:
    gateway, api_id, stage = aws.client("apigatewayv2"), change.inputs["apiId"], change.resource.id
    if asked := _spelled_stage(change.different):
        gateway.update_stage(ApiId=api_id, StageName=stage, **asked)
    arn = change.resource.outputs["arn"]
    update_tags(change, gateway.tag_resource, gateway.untag_resource, ResourceArn=arn)


def _spelled_stage(inputs: Inputs) -> Any:
    asked = request(inputs, _STAGE)
    if "routeSettings" in inputs:
        limits = {route["routeKey"]: request(route, _LIMITS) for route in inputs["routeSettings"]}
        asked["RouteSettings"] = limits
    return asked


def _delete_stage(aws: Aws, stage: Existing) -> None:
    aws.client("apigatewayv2").delete_stage(ApiId=stage.inputs["apiId"], StageName=stage.id)


def _tags(inputs: Inputs) -> dict[str, Any]:
    return {"Tags": inputs["tags"]} if inputs.get("tags") else {}


def _tags_of(aws: Aws, resource: Existing) -> Mapping[str, str]:
    return aws.client("apigatewayv2").get_tags(ResourceArn=resource.outputs["arn"]).get("Tags", {})


def _part(
    kind: str,
    properties: Shape,
    spell: Callable[[Inputs], Any],
    read: Callable[[Any], Inputs],
    *,
    replaces: Collection[str] = (),
    defaults: Mapping[str, Any],
) -> ResourceType:
    """Build the type of a part of an API: a ``Route``, ``Integration`` or ``Authorizer``, as ``kind`` says.

    ``spell`` makes API parameters of inputs, and ``read`` makes inputs of what the API returns.
    """

    def call(aws: Aws, verb: str, **asked: Any) -> Any:
        return getattr(aws.client("apigatewayv2"), f"{verb}_{kind.lower()}")(**asked)

    def existing(part: Existing) -> dict[str, str]:
        return {"ApiId": part.inputs["apiId"], f"{kind}Id": part.id}

    def create(aws: Aws, name: str, inputs: Inputs) -> Created:
        named = {"name": physical_name(inputs, name, max_length=NAME_LENGTH)} if "name" in properties else {}
        made = call(aws, "create", ApiId=inputs["apiId"], **spell({**inputs, **named}))
        return Created(id=made[f"{kind}Id"], outputs=named)

    def update(aws: Aws, change: Change) -> Mapping[str, Any]:
        # This can't change, but has to be given: an update of an integration is refused without its type.
        fixed = {name: change.inputs[name] for name in replaces}
        call(aws, "update", **existing(change.resource), **spell({**change.different, **fixed}))
        return present(change.different, name="name")

    return ResourceType(
        properties={"apiId": None, **properties},
        create=create,
        read=lambda aws, part: read(call(aws, "get", **existing(part))),
        update=update,
        delete=lambda aws, part: call(aws, "delete", **existing(part)),
        replaces=frozenset({"apiId", *replaces}),
        defaults=defaults,
    )


def _spelled_integration(inputs: Inputs) -> Any:
    return {**request(inputs, _INTEGRATION), **present(inputs, TimeoutInMillis="timeoutMilliseconds")}


def _integration(found: Any) -> Inputs:
    return {**camel(found, _INTEGRATION), "timeoutMilliseconds": found.get("TimeoutInMillis")}


def _spelled_authorizer(inputs: Inputs) -> Any:
    jwt = inputs.get("jwtConfiguration")
    return {
        **present(inputs, AuthorizerType="authorizerType", IdentitySource="identitySources", Name="name"),
        **({"JwtConfiguration": present(jwt, Audience="audiences", Issuer="issuer")} if jwt else {}),
    }


def _authorizer(found: Any) -> Inputs:
    jwt = found.get("JwtConfiguration", {})
    return {
        "authorizerType": found["AuthorizerType"],
        "identitySources": found.get("IdentitySource"),
        "jwtConfiguration": {"audiences": jwt.get("Audience"), "issuer": jwt.get("Issuer")},
        "name": found["Name"],
    }


RESOURCE_TYPES = {
    "aws:apigatewayv2/api:Api": ResourceType(
        properties={**_API, "tags": None},
        create=_create_api,
        read=_read_api,
        update=_update_api,
        delete=lambda aws, api: aws.client("apigatewayv2").delete_api(ApiId=api.id),
        replaces=frozenset({"protocolType"}),
        defaults={
            "corsConfiguration": {"allowCredentials": False, "maxAge": 0},
            "description": "",
            "disableExecuteApiEndpoint": False,
            "name": ANY,
        },
    ),
    "aws:apigatewayv2/stage:Stage": ResourceType(
        properties={
            **fields("apiId", "name", "tags", routeSettings={"routeKey": None, **_LIMITS}),
            **_STAGE,
        },
        create=_create_stage,
        read=_read_stage,
        update=_update_stage,
        delete=_delete_stage,
        replaces=frozenset({"apiId", "name"}),
        defaults={
            "accessLogSettings": {},
            "autoDeploy": False,
            "description": "",
            "defaultRouteSettings": {"detailedMetricsEnabled": False},
            "routeSettings": [],
        },
    ),
    "aws:apigatewayv2/route:Route": _part(
        "Route",
        _ROUTE,
        lambda inputs: request(inputs, _ROUTE),
        lambda found: camel(found, _ROUTE),
        defaults={
            "authorizationScopes": [],
            "authorizationType": "NONE",
            "authorizerId": "",
            "operationName": "",
            "target": "",
        },
    ),
    "aws:apigatewayv2/integration:Integration": _part(
        "Integration",
        {**_INTEGRATION, "timeoutMilliseconds": None},
        _spelled_integration,
        _integration,
        replaces={"integrationType"},
        defaults={
            "connectionType": "INTERNET",
            "description": "",
            # POST for a Lambda function, which takes no other method.
            "integrationMethod": ANY,
            "payloadFormatVersion": "1.0",
            "timeoutMilliseconds": ANY,
        },
    ),
    "aws:apigatewayv2/authorizer:Authorizer": _part(
        "Authorizer",
        fields("authorizerType", "identitySources", "name", jwtConfiguration=fields("audiences", "issuer")),
        _spelled_authorizer,
        _authorizer,
        defaults={"name": ANY},
    ),
}
