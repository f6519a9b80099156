from __future__ import annotations

import json
from typing import Any

import pytest

from components.ingest_pipeline import IngestPipeline
from components.validation import InvalidInputError
from functions.contract import http_api
from tests.components.mocks import Graph, run
from tests.components.programs import JWT, api_args, api_graph, ingest_args, new_ledger

ROUTES = {
    *("GET /receipts", "GET /receipts/{fingerprint}", "GET /files/{fingerprint}"),
    *("POST /receipts/lookup", "POST /uploads"),
}


@pytest.fixture(scope="module")
def graph() -> Graph:
    return api_graph()


@pytest.fixture(scope="module")
def jwt() -> Graph:
    return api_graph(**JWT)


def routes(graph: Graph) -> dict[str, dict[str, Any]]:
    return {r.inputs["routeKey"]: r.inputs for r in graph.of_type("aws:apigatewayv2/route:Route")}


def functions(graph: Graph) -> list[dict[str, Any]]:
    own = [graph.named(f"api-{part}-function").inputs for part in ("reader", "files", "uploads")]
    assert len(own) + 1 == len(graph.of_type("aws:lambda/function:Function"))  # and the processor
    return own


def function_behind(graph: Graph, route: dict[str, Any]) -> str:
    integrations = {
        f"integrations/{r.name}-0a1b2c3": r.inputs
        for r in graph.of_type("aws:apigatewayv2/integration:Integration")
    }
    return str(integrations[route["target"]]["integrationUri"]).split(":")[-1]


def test_routes_are_signed_where_no_issuer_is_given(graph: Graph) -> None:
    assert set(routes(graph)) == ROUTES
    assert {route["authorizationType"] for route in routes(graph).values()} == {"AWS_IAM"}
    assert graph.of_type("aws:apigatewayv2/authorizer:Authorizer") == []


def test_routes_need_a_token_with_their_scope_where_an_issuer_is_given(jwt: Graph) -> None:
    authorizer = jwt.only("aws:apigatewayv2/authorizer:Authorizer")
    assert authorizer.inputs["authorizerType"] == "JWT"
    assert authorizer.inputs["identitySources"] == ["$request.header.Authorization"]
    assert authorizer.inputs["jwtConfiguration"] == {"audiences": ["bill-e"], "issuer": JWT["jwt_issuer"]}
    assert {route["authorizerId"] for route in routes(jwt).values()} == {f"{authorizer.name}-0a1b2c3"}
    assert {route["authorizationType"] for route in routes(jwt).values()} == {"JWT"}
    assert {key: route["authorizationScopes"] for key, route in routes(jwt).items()} == {
        "GET /receipts": ["receipts:read"],
        "GET /receipts/{fingerprint}": ["receipts:read"],
        "GET /files/{fingerprint}": ["receipts:files"],
        "POST /receipts/lookup": ["receipts:read"],
        "POST /uploads": ["receipts:write"],
    }


def test_reading_the_ledger_getting_files_and_uploading_are_three_functions(graph: Graph) -> None:
    behind = {key: function_behind(graph, route) for key, route in routes(graph).items()}
    assert behind == {
        "GET /receipts": "api-reader-function-0a1b2c3",
        "GET /receipts/{fingerprint}": "api-reader-function-0a1b2c3",
        "GET /files/{fingerprint}": "api-files-function-0a1b2c3",
        "POST /receipts/lookup": "api-reader-function-0a1b2c3",
        "POST /uploads": "api-uploads-function-0a1b2c3",
    }


def test_each_function_may_be_called_from_its_own_routes_only(graph: Graph) -> None:
    api = graph.only("aws:apigatewayv2/api:Api").outputs["executionArn"]
    permissions = graph.of_type("aws:lambda/permission:Permission")
    assert {(p.inputs["function"], p.inputs["sourceArn"]) for p in permissions} == {
        ("api-reader-function-0a1b2c3", f"{api}/*/GET/receipts"),
        ("api-reader-function-0a1b2c3", f"{api}/*/GET/receipts/{{fingerprint}}"),
        ("api-files-function-0a1b2c3", f"{api}/*/GET/files/{{fingerprint}}"),
        ("api-reader-function-0a1b2c3", f"{api}/*/POST/receipts/lookup"),
        ("api-uploads-function-0a1b2c3", f"{api}/*/POST/uploads"),
    }


def test_reader_may_only_read_the_ledger(graph: Graph) -> None:
    table = graph.named("ledger-table").outputs["arn"]
    statements = graph.statements("api-reader-policy")
    assert set(statements) == {"WriteOwnLogs", "WriteTraces", "ReadLedger", "LookUpReceipts"}
    assert statements["ReadLedger"]["Action"] == "dynamodb:Query"
    assert statements["ReadLedger"]["Resource"] == [table, f"{table}/index/by_recorded_time"]
    assert statements["LookUpReceipts"]["Action"] == "dynamodb:BatchGetItem"
    assert statements["LookUpReceipts"]["Resource"] == table


