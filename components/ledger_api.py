"""LedgerApi: the HTTP API over the ledger, its routes, their authorization, and the functions behind them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.alarms import api_alarms, create_alarms
from components.ingest_pipeline import IngestPipeline
from components.ledger import Ledger, shards_hook
from components.policies.documents import resolve
from components.policies.roles import file_links_statements, reader_statements, upload_forms_statements
from components.python_function import MemoryArgs, PythonFunction, PythonFunctionArgs, function_role
from components.stack_args import StackArgs, protected
from components.validation import (
    ISSUER_URL,
    UNIQUE,
    Checked,
    between,
    matching,
    not_empty,
    one_of,
    setting,
)
from functions.contract import capacity, http_api
from functions.contract.environment import (
    FileLinksEnvironment,
    ReaderEnvironment,
    UploadFormsEnvironment,
    write_environment,
)

STAGE = "$default"
"""The stage whose URL has no path."""

INTEGRATION_TIMEOUT_SECONDS = 30
"""How long an HTTP API waits for its function at most ("Quotas for HTTP APIs"); this can't be raised."""

FUNCTION_TIMEOUT_SECONDS = INTEGRATION_TIMEOUT_SECONDS - 5
"""Less than the API waits, cold start included, so that a function can end a slow request and log it."""

FORM_LIFETIME_SECONDS = 15 * 60
"""How long an upload form can be used."""

LINK_LIFETIME_SECONDS = 60
"""How long a link to a file can be used. Once a download has begun, it may take longer."""

FORM_FOLDER = "uploads/"
"""The folder, within the upload prefix, for objects that are uploaded with a form."""

SIGNS_FORMS = "Signs forms to upload receipts with"

IAM, JWT = "iam", "jwt"
A_SCOPE = matching(r"[\x21\x23-\x5b\x5d-\x7e]+", "a scope token without spaces (RFC 6749, 3.3)")

