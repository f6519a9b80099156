"""API Gateway: HTTP APIs with their stages, routes, integrations and authorizers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local.aws import Aws
from local.provider.schema import (
    ANY,
    Change,
    Created,
    Existing,
    Inputs,
    ResourceType,
    camel,
    fields,
    pascal,
    physical_name,
    present,
    update_tags,
)

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
    """Return where an API is reached: by path, since its own host name doesn't resolve on every machine."""
    return f"{aws.endpoint_url}/_aws/execute-api/{api_id}"


def _create_api(aws: Aws, name: str, inputs: Inputs) -> Created:
    api_name = physical_name(inputs, name, max_length=API_NAME_LENGTH)
    request = {**_request(inputs, _API), **_tags(inputs), "Name": api_name}
    execution_arns = aws.arn("execute-api", "")  # asked for first: if that fails, nothing is left behind
    api_id = aws.client("apigatewayv2").create_api(**request)["ApiId"]
    return Created(
        id=api_id,
        outputs={
            "name": api_name,
            "apiEndpoint": endpoint(aws, api_id),
            "arn": f"arn:aws:apigateway:{aws.region}::/apis/{api_id}",
            "executionArn": f"{execution_arns}{api_id}",
        },
    )


def _read_api(aws: Aws, resource: Existing) -> Inputs:
    found = camel(aws.client("apigatewayv2").get_api(ApiId=resource.id), _API)
    return {**found, "tags": _tags_of(aws, resource)}


def _update_api(aws: Aws, change: Change) -> Mapping[str, Any]:
    gateway, api_id, different = aws.client("apigatewayv2"), change.resource.id, change.different
    if "corsConfiguration" in different and not change.inputs.get("corsConfiguration"):
        gateway.delete_cors_configuration(ApiId=api_id)
        different = _without(different, "corsConfiguration")
    if request := _request(different, _API):
        gateway.update_api(ApiId=api_id, **request)
    arn = change.resource.outputs["arn"]
    update_tags(change, gateway.tag_resource, gateway.untag_resource, ResourceArn=arn)
    return {"name": different["name"]} if different.get("name") else {}


def _delete_api(aws: Aws, resource: Existing) -> None:
    aws.client("apigatewayv2").delete_api(ApiId=resource.id)


def _create_stage(aws: Aws, name: str, inputs: Inputs) -> Created:
    api_id, stage = inputs["apiId"], inputs.get("name") or name
    settings = _request(_without(inputs, "name"), _STAGE)
    request = {**settings, **_tags(inputs), "ApiId": api_id, "StageName": stage}
    execution_arn = aws.arn("execute-api", f"{api_id}/{stage}")
    aws.client("apigatewayv2").create_stage(**request)
    return Created(
        id=stage,
        outputs={
            "name": stage,
            "arn": f"arn:aws:apigateway:{aws.region}::/apis/{api_id}/stages/{stage}",
            "executionArn": execution_arn,
            "invokeUrl": endpoint(aws, api_id) + ("/" if stage == "$default" else f"/{stage}"),
        },
    )


def _read_stage(aws: Aws, resource: Existing) -> Inputs:
    api_id = resource.inputs["apiId"]
    found = camel(aws.client("apigatewayv2").get_stage(ApiId=api_id, StageName=resource.id), _STAGE)
    return {**_without(found, "apiId", "name"), "tags": _tags_of(aws, resource)}


def _update_stage(aws: Aws, change: Change) -> Mapping[str, Any]:
    gateway, api_id, stage = aws.client("apigatewayv2"), change.inputs["apiId"], change.resource.id
    if request := _request(change.different, _STAGE):
        gateway.update_stage(ApiId=api_id, StageName=stage, **request)
    arn = change.resource.outputs["arn"]
    update_tags(change, gateway.tag_resource, gateway.untag_resource, ResourceArn=arn)
    return {}


def _delete_stage(aws: Aws, resource: Existing) -> None:
    aws.client("apigatewayv2").delete_stage(ApiId=resource.inputs["apiId"], StageName=resource.id)


def _create_route(aws: Aws, _name: str, inputs: Inputs) -> Created:
    request = {**_request(inputs, _ROUTE), "ApiId": inputs["apiId"]}
    return Created(id=aws.client("apigatewayv2").create_route(**request)["RouteId"])


def _read_route(aws: Aws, resource: Existing) -> Inputs:
    api_id = resource.inputs["apiId"]
    found = aws.client("apigatewayv2").get_route(ApiId=api_id, RouteId=resource.id)
    return _without(camel(found, _ROUTE), "apiId")


def _update_route(aws: Aws, change: Change) -> Mapping[str, Any]:
    api_id, route = change.inputs["apiId"], change.resource.id
    request = _request(change.different, _ROUTE)
    aws.client("apigatewayv2").update_route(ApiId=api_id, RouteId=route, **request)
    return {}


def _delete_route(aws: Aws, resource: Existing) -> None:
    aws.client("apigatewayv2").delete_route(ApiId=resource.inputs["apiId"], RouteId=resource.id)


def _create_integration(aws: Aws, _name: str, inputs: Inputs) -> Created:
    request = {**_integration_request(inputs), "ApiId": inputs["apiId"]}
    return Created(id=aws.client("apigatewayv2").create_integration(**request)["IntegrationId"])


def _read_integration(aws: Aws, resource: Existing) -> Inputs:
    api_id = resource.inputs["apiId"]
    found = aws.client("apigatewayv2").get_integration(ApiId=api_id, IntegrationId=resource.id)
    timeout = {"timeoutMilliseconds": found.get("TimeoutInMillis")}
    return {**_without(camel(found, _INTEGRATION), "apiId"), **timeout}


