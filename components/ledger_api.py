"""LedgerApi: the HTTP API over the ledger, its routes, its door, and the functions behind it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components import policies
from components.alarms import api_alarms, create_alarms
from components.checks import between, issuer_url, matches, not_empty, origin, refuse, unique
from components.common import CommonArgs, protected
from components.ingest_pipeline import MAX_RECEIPT_MEGABYTES, PREFIX_ALLOWED, PREFIX_PATTERN
from components.ledger import Ledger, shards_hook
from components.python_function import (
    MAX_MEMORY_MEGABYTES,
    MIN_MEMORY_MEGABYTES,
    PythonFunction,
    PythonFunctionArgs,
)
from functions.contract import environment, routes

STAGE = "$default"
"""The stage that needs no path of its own."""

INTEGRATION_TIMEOUT_SECONDS = 30
"""The longest that an HTTP API waits for its function; a hard limit ("Quotas for HTTP APIs")."""

FUNCTION_TIMEOUT_SECONDS = INTEGRATION_TIMEOUT_SECONDS - 5
"""Below the API's, so that it is the function that ends a slow request and logs it, cold start included."""

MAX_THROTTLE_RATE, MAX_THROTTLE_BURST = 10_000, 5_000
"""The account's default quotas for all of its APIs in a region ("Amazon API Gateway quotas")."""

FORM_LIFETIME_SECONDS = 15 * 60
"""How long a form that `POST /uploads` signed can be used."""

SCOPE_PATTERN, SCOPE_ALLOWED = r"[\x21\x23-\x5b\x5d-\x7e]+", "a scope token without spaces (RFC 6749, 3.3)"

ACCESS_LOG_FORMAT = json.dumps(
    {
        "time": "$context.requestTime",
        "request_id": "$context.requestId",
        "route": "$context.routeKey",
        "status": "$context.status",
        "source_ip": "$context.identity.sourceIp",
        "caller": "$context.identity.userArn",
        "subject": "$context.authorizer.claims.sub",
        "user_agent": "$context.identity.userAgent",
        "protocol": "$context.protocol",
        "response_length": "$context.responseLength",
        "response_latency": "$context.responseLatency",
        "integration_latency": "$context.integrationLatency",
        "integration_status": "$context.integrationStatus",
        "integration_error": "$context.integrationErrorMessage",
        "authorizer_error": "$context.authorizer.error",
        "error": "$context.error.message",
    }
)


@dataclass(frozen=True, kw_only=True)
class IamAuth:
    """Callers sign their requests (SigV4) and need `execute-api:Invoke`."""


@dataclass(frozen=True, kw_only=True)
class JwtAuth:
    """Callers send a bearer token of this issuer, for one of these audiences, with the scope of the route."""

    issuer: str
    audiences: Sequence[str]
    read_scope: str
    upload_scope: str

    def __post_init__(self) -> None:
        refuse(
            "JwtAuth",
            issuer_url("issuer", self.issuer),
            not_empty("audiences", self.audiences, "at least one audience"),
            unique("audiences", self.audiences),
            matches("read_scope", self.read_scope, SCOPE_PATTERN, SCOPE_ALLOWED),
            matches("upload_scope", self.upload_scope, SCOPE_PATTERN, SCOPE_ALLOWED),
        )


@dataclass(frozen=True, kw_only=True)
class _Authorization:
    """What a route asks of its callers."""

    type: str
    authorizer_id: pulumi.Input[str] | None = None
    scopes: list[str] | None = None


@dataclass(frozen=True, kw_only=True)
class LedgerApiArgs:
    """What an API is made of.

    `bucket_name` and `bucket_arn` are where uploads go, under `upload_prefix`. `throttle_rate` is in requests
    a second, `throttle_burst` in requests at once, both for the whole stage. Empty `allowed_origins` means no
    CORS at all.
    """

    common: CommonArgs
    ledger: Ledger
    bucket_name: pulumi.Input[str]
    bucket_arn: pulumi.Input[str]
    auth: IamAuth | JwtAuth
    max_receipt_megabytes: int
    upload_prefix: str = "uploads/"
    allowed_origins: Sequence[str] = ()
    throttle_rate: int = 50
    throttle_burst: int = 100
    memory_megabytes: int = 512

    def __post_init__(self) -> None:
        refuse(
            "LedgerApiArgs",
            between("max_receipt_megabytes", self.max_receipt_megabytes, 1, MAX_RECEIPT_MEGABYTES),
            not_empty("upload_prefix", self.upload_prefix, "folders that each end in /, such as uploads/"),
            matches("upload_prefix", self.upload_prefix, PREFIX_PATTERN, PREFIX_ALLOWED),
            *(origin("allowed_origins", site) for site in self.allowed_origins),
            unique("allowed_origins", self.allowed_origins),
            between("throttle_rate", self.throttle_rate, 1, MAX_THROTTLE_RATE),
            between("throttle_burst", self.throttle_burst, 1, MAX_THROTTLE_BURST),
            between("memory_megabytes", self.memory_megabytes, MIN_MEMORY_MEGABYTES, MAX_MEMORY_MEGABYTES),
        )