ACCESS_LOG_FORMAT = json.dumps(
    {
        "time": "$context.requestTime",
        "request_id": "$context.requestId",
        "route": "$context.routeKey",
        "path": "$context.path",
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


def _takes_tokens(settings: ApiSettings) -> bool:
    return settings.api_auth == JWT


@dataclass(frozen=True, kw_only=True)
class ApiSettings(Checked):
    """The API."""

    api_auth: str = setting(
        IAM,
        'How callers of the API authenticate: "iam" (requests signed with AWS credentials) or "jwt" (bearer '
        "tokens)",
        one_of(IAM, JWT),
    )
    jwt_issuer: str = setting(
        "", "With apiAuth jwt, the https URL of the token issuer", ISSUER_URL, when=_takes_tokens
    )
    jwt_audience: Sequence[str] = setting(
        (),
        "With apiAuth jwt, the audiences that a token may be issued for",
        not_empty("at least one audience with apiAuth jwt"),
        UNIQUE,
        when=_takes_tokens,
    )
    jwt_read_scope: str = setting(
        "receipts:read",
        "With apiAuth jwt, the scope that a token needs to read the ledger",
        A_SCOPE,
        when=_takes_tokens,
    )
    jwt_upload_scope: str = setting(
        "receipts:write",
        "With apiAuth jwt, the scope that a token needs to ask for an upload form",
        A_SCOPE,
        when=_takes_tokens,
    )
    jwt_files_scope: str = setting(
        "receipts:files",
        "With apiAuth jwt, the scope that a token needs to get the files of receipts",
        A_SCOPE,
        when=_takes_tokens,
    )
    # The quotas of an account for all of its APIs in a region ("Amazon API Gateway quotas") are the limits.
    throttle_rate: int = setting(
        50,
        "How many requests a second the API accepts, unless ledgerMaxReadUnits allows a route fewer",
        between(1, 10_000),
    )
    throttle_burst: int = setting(
        100,
        "How many requests the API accepts at once, unless ledgerMaxReadUnits allows a route fewer",
        between(1, 5_000),
    )


@dataclass(frozen=True, kw_only=True)
class LedgerApiArgs(ApiSettings, MemoryArgs):
    """The args of an API. Its upload forms are for the bucket of `ingest`, whose `form_signer` signs them."""

    stack: StackArgs
    ledger: Ledger
    ingest: IngestPipeline


@dataclass(frozen=True, kw_only=True)
class _Authorization:
    """The authorization that a route requires."""

    type: str
    authorizer_id: pulumi.Input[str] | None = None
    scopes: list[str] | None = None


def form_signer(name: str, stack: StackArgs, opts: pulumi.ResourceOptions) -> aws.iam.Role:
    """Make the role of the upload-forms function of the API with this name.

    The processor has to know it, so it comes before both. In release 0.1, the function made it.
    """
    function = "bill-e:api:LedgerApi$bill-e:function:PythonFunction"
    maker = f"urn:pulumi:{pulumi.get_stack()}::{pulumi.get_project()}::{function}::{name}-uploads"
    once = pulumi.ResourceOptions(aliases=[pulumi.Alias(parent=maker)])
    return function_role(f"{name}-uploads", SIGNS_FORMS, stack, pulumi.ResourceOptions.merge(opts, once))


class LedgerApi(pulumi.ComponentResource):
    """The API over the ledger, which also signs upload forms for callers, and links to files for auditors.

    Outputs: `url`, without a slash at its end, `execution_arn`, to name its routes in policies, and `api_id`.
    It also has the functions `reader`, `file_links` and `upload_forms`, `alarm_arns`, `log_groups` by what
    they log, and `audit_log_arns`, the ARNs of the groups that say who asked for what.
    """

    def __init__(self, name: str, args: LedgerApiArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("bill-e:api:LedgerApi", name, None, opts)
        reader = self._reader(name, args)
        file_links = self._file_links(name, args)
        upload_forms = self._upload_forms(name, args)

        api = self._api(name, args)
        allowed = self._authorization(name, args, api)
        reading, showing, uploading = (
            allowed(scope) for scope in (args.jwt_read_scope, args.jwt_files_scope, args.jwt_upload_scope)
        )
        served = [
            *self._serve(f"{name}-reader", http_api.READ_ROUTES, reading, api, reader),
            *self._serve(f"{name}-files", http_api.FILE_ROUTES, showing, api, file_links),
            *self._serve(f"{name}-uploads", http_api.UPLOAD_ROUTES, uploading, api, upload_forms),
        ]
        access_logs = self._access_logs(name, args.stack)
        stage = self._stage(name, args, api, access_logs, served)
        alarms = api_alarms(api.id, STAGE, args.stack)
        own_alarms = create_alarms(name, alarms, args.stack, self)

        self.reader = reader
        self.file_links = file_links
        self.upload_forms = upload_forms
        self.alarm_arns = [
            *own_alarms,
            *(arn for function in (reader, file_links, upload_forms) for arn in function.alarm_arns),
        ]
        self.log_groups = {
            "reader": reader.log_group_name,
            "files": file_links.log_group_name,
            "uploads": upload_forms.log_group_name,
            "api": access_logs.name,
        }
        self.audit_log_arns = [access_logs.arn, file_links.log_group_arn, upload_forms.log_group_arn]
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
                statements=resolve(
                    reader_statements, table_arn=args.ledger.table.arn, index_arn=args.ledger.index_arn
                ),
                environment=write_environment(
                    ReaderEnvironment,
                    ledger_table=args.ledger.table.name,
                    ledger_shards=args.ledger.shards,
                ),
                hooks=shards_hook(f"{name}-shards"),
                decrypts_via=["dynamodb"],
                stack=args.stack,
                timeout_seconds=FUNCTION_TIMEOUT_SECONDS,
                memory_megabytes=args.memory_megabytes,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _file_links(self, name: str, args: LedgerApiArgs) -> PythonFunction:
        ingest = args.ingest
        return PythonFunction(
            f"{name}-files",
            PythonFunctionArgs(
                package="file_links",
                shared=["api", "contract", "ledger"],
                description="Signs links to the files of receipts",
                statements=resolve(
                    file_links_statements,
                    table_arn=args.ledger.table.arn,
                    bucket_arn=ingest.bucket.arn,
                    upload_prefix=ingest.args.upload_prefix,
                ),
                environment=write_environment(
                    FileLinksEnvironment,
                    ledger_table=args.ledger.table.name,
                    location=ingest.location,
                    link_lifetime_seconds=LINK_LIFETIME_SECONDS,
                ),
                decrypts_via=["dynamodb", "s3"],
                stack=args.stack,
                timeout_seconds=FUNCTION_TIMEOUT_SECONDS,
                memory_megabytes=args.memory_megabytes,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _upload_forms(self, name: str, args: LedgerApiArgs) -> PythonFunction:
        ingest = args.ingest
        form_prefix = f"{ingest.args.upload_prefix}{FORM_FOLDER}"
        return PythonFunction(
            f"{name}-uploads",
            PythonFunctionArgs(
                package="upload_forms",
                shared=["api", "contract", "ledger"],
                description=SIGNS_FORMS,
                role=ingest.args.form_signer,
                statements=resolve(
                    upload_forms_statements,
                    table_arn=args.ledger.table.arn,
                    bucket_arn=ingest.bucket.arn,
                    upload_prefix=ingest.args.upload_prefix,
                    form_prefix=form_prefix,
                ),
                environment=write_environment(
                    UploadFormsEnvironment,
                    ledger_table=args.ledger.table.name,
                    location=ingest.location,
                    form_prefix=form_prefix,
                    form_lifetime_seconds=FORM_LIFETIME_SECONDS,
                    max_receipt_bytes=ingest.args.max_receipt_bytes,
                ),
                decrypts_via=["dynamodb"],
                encrypts_via=["s3"],
                stack=args.stack,
                timeout_seconds=FUNCTION_TIMEOUT_SECONDS,
                memory_megabytes=args.memory_megabytes,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _api(self, name: str, args: LedgerApiArgs) -> aws.apigatewayv2.Api:
        origins = list(args.ingest.args.allowed_origins)
        cors = aws.apigatewayv2.ApiCorsConfigurationArgs(
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            allow_headers=[
                # SDKs for browsers send the first two and the last one.
                *("amz-sdk-invocation-id", "amz-sdk-request", "authorization", "content-type"),
                *("x-amz-content-sha256", "x-amz-date", "x-amz-security-token", "x-amz-user-agent"),
            ],
            max_age=3600,
        )
        return aws.apigatewayv2.Api(
            f"{name}-http",
            protocol_type="HTTP",
            description="The ledger of receipts",
            cors_configuration=cors if origins else None,
            tags=args.stack.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _authorization(
        self, name: str, args: LedgerApiArgs, api: aws.apigatewayv2.Api
    ) -> Callable[[str], _Authorization]:
        """Return what a route requires, by the scope for it; make the authorizer for tokens."""
        if not _takes_tokens(args):
            return lambda _: _Authorization(type="AWS_IAM")
        authorizer = aws.apigatewayv2.Authorizer(
            f"{name}-jwt",
            api_id=api.id,
            authorizer_type="JWT",
            identity_sources=["$request.header.Authorization"],
            jwt_configuration=aws.apigatewayv2.AuthorizerJwtConfigurationArgs(
                issuer=args.jwt_issuer, audiences=list(args.jwt_audience)
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return lambda scope: _Authorization(type="JWT", authorizer_id=authorizer.id, scopes=[scope])

    def _serve(
        self,
        name: str,
        route_keys: Sequence[str],
        authorization: _Authorization,
        api: aws.apigatewayv2.Api,
        function: PythonFunction,
    ) -> list[pulumi.Resource]:
        """Put a function behind routes, and let only these routes call it.

        Return the resources that have to exist before a request can be answered.
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

    def _access_logs(self, name: str, stack: StackArgs) -> aws.cloudwatch.LogGroup:
        return aws.cloudwatch.LogGroup(
            f"{name}-access-logs",
            # API Gateway adds each log group to the account's resource policy for logs, which can have 5,120
            # characters. All groups with this prefix share one entry.
            name_prefix=f"/aws/vendedlogs/{name}-",
            retention_in_days=stack.log_retention_days,
            kms_key_id=stack.key_arn,
            tags=stack.tags,
            opts=protected(stack, self),
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
            route_settings=[self._limits(route_key, args) for route_key in http_api.ROUTES],
            tags=args.stack.tags,
            # So all routes exist before anything can use an output of the stage.
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(served)),
        )

    def _limits(self, route_key: str, args: LedgerApiArgs) -> aws.apigatewayv2.StageRouteSettingArgs:
        """Limit a route to what it can ask of the ledger without using up the ledger's cap on read units."""
        most = capacity.most_requests(
            route_key, shards=args.ledger.shards, max_read_units=args.ledger.max_read_units
        )
        return aws.apigatewayv2.StageRouteSettingArgs(
            route_key=route_key,
            throttling_rate_limit=min(args.throttle_rate, most),
            throttling_burst_limit=min(args.throttle_burst, most),
        )