def test_file_function_may_look_up_entries_and_read_object_versions_below_the_upload_prefix() -> None:
    graph = api_graph(of_ingest={"upload_prefix": "receipts/"})
    statements = graph.statements("api-files-policy")
    del statements["WriteOwnLogs"], statements["WriteTraces"]
    bucket = graph.named("in-uploads-bucket").outputs["arn"]
    table = graph.named("ledger-table").outputs["arn"]
    assert {sid: (each["Action"], each["Resource"]) for sid, each in statements.items()} == {
        "FindEntries": (["dynamodb:GetItem", "dynamodb:Query"], table),
        "SignLinks": ("s3:GetObjectVersion", f"{bucket}/receipts/*"),
        "TellGoneFromForbidden": (["s3:ListBucket", "s3:ListBucketVersions"], bucket),
    }


def test_upload_function_may_look_up_a_receipt_and_put_below_its_prefix(graph: Graph) -> None:
    statements = graph.statements("api-uploads-policy")
    del statements["WriteOwnLogs"], statements["WriteTraces"]
    bucket = graph.named("in-uploads-bucket").outputs["arn"]
    table = graph.named("ledger-table").outputs["arn"]
    assert {sid: (each["Action"], each["Resource"]) for sid, each in statements.items()} == {
        "FindReceipt": (["dynamodb:GetItem", "dynamodb:Query"], table),
        "SeeUploads": ("s3:GetObjectVersion", f"{bucket}/*"),
        "TellGoneFromForbidden": (["s3:ListBucket", "s3:ListBucketVersions"], bucket),
        "SignUploads": ("s3:PutObject", f"{bucket}/uploads/*"),
    }


def test_functions_are_told_what_they_need(graph: Graph) -> None:
    table = graph.named("ledger-table").outputs["name"]
    assert graph.named("api-reader-function").inputs["environment"]["variables"] == {
        "LEDGER_TABLE": table,
        "LEDGER_SHARDS": "4",
    }
    assert graph.named("api-files-function").inputs["environment"]["variables"] == {
        "LEDGER_TABLE": table,
        "UPLOAD_LOCATION": f"{graph.named('in-uploads-bucket').outputs['bucket']}/",
        "LINK_LIFETIME_SECONDS": "60",
    }
    assert graph.named("api-uploads-function").inputs["environment"]["variables"] == {
        "LEDGER_TABLE": table,
        "UPLOAD_LOCATION": f"{graph.named('in-uploads-bucket').outputs['bucket']}/",
        "FORM_PREFIX": "uploads/",
        "MAX_RECEIPT_BYTES": "20971520",
        "FORM_LIFETIME_SECONDS": "900",
    }


def test_functions_need_no_layer(graph: Graph) -> None:
    assert not any(function.get("layers") for function in functions(graph))


def test_functions_end_before_the_api_stops_waiting(graph: Graph) -> None:
    for integration in graph.of_type("aws:apigatewayv2/integration:Integration"):
        assert integration.inputs["integrationType"] == "AWS_PROXY"
        assert integration.inputs["payloadFormatVersion"] == "2.0"
        assert integration.inputs["timeoutMilliseconds"] <= 30_000
        for function in functions(graph):
            assert function["timeout"] * 1000 < integration.inputs["timeoutMilliseconds"]


def test_stage_is_deployed_logged_and_throttled_after_its_routes() -> None:
    graph = api_graph(throttle_rate=7, throttle_burst=9)
    stage, logs = graph.named("api-stage"), graph.named("api-access-logs")
    assert stage.inputs["name"] == "$default"
    assert stage.inputs["autoDeploy"] is True
    assert stage.inputs["defaultRouteSettings"] == {"throttlingRateLimit": 7, "throttlingBurstLimit": 9}
    assert stage.inputs["accessLogSettings"]["destinationArn"] == logs.outputs["arn"]
    assert logs.inputs["namePrefix"].startswith("/aws/vendedlogs/")
    assert {r.name for r in graph.of_type("aws:apigatewayv2/route:Route")} <= graph.waits_for(stage)