class LedgerApi(pulumi.ComponentResource):
    """The API over the ledger, which also signs uploads for callers without AWS credentials.

    Outputs: `url`, without a slash at its end, `execution_arn`, to name its routes in policies, and `api_id`;
    and `alarm_arns`, `log_groups` by what they log. `reader` and `uploads` are the functions.
    """

    def __init__(self, name: str, args: LedgerApiArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("bill-e:api:LedgerApi", name, None, opts)
        reader = self._reader(name, args)
        uploads = self._uploads(name, args)

        api = self._api(name, args)
        to_read, to_upload = self._door(name, args.auth, api)
        served = [
            *self._serve(f"{name}-reader", routes.READ, to_read, api, reader),
            *self._serve(f"{name}-uploads", routes.UPLOAD, to_upload, api, uploads),
        ]
        access_logs = self._access_logs(name, args.common)
        stage = self._stage(name, args, api, access_logs, served)
        alarms = api_alarms(api.id, STAGE, args.common.alarms.thresholds)
        own_alarms = create_alarms(name, alarms, args.common, self)

        self.reader = reader
        self.uploads = uploads
        self.alarm_arns = [*own_alarms, *reader.alarm_arns, *uploads.alarm_arns]
        self.log_groups = {
            "reader": reader.log_group_name,
            "uploads": uploads.log_group_name,
            "api": access_logs.name,
        }
        self.api_id = api.id
        self.url = stage.invoke_url.apply(lambda url: url.rstrip("/"))
        self.execution_arn = api.execution_arn
        self.register_outputs({"url": self.url, "execution_arn": self.execution_arn, "api_id": self.api_id})

    def _reader(self, name: str, args: LedgerApiArgs) -> PythonFunction:
        return PythonFunction(
            f"{name}-reader",
            PythonFunctionArgs(
                package="reader",
                shared=["api", "contract", "ledger"],
                description="Answers questions about the ledger",
                statements=policies.resolve(
                    policies.reader_statements,
                    table_arn=args.ledger.table_arn,
                    index_arn=args.ledger.index_arn,
                ),
                environment={
                    environment.LEDGER_TABLE: args.ledger.table_name,
                    environment.LEDGER_SHARDS: str(args.ledger.shards),
                },
                hooks=shards_hook(f"{name}-shards"),
                decrypts_via=["dynamodb"],
                common=args.common,
                timeout_seconds=FUNCTION_TIMEOUT_SECONDS,
                memory_megabytes=args.memory_megabytes,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _uploads(self, name: str, args: LedgerApiArgs) -> PythonFunction:
        return PythonFunction(
            f"{name}-uploads",
            PythonFunctionArgs(
                package="upload_forms",
                shared=["api", "contract", "ledger"],
                description="Signs forms to upload receipts with",
                statements=policies.resolve(
                    policies.uploads_statements,
                    table_arn=args.ledger.table_arn,
                    bucket_arn=args.bucket_arn,
                    prefix=args.upload_prefix,
                ),
                environment={
                    environment.LEDGER_TABLE: args.ledger.table_name,
                    environment.UPLOADS_BUCKET: args.bucket_name,
                    environment.FORM_PREFIX: args.upload_prefix,
                    environment.MAX_RECEIPT_BYTES: str(args.max_receipt_megabytes * 1024 * 1024),
                    environment.FORM_LIFETIME_SECONDS: str(FORM_LIFETIME_SECONDS),
                },
                decrypts_via=["dynamodb"],
                encrypts_via=["s3"],
                common=args.common,
                timeout_seconds=FUNCTION_TIMEOUT_SECONDS,
                memory_megabytes=args.memory_megabytes,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _api(self, name: str, args: LedgerApiArgs) -> aws.apigatewayv2.Api:
        cors = aws.apigatewayv2.ApiCorsConfigurationArgs(
            allow_origins=list(args.allowed_origins),
            allow_methods=["GET", "POST"],
            allow_headers=[
                *("authorization", "content-type"),
                *("x-amz-content-sha256", "x-amz-date", "x-amz-security-token"),
            ],
            max_age=3600,
        )
        return aws.apigatewayv2.Api(
            f"{name}-http",
            protocol_type="HTTP",
            description="The ledger of receipts",
            cors_configuration=cors if args.allowed_origins else None,
            tags=args.common.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _door(
        self, name: str, auth: IamAuth | JwtAuth, api: aws.apigatewayv2.Api
    ) -> tuple[_Authorization, _Authorization]:
        """Make what callers are let in by, and return what reading and what uploading asks of them."""
        if isinstance(auth, IamAuth):
            return _Authorization(type="AWS_IAM"), _Authorization(type="AWS_IAM")
        authorizer = aws.apigatewayv2.Authorizer(
            f"{name}-jwt",
            api_id=api.id,
            authorizer_type="JWT",
            identity_sources=["$request.header.Authorization"],
            jwt_configuration=aws.apigatewayv2.AuthorizerJwtConfigurationArgs(
                issuer=auth.issuer, audiences=list(auth.audiences)
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return (
            _Authorization(type="JWT", authorizer_id=authorizer.id, scopes=[auth.read_scope]),
            _Authorization(type="JWT", authorizer_id=authorizer.id, scopes=[auth.upload_scope]),
        )

    def _serve(
        self,
        name: str,
        route_keys: Sequence[str],
        authorization: _Authorization,
        api: aws.apigatewayv2.Api,
        function: PythonFunction,
    ) -> list[pulumi.Resource]:
        """Put a function behind routes, each with its authorization, and let only these routes call it.

        Return what it takes for a request to be answered.
        """
        child = pulumi.ResourceOptions(parent=self)
        integration = aws.apigatewayv2.Integration(
            f"{name}-integration",
            api_id=api.id,
            integration_type="AWS_PROXY",
            integration_uri=function.arn,
            payload_format_version="2.0",
            timeout_milliseconds=INTEGRATION_TIMEOUT_SECONDS * 1000,
            opts=child,
        )
        served: list[pulumi.Resource] = []
        for route_key in route_keys:
            label = "-".join(re.findall(r"[a-z]+", route_key.lower()))
            permission = aws.lambda_.Permission(
                f"{name}-{label}-permission",
                action="lambda:InvokeFunction",
                function=function.name,
                principal="apigateway.amazonaws.com",
                source_arn=pulumi.Output.concat(api.execution_arn, "/*/", route_key.replace(" ", "")),
                opts=child,
            )
            route = aws.apigatewayv2.Route(
                f"{name}-{label}-route",
                api_id=api.id,
                route_key=route_key,
                target=pulumi.Output.concat("integrations/", integration.id),
                authorization_type=authorization.type,
                authorizer_id=authorization.authorizer_id,
                authorization_scopes=authorization.scopes,
                opts=child,
            )
            served += [permission, route]
        return served

    def _access_logs(self, name: str, common: CommonArgs) -> aws.cloudwatch.LogGroup:
        return aws.cloudwatch.LogGroup(
            f"{name}-access-logs",
            # Under this prefix the groups share one line of the account's resource policy for logs, which API
            # Gateway writes and which holds 5,120 characters: any other name would add a line of its own.
            name_prefix=f"/aws/vendedlogs/{name}-",
            retention_in_days=common.log_retention_days,
            kms_key_id=common.key_arn,
            tags=common.tags,
            opts=protected(common, self),
        )

    def _stage(
        self,
        name: str,
        args: LedgerApiArgs,
        api: aws.apigatewayv2.Api,
        access_logs: aws.cloudwatch.LogGroup,
        served: Sequence[pulumi.Resource],
    ) -> aws.apigatewayv2.Stage:
        return aws.apigatewayv2.Stage(
            f"{name}-stage",
            api_id=api.id,
            name=STAGE,
            auto_deploy=True,
            access_log_settings=aws.apigatewayv2.StageAccessLogSettingsArgs(
                destination_arn=access_logs.arn, format=ACCESS_LOG_FORMAT
            ),
            default_route_settings=aws.apigatewayv2.StageDefaultRouteSettingsArgs(
                throttling_rate_limit=args.throttle_rate, throttling_burst_limit=args.throttle_burst
            ),
            tags=args.common.tags,
            # An output of the stage is then an API whose routes all answer.
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(served)),
        )