def _update_integration(aws: Aws, change: Change) -> Mapping[str, Any]:
    api_id, integration = change.inputs["apiId"], change.resource.id
    # The type cannot change, but every update has to give it.
    request = _integration_request({**change.different, "integrationType": change.inputs["integrationType"]})
    aws.client("apigatewayv2").update_integration(ApiId=api_id, IntegrationId=integration, **request)
    return {}


def _delete_integration(aws: Aws, resource: Existing) -> None:
    aws.client("apigatewayv2").delete_integration(ApiId=resource.inputs["apiId"], IntegrationId=resource.id)


def _integration_request(inputs: Inputs) -> Any:
    request = _request(inputs, _INTEGRATION)
    if "TimeoutMilliseconds" in request:
        request["TimeoutInMillis"] = request.pop("TimeoutMilliseconds")
    return request


def _create_authorizer(aws: Aws, name: str, inputs: Inputs) -> Created:
    authorizer_name = physical_name(inputs, name, max_length=AUTHORIZER_NAME_LENGTH)
    request = {**_authorizer_request(inputs), "ApiId": inputs["apiId"], "Name": authorizer_name}
    created = aws.client("apigatewayv2").create_authorizer(**request)
    return Created(id=created["AuthorizerId"], outputs={"name": authorizer_name})


def _read_authorizer(aws: Aws, resource: Existing) -> Inputs:
    found: Any = aws.client("apigatewayv2").get_authorizer(
        ApiId=resource.inputs["apiId"], AuthorizerId=resource.id
    )
    jwt = found.get("JwtConfiguration", {})
    return {
        "authorizerType": found["AuthorizerType"],
        "identitySources": found.get("IdentitySource"),
        "jwtConfiguration": {"audiences": jwt.get("Audience"), "issuer": jwt.get("Issuer")},
        "name": found["Name"],
    }


def _update_authorizer(aws: Aws, change: Change) -> Mapping[str, Any]:
    api_id, authorizer = change.inputs["apiId"], change.resource.id
    request = _authorizer_request(change.different)
    aws.client("apigatewayv2").update_authorizer(ApiId=api_id, AuthorizerId=authorizer, **request)
    return {"name": request["Name"]} if "Name" in request else {}


def _delete_authorizer(aws: Aws, resource: Existing) -> None:
    aws.client("apigatewayv2").delete_authorizer(ApiId=resource.inputs["apiId"], AuthorizerId=resource.id)


def _authorizer_request(inputs: Inputs) -> Any:
    jwt = inputs.get("jwtConfiguration")
    return {
        **present(inputs, AuthorizerType="authorizerType", IdentitySource="identitySources", Name="name"),
        **({"JwtConfiguration": present(jwt, Audience="audiences", Issuer="issuer")} if jwt else {}),
    }


def _request(inputs: Inputs, properties: Mapping[str, Any]) -> Any:
    """Spell the inputs as the API does, whose names differ only in case.

    Left out are the id of the API, which is in the path of a request, and tags, whose keys are data.
    """
    return pascal({name: inputs.get(name) for name in properties if name not in ("apiId", "tags")})


def _tags(inputs: Inputs) -> dict[str, Any]:
    return {"Tags": inputs["tags"]} if inputs.get("tags") else {}


def _tags_of(aws: Aws, resource: Existing) -> Mapping[str, str]:
    return aws.client("apigatewayv2").get_tags(ResourceArn=resource.outputs["arn"]).get("Tags", {})


def _without(found: Inputs, *names: str) -> Inputs:
    return {name: value for name, value in found.items() if name not in names}


RESOURCE_TYPES = {
    "aws:apigatewayv2/api:Api": ResourceType(
        properties=_API,
        create=_create_api,
        read=_read_api,
        update=_update_api,
        delete=_delete_api,
        replaces=frozenset({"protocolType"}),
        defaults={
            "corsConfiguration": {"allowCredentials": False, "maxAge": 0},
            "description": "",
            "disableExecuteApiEndpoint": False,
            "name": ANY,
        },
    ),
    "aws:apigatewayv2/stage:Stage": ResourceType(
        properties=_STAGE,
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
        },
    ),
    "aws:apigatewayv2/route:Route": ResourceType(
        properties=_ROUTE,
        create=_create_route,
        read=_read_route,
        update=_update_route,
        delete=_delete_route,
        replaces=frozenset({"apiId"}),
        defaults={
            "authorizationScopes": [],
            "authorizationType": "NONE",
            "authorizerId": "",
            "operationName": "",
            "target": "",
        },
    ),
    "aws:apigatewayv2/integration:Integration": ResourceType(
        properties=_INTEGRATION,
        create=_create_integration,
        read=_read_integration,
        update=_update_integration,
        delete=_delete_integration,
        replaces=frozenset({"apiId", "integrationType"}),
        defaults={
            "connectionType": "INTERNET",
            "description": "",
            # POST for a Lambda function, which takes no other method.
            "integrationMethod": ANY,
            "payloadFormatVersion": "1.0",
            "timeoutMilliseconds": ANY,
        },
    ),
    "aws:apigatewayv2/authorizer:Authorizer": ResourceType(
        properties=_AUTHORIZER,
        create=_create_authorizer,
        read=_read_authorizer,
        update=_update_authorizer,
        delete=_delete_authorizer,
        replaces=frozenset({"apiId"}),
        defaults={"name": ANY},
    ),
}
