"""Controls of API Gateway: routes, stages, and the websites that may call them."""

from __future__ import annotations

import json

import pytest

from components.ledger import SHARDS_TAG
from functions.contract import capacity, http_api
from tests.components.controls.rules import (
    API,
    AUTHORIZER,
    BUCKET_CORS,
    LOG_GROUP,
    ROUTE,
    STAGE,
    TABLE,
    broken_by,
    some,
)
from tests.components.mocks import Graph
from tests.components.sabotage import REMOVED, with_input, with_new_input


@pytest.mark.claim(
    "every route requires `AWS_IAM`, or a JWT with its scope; there is neither an `ANY` nor a "
    "`$default` route",
    control="APIGateway.8, NAG APIG4",
    requires="every route authorized",
)
@broken_by(
    with_input(ROUTE, "authorizationType", "NONE"),
    with_input(ROUTE, "authorizationType", REMOVED),
    with_input(ROUTE, "authorizationScopes", REMOVED),
    with_input(ROUTE, "authorizationScopes", []),
    with_input(ROUTE, "authorizerId", "unknown"),
    with_input(ROUTE, "routeKey", "$default"),
    with_input(ROUTE, "routeKey", "ANY /receipts"),
)
def test_apigateway_8_nag_apig4_every_route_is_authorized(graph: Graph) -> None:
    authorizers = {f"{authorizer.name}-0a1b2c3" for authorizer in graph.of_type(AUTHORIZER)}
    for route in some(graph, ROUTE):
        assert route.inputs["routeKey"].split(" ")[0] in {"GET", "POST"}, route.name
        match route.inputs.get("authorizationType"):
            case "AWS_IAM":
                continue
            case "JWT":
                assert route.inputs["authorizerId"] in authorizers
                assert len(route.inputs.get("authorizationScopes", [])) == 1, route.name
            case other:
                pytest.fail(f"{route.name}: {other}")


@pytest.mark.claim(
    "every stage writes JSON to its own log group",
    control="APIGateway.9, NAG APIG1",
    requires="access logs",
)
@broken_by(
    with_input(STAGE, "accessLogSettings", REMOVED),
    with_input(STAGE, "accessLogSettings.format", "$context.requestId"),
    with_input(
        STAGE, "accessLogSettings.destinationArn", "arn:aws:logs:eu-central-1:123456789012:log-group:other"
    ),
)
def test_apigateway_9_nag_apig1_access_logs(graph: Graph) -> None:
    groups = {group.outputs["arn"] for group in some(graph, LOG_GROUP)}
    for stage in some(graph, STAGE):
        access_logs = stage.inputs.get("accessLogSettings", {})
        assert access_logs.get("destinationArn") in groups, stage.name
        assert access_logs["format"].startswith("{"), stage.name
        assert {"request_id", "route", "status", "source_ip"} <= set(json.loads(access_logs["format"]))


@pytest.mark.claim(
    "every stage limits rate and burst, and each route further, so that no rate of requests uses up the "
    "ledger's cap on read units",
    control="NAG Serverless",
    requires="throttling",
)
@broken_by(
    with_input(STAGE, "defaultRouteSettings", REMOVED),
    with_input(STAGE, "defaultRouteSettings.throttlingRateLimit", REMOVED),
    with_input(STAGE, "defaultRouteSettings.throttlingBurstLimit", 0),
    with_input(STAGE, "routeSettings", REMOVED),
    *(
        with_input(STAGE, f"routeSettings.{number}.throttlingRateLimit", 10_000)
        for number, key in enumerate(http_api.ROUTES)
        if key != http_api.LOG_FILE
    ),
    with_input(STAGE, "routeSettings.3.throttlingRateLimit", REMOVED),
    with_input(STAGE, "routeSettings.3.throttlingBurstLimit", 0),
)
def test_nag_serverless_throttling(graph: Graph) -> None:
    tables = [table.inputs for table in some(graph, TABLE) if SHARDS_TAG in table.inputs["tags"]]
    cap = min(table["onDemandThroughput"]["maxReadRequestUnits"] for table in tables)
    shards = max(int(table["tags"][SHARDS_TAG]) for table in tables)
    for stage in some(graph, STAGE):
        routes = {route["routeKey"]: route for route in stage.inputs.get("routeSettings", [])}
        assert set(routes) == {route.inputs["routeKey"] for route in some(graph, ROUTE)}
        for limits in (stage.inputs.get("defaultRouteSettings", {}), *routes.values()):
            assert limits.get("throttlingRateLimit", 0) >= 1, stage.name
            assert limits.get("throttlingBurstLimit", 0) >= 1, stage.name
        of_table = {
            http_api.SHOW_RECEIPT: capacity.HISTORY_UNITS,
            http_api.LOOK_UP_RECEIPTS: capacity.LOOK_UP_UNITS,
            http_api.REQUEST_PROOF: capacity.HISTORY_UNITS,
            http_api.REQUEST_FILE: capacity.HISTORY_UNITS,
            http_api.REQUEST_FORM: capacity.FORM_UNITS,
        }
        assert {*http_api.ROUTES} - {http_api.LIST_RECEIPTS, http_api.LOG_FILE} == {*of_table}
        rates = {key: routes[key]["throttlingRateLimit"] for key in routes}
        assert rates[http_api.LIST_RECEIPTS] * capacity.page_units(shards) < cap, "the index"
        assert sum(rates[key] * most for key, most in of_table.items()) < cap, "the table"


@pytest.mark.claim(
    "the API and the bucket list the websites that they allow",
    control="CORS",
    requires="no `*`",
)
@broken_by(
    with_input(API, "corsConfiguration.allowOrigins", ["*"]),
    with_new_input(API, "corsConfiguration.allowCredentials", True),
    with_input(API, "corsConfiguration.allowOrigins", ["http://receipts.example.com"]),
    with_input(BUCKET_CORS, "corsRules.0.allowedOrigins", ["*"]),
    with_input(BUCKET_CORS, "corsRules.0.allowedMethods", ["GET", "PUT"]),
    over=["jwt"],
)
def test_cors_never_for_every_site(graph: Graph) -> None:
    for api in some(graph, API):
        cors = api.inputs.get("corsConfiguration")
        assert cors is None or all(site.startswith("https://") for site in cors["allowOrigins"])
        assert cors is None or not cors.get("allowCredentials")
    for rules in some(graph, BUCKET_CORS):
        for rule in rules.inputs["corsRules"]:
            assert all(site.startswith("https://") for site in rule["allowedOrigins"])
            assert rule["allowedMethods"] == ["POST", "PUT"]