@pytest.mark.parametrize(
    ("throttle", "ledger", "limits"),
    [
        pytest.param({}, {}, [(50, 50), (18, 18), (8, 8), (6, 6), (50, 50)], id="defaults"),
        pytest.param({"throttle_rate": 5, "throttle_burst": 6}, {}, [(5, 6)] * 5, id="the stack's own"),
        pytest.param(
            {"throttle_rate": 10_000, "throttle_burst": 5_000},
            {"ledger_max_read_units": 40_000},
            [(500, 500), (187, 187), (80, 80), (62, 62), (500, 500)],
            id="the ledger's",
        ),
        pytest.param(
            {},
            {"ledger_max_read_units": 1_000},
            [(12, 12), (4, 4), (2, 2), (1, 1), (12, 12)],
            id="a small cap",
        ),
        pytest.param(
            {}, {"ledger_shards": 64}, [(32, 32), (18, 18), (8, 8), (6, 6), (50, 50)], id="many shards"
        ),
        pytest.param({}, {"ledger_max_read_units": 1}, [(1, 1)] * 5, id="one a second at least"),
    ],
)
def test_each_route_is_limited_to_what_the_ledger_can_take(
    throttle: dict[str, Any], ledger: dict[str, Any], limits: list[tuple[int, int]]
) -> None:
    graph = api_graph(of_ledger=ledger, **throttle)

    assert graph.named("api-stage").inputs["routeSettings"] == [
        {"routeKey": route, "throttlingRateLimit": rate, "throttlingBurstLimit": burst}
        for route, (rate, burst) in zip(http_api.ROUTES, limits, strict=True)
    ]


def test_stage_takes_requests_only_when_its_routes_may_call_their_functions(graph: Graph) -> None:
    permissions = {r.name for r in graph.of_type("aws:lambda/permission:Permission")}
    assert len(permissions) == len(ROUTES)
    assert permissions <= graph.waits_for(graph.named("api-stage"))


def test_access_log_is_json_and_says_who_what_and_how_it_ended(graph: Graph) -> None:
    fields = json.loads(graph.named("api-stage").inputs["accessLogSettings"]["format"])
    assert {
        "$context.requestId",
        "$context.routeKey",
        "$context.path",
        "$context.status",
        "$context.identity.sourceIp",
        "$context.identity.userArn",
        "$context.authorizer.claims.sub",
    } <= set(fields.values())


def test_processor_knows_the_role_that_signs_forms(dev: Graph) -> None:
    processor, signer = (dev.named(f"bill-e-{name}-function") for name in ("ingest-processor", "api-uploads"))
    role = dev.named("bill-e-api-uploads-role").outputs

    assert processor.inputs["environment"]["variables"]["FORM_SIGNER"] == role["uniqueId"]
    assert signer.inputs["role"] == role["arn"]
    assert dev.named("bill-e-api-uploads-policy").inputs["role"] == role["name"]


def test_api_over_a_pipeline_without_a_signer_has_forms_that_name_nobody() -> None:
    graph = api_graph()

    assert graph.named("in-processor-function").inputs["environment"]["variables"]["FORM_SIGNER"] == "nobody"
    assert (
        graph.named("api-uploads-function").inputs["role"] == graph.named("api-uploads-role").outputs["arn"]
    )


def test_api_answers_other_origins_only_where_configured() -> None:
    closed = api_graph().only("aws:apigatewayv2/api:Api").inputs
    origins = {"allowed_origins": ["https://receipts.example.com"]}
    opened = api_graph(of_ingest=origins).only("aws:apigatewayv2/api:Api").inputs
    assert "corsConfiguration" not in closed
    assert opened["corsConfiguration"]["allowOrigins"] == ["https://receipts.example.com"]
    assert opened["corsConfiguration"]["allowMethods"] == ["GET", "POST"]
    sent_by_sdks = {"amz-sdk-invocation-id", "amz-sdk-request", "x-amz-user-agent"}
    assert {"authorization", *sent_by_sdks} <= set(opened["corsConfiguration"]["allowHeaders"])


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"api_auth": "none"}, ["api_auth"]),
        ({"throttle_rate": 0}, ["throttle_rate"]),
        ({"throttle_burst": 0}, ["throttle_burst"]),
        ({"memory_megabytes": 10_241}, ["memory_megabytes"]),
        (
            {
                "api_auth": "jwt",
                "jwt_issuer": "http://example.com",
                "jwt_read_scope": "",
                "jwt_upload_scope": "a b",
                "jwt_files_scope": '"',
            },
            ["jwt_issuer", "jwt_audience", "jwt_read_scope", "jwt_upload_scope", "jwt_files_scope"],
        ),
    ],
)
def test_bad_arguments_are_refused_all_at_once_before_anything_is_created(
    changes: dict[str, Any], fields: list[str]
) -> None:
    def program() -> None:
        ingest = IngestPipeline("in", ingest_args(new_ledger()))
        with pytest.raises(InvalidInputError, match=r"LedgerApiArgs:\n  - .* is .*; allowed: ") as refused:
            api_args(ingest, **changes)
        assert [each.name for each in refused.value.values] == fields

    assert not any(resource.name.startswith("api") for resource in run(program).resources)
