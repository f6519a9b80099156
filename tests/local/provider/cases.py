"""A case for every type of the provider's table: its inputs, and what happens to them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any

from local.aws import Aws
from local.provider.resource_types import Existing
from tests.local.account import LAMBDA_TRUST, Account, code, policy

Inputs = Mapping[str, Any]
Drift = Callable[[Aws, Existing], object]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """A type's inputs, and what happens to them.

    ``changed`` holds other values for some inputs, and ``optional`` names inputs that can be taken back.
    ``drift`` changes by hand what ``drifted`` names, or deletes the resource if ``drifted`` is empty.
    ``left`` names the properties that AWS resets when the resource is deleted, since it always has them.
    """

    type: str
    inputs: Callable[[Account], dict[str, Any]]
    changed: Callable[[Account], dict[str, Any]] = lambda _account: {}
    optional: tuple[str, ...] = ()
    drift: Drift
    drifted: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.type.rpartition(":")[2]


OWN_ACCOUNT = {"AWS": "000000000000"}
TAGS = {"project": "bill-e", "stack": "test"}
OTHER_TAGS = {"project": "bill-e", "team": "audit"}


def on_bucket(**inputs: Any) -> Callable[[Account], dict[str, Any]]:
    """The inputs of a configuration, for a bucket of its own."""
    return lambda account: {"bucket": account.bucket(), **inputs}


def set_queue(**attributes: str) -> Drift:
    return lambda aws, queue: aws.client("sqs").set_queue_attributes(
        QueueUrl=queue.id,
        Attributes=attributes,  # type: ignore[arg-type]
    )


def _redrive_policy(account: Account, count: int = 5) -> str:
    return json.dumps({"deadLetterTargetArn": account.queue_arn(), "maxReceiveCount": count})


def table_inputs(account: Account) -> dict[str, Any]:
    return {
        "attributes": [{"name": name, "type": "S"} for name in ("id", "at", "month")],
        "billingMode": "PAY_PER_REQUEST",
        "deletionProtectionEnabled": False,
        "globalSecondaryIndexes": [
            {
                "name": "by_month",
                "keySchemas": [
                    {"attributeName": "month", "keyType": "HASH"},
                    {"attributeName": "at", "keyType": "RANGE"},
                ],
                "projectionType": "ALL",
                "onDemandThroughput": {"maxReadRequestUnits": 10, "maxWriteRequestUnits": 10},
            }
        ],
        "hashKey": "id",
        "onDemandThroughput": {"maxReadRequestUnits": 10, "maxWriteRequestUnits": 10},
        "pointInTimeRecovery": {"enabled": True, "recoveryPeriodInDays": 7},
        "rangeKey": "at",
        "serverSideEncryption": {"enabled": True, "kmsKeyArn": account.key().outputs["arn"]},
        "tags": TAGS,
    }


def _changed_table(account: Account) -> dict[str, Any]:
    return {
        "attributes": [{"name": name, "type": "S"} for name in ("id", "at", "month", "day")],
        "deletionProtectionEnabled": True,
        "globalSecondaryIndexes": [
            {
                **table_inputs(account)["globalSecondaryIndexes"][0],
                "onDemandThroughput": {"maxReadRequestUnits": 20, "maxWriteRequestUnits": 20},
            },
            {"name": "by_day", "hashKey": "day", "projectionType": "KEYS_ONLY"},
        ],
        "onDemandThroughput": {"maxReadRequestUnits": 20, "maxWriteRequestUnits": 30},
        "pointInTimeRecovery": {"enabled": True, "recoveryPeriodInDays": 35},
        "serverSideEncryption": {"enabled": True, "kmsKeyArn": account.key().outputs["arn"]},
        "tableClass": "STANDARD_INFREQUENT_ACCESS",
        "tags": OTHER_TAGS,
    }


def _function_inputs(account: Account) -> dict[str, Any]:
    layer = account.make("aws:lambda/layerVersion:LayerVersion", {"layerName": "l", "code": code()})
    return {
        **account.function_inputs(),
        "architectures": ["x86_64"],
        "description": "counts",
        "environment": {"variables": {"TABLE": "t", "empty": ""}},
        "ephemeralStorage": {"size": 1024},
        "layers": [layer.id],
        "loggingConfig": {"logFormat": "JSON", "logGroup": "/own"},
        "memorySize": 256,
        "packageType": "Zip",
        "publish": True,
        "reservedConcurrentExecutions": 2,
        "tags": TAGS,
        "timeout": 30,
        "tracingConfig": {"mode": "Active"},
    }


def _starve(aws: Aws, function: Existing) -> None:
    aws.client("lambda").update_function_configuration(
        FunctionName=function.id, MemorySize=128, Timeout=1, Environment={"Variables": {"TABLE": "other"}}
    )


def _repermit(aws: Aws, permission: Existing) -> None:
    functions, function = aws.client("lambda"), permission.inputs["function"]
    functions.remove_permission(FunctionName=function, StatementId=permission.id, Qualifier="1")
    functions.add_permission(
        FunctionName=function,
        StatementId=permission.id,
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        Qualifier="1",
    )


def _open_bucket(aws: Aws, bucket: Existing) -> None:
    text = policy(Principal=OWN_ACCOUNT, Action="s3:*", Resource=f"arn:aws:s3:::{bucket.id}/*")
    aws.client("s3").put_bucket_policy(Bucket=bucket.id, Policy=text)


def _bucket_policy(bucket: str) -> dict[str, Any]:
    resource = f"arn:aws:s3:::{bucket}/*"
    return {
        "bucket": bucket,
        "policy": policy(Principal=OWN_ACCOUNT, Action="s3:PutObject", Resource=resource),
    }


def notified(account: Account) -> dict[str, Any]:
    queue = account.queue()
    account.make(
        "aws:sqs/queuePolicy:QueuePolicy",
        {
            "queueUrl": queue.id,
            "policy": policy(
                Principal={"Service": "s3.amazonaws.com"},
                Action="sqs:SendMessage",
                Resource=queue.outputs["arn"],
            ),
        },
    )
    return {
        "queueArn": queue.outputs["arn"],
        "events": ["s3:ObjectCreated:*"],
        "filterPrefix": "receipts/",
        "filterSuffix": ".png",
    }


def _alarm(**inputs: Any) -> dict[str, Any]:
    return {
        "comparisonOperator": "GreaterThanOrEqualToThreshold",
        "evaluationPeriods": 1,
        "metricName": "Errors",
        "namespace": "AWS/Lambda",
        "period": 300,
        "threshold": 1,
        **inputs,
    }


CASES = [
    Case(
        type="aws:apigatewayv2/api:Api",
        inputs=lambda _: {
            "corsConfiguration": {"allowOrigins": ["https://a.example"], "allowMethods": ["GET", "POST"]},
            "description": "receipts",
            "disableExecuteApiEndpoint": True,
            "name": "receipts",
            "protocolType": "HTTP",
            "tags": TAGS,
        },
        changed=lambda _: {
            "corsConfiguration": {"allowOrigins": ["https://b.example"], "maxAge": 60},
            "description": "entries",
            "disableExecuteApiEndpoint": False,
            "name": "entries",
            "tags": OTHER_TAGS,
        },
        optional=("corsConfiguration", "description", "disableExecuteApiEndpoint", "tags"),
        drift=lambda aws, api: aws.client("apigatewayv2").update_api(
            ApiId=api.id, CorsConfiguration={"AllowOrigins": ["*"]}
        ),
        drifted=("corsConfiguration",),
    ),
    Case(
        type="aws:apigatewayv2/authorizer:Authorizer",
        inputs=lambda account: {
            "apiId": account.api(),
            "authorizerType": "JWT",
            "identitySources": ["$request.header.Authorization"],
            "jwtConfiguration": {"audiences": ["bill-e"], "issuer": "https://issuer.example"},
        },
        changed=lambda _: {
            "jwtConfiguration": {"audiences": ["bill-e", "front-end"], "issuer": "https://other.example"},
            "name": "tokens",
        },
        drift=lambda aws, one: aws.client("apigatewayv2").update_authorizer(
            ApiId=one.inputs["apiId"],
            AuthorizerId=one.id,
            JwtConfiguration={"Audience": ["bill-e"], "Issuer": "https://rogue.example"},
        ),
        drifted=("jwtConfiguration",),
    ),
    Case(
        type="aws:apigatewayv2/integration:Integration",
        inputs=lambda account: {
            "apiId": account.api(),
            "connectionType": "INTERNET",
            "description": "reads",
            "integrationMethod": "POST",
            "integrationType": "AWS_PROXY",
            "integrationUri": account.function().outputs["arn"],
            "payloadFormatVersion": "2.0",
            "timeoutMilliseconds": 29000,
        },
        changed=lambda account: {
            "description": "reads more",
            "integrationUri": account.function().outputs["arn"],
            "timeoutMilliseconds": 5000,
        },
        optional=("connectionType", "description", "integrationMethod", "payloadFormatVersion"),
        drift=lambda aws, one: aws.client("apigatewayv2").update_integration(
            ApiId=one.inputs["apiId"], IntegrationId=one.id, TimeoutInMillis=50
        ),
        drifted=("timeoutMilliseconds",),
    ),
    Case(
        type="aws:apigatewayv2/route:Route",
        inputs=lambda account: _route(account, account.api()),
        changed=lambda _: {
            "authorizationScopes": ["receipts:read"],
            "authorizationType": "JWT",
            "authorizerId": "tokens",
            "operationName": "other",
            "routeKey": "GET /entries",
        },
        optional=("authorizationType", "operationName"),
        drift=lambda aws, route: aws.client("apigatewayv2").update_route(
            ApiId=route.inputs["apiId"], RouteId=route.id, AuthorizationType="NONE"
        ),
        drifted=("authorizationType",),
    ),
    Case(
        type="aws:apigatewayv2/stage:Stage",
        inputs=lambda account: {
            "accessLogSettings": {"destinationArn": "arn:aws:logs:us-east-1:0:log-group:g", "format": "$x"},
            "apiId": account.api(),
            "autoDeploy": True,
            "defaultRouteSettings": {"throttlingBurstLimit": 10, "throttlingRateLimit": 20},
            "description": "the one",
            "routeSettings": [
                {"routeKey": "GET /receipts", "throttlingBurstLimit": 5, "throttlingRateLimit": 6},
                {"routeKey": "POST /uploads", "throttlingBurstLimit": 7, "throttlingRateLimit": 8},
            ],
            "name": "$default",
            "tags": TAGS,
        },
        changed=lambda _: {
            "accessLogSettings": {"destinationArn": "arn:aws:logs:us-east-1:0:log-group:h", "format": "$y"},
            "autoDeploy": False,
            "defaultRouteSettings": {"throttlingBurstLimit": 30, "throttlingRateLimit": 40.5},
            "routeSettings": [
                {"routeKey": "GET /receipts", "throttlingBurstLimit": 5, "throttlingRateLimit": 7},
            ],
            "tags": OTHER_TAGS,
        },
        optional=(
            *("accessLogSettings", "autoDeploy", "defaultRouteSettings", "description", "routeSettings"),
            "tags",
        ),
        drift=lambda aws, stage: aws.client("apigatewayv2").update_stage(
            ApiId=stage.inputs["apiId"],
            StageName=stage.id,
            DefaultRouteSettings={"ThrottlingBurstLimit": 1, "ThrottlingRateLimit": 20},
            RouteSettings={"GET /receipts": {"ThrottlingBurstLimit": 5, "ThrottlingRateLimit": 600}},
        ),
        drifted=("defaultRouteSettings", "routeSettings"),
    ),
    Case(
        type="aws:cloudwatch/dashboard:Dashboard",
        inputs=lambda _: {"dashboardName": "board", "dashboardBody": '{"widgets": [], "start": "-PT1H"}'},
        changed=lambda _: {"dashboardBody": '{"widgets": [], "start": "-PT2H"}'},
        drift=lambda aws, one: aws.client("cloudwatch").put_dashboard(
            DashboardName=one.id, DashboardBody='{"widgets": []}'
        ),
        drifted=("dashboardBody",),
    ),
    Case(
        type="aws:cloudwatch/eventRule:EventRule",
        inputs=lambda _: {
            "description": "now and then",
            "scheduleExpression": "rate(15 minutes)",
            "state": "DISABLED",
            "tags": TAGS,
        },
        changed=lambda _: {"scheduleExpression": "rate(1 hour)", "tags": OTHER_TAGS},
        optional=("description", "state", "tags"),
        drift=lambda aws, rule: aws.client("events").put_rule(
            Name=rule.id, Description="by hand", ScheduleExpression="rate(2 days)", State="ENABLED"
        ),
        drifted=("description", "scheduleExpression", "state"),
    ),
    Case(
        type="aws:cloudwatch/eventTarget:EventTarget",
        inputs=lambda account: {
            "arn": account.function().outputs["arn"],
            "rule": account.rule(),
            "targetId": "reconciler",
        },
        changed=lambda account: {"arn": account.function().outputs["arn"]},
        drift=lambda aws, target: aws.client("events").remove_targets(
            Rule=target.inputs["rule"], Ids=[target.outputs["targetId"]]
        ),
    ),
    Case(
        type="aws:cloudwatch/logGroup:LogGroup",
        inputs=lambda account: {
            "kmsKeyId": account.key().outputs["arn"],
            "namePrefix": "/aws/thing-",
            "retentionInDays": 7,
            "tags": TAGS,
        },
        changed=lambda account: {
            "kmsKeyId": account.key().outputs["arn"],
            "retentionInDays": 14,
            "tags": OTHER_TAGS,
        },
        optional=("kmsKeyId", "retentionInDays", "tags"),
        drift=lambda aws, group: aws.client("logs").delete_retention_policy(logGroupName=group.id),
        drifted=("retentionInDays",),
    ),
    Case(
        type="aws:cloudwatch/metricAlarm:MetricAlarm",
        inputs=lambda account: _alarm(
            actionsEnabled=False,
            alarmActions=[account.topic(), account.topic()],
            alarmDescription="too many",
            datapointsToAlarm=1,
            dimensions={"FunctionName": "f", "Resource": "r"},
            insufficientDataActions=[account.topic()],
            okActions=[account.topic()],
            statistic="Sum",
            tags=TAGS,
            treatMissingData="notBreaching",
            unit="Count",
        ),
        changed=lambda _: {
            "dimensions": {"FunctionName": "g"},
            "evaluationPeriods": 2,
            "extendedStatistic": "p99",
            "statistic": None,
            "tags": OTHER_TAGS,
            "threshold": 1.5,
        },
        optional=(
            *("actionsEnabled", "alarmActions", "alarmDescription", "dimensions", "insufficientDataActions"),
            *("okActions", "tags", "treatMissingData", "unit"),
        ),
        drift=lambda aws, alarm: aws.client("cloudwatch").delete_alarms(AlarmNames=[alarm.id]),
    ),
    Case(
        type="aws:dynamodb/table:Table",
        inputs=table_inputs,
        changed=_changed_table,
        optional=("onDemandThroughput", "pointInTimeRecovery", "serverSideEncryption", "tags"),
        drift=lambda aws, table: aws.client("dynamodb").update_table(
            TableName=table.id, DeletionProtectionEnabled=True
        ),
        drifted=("deletionProtectionEnabled",),
    ),
    Case(
        type="aws:iam/role:Role",
        inputs=lambda _: {
            "assumeRolePolicy": LAMBDA_TRUST,
            "description": "reads",
            "maxSessionDuration": 7200,
            "path": "/bill-e/",
            "tags": TAGS,
        },
        changed=lambda _: {
            "assumeRolePolicy": LAMBDA_TRUST.replace("lambda", "events"),
            "description": "writes",
            "maxSessionDuration": 3600,
            "tags": OTHER_TAGS,
        },
        optional=("description", "maxSessionDuration", "tags"),
        drift=lambda aws, role: aws.client("iam").update_assume_role_policy(
            RoleName=role.id, PolicyDocument=LAMBDA_TRUST.replace("lambda", "ec2")
        ),
        drifted=("assumeRolePolicy",),
    ),
    Case(
        type="aws:iam/rolePolicy:RolePolicy",
        inputs=lambda account: {
            "policy": policy(Action="s3:GetObject", Resource=["arn:aws:s3:::a/*", "arn:aws:s3:::b/*"]),
            "role": account.role().id,
        },
        changed=lambda _: {"policy": policy(Action=["s3:GetObject", "s3:PutObject"], Resource="*")},
        drift=lambda aws, one: aws.client("iam").put_role_policy(
            RoleName=one.inputs["role"],
            PolicyName=one.outputs["name"],
            PolicyDocument=policy(Action="*", Resource="*"),
        ),
        drifted=("policy",),
    ),
    Case(
        type="aws:kms/alias:Alias",
        inputs=lambda account: {"namePrefix": "alias/own-", "targetKeyId": account.key().outputs["arn"]},
        changed=lambda account: {"targetKeyId": account.key().id},
        drift=lambda aws, alias: aws.client("kms").delete_alias(AliasName=alias.id),
    ),
    Case(
        type="aws:kms/key:Key",
        inputs=lambda _: {
            "customerMasterKeySpec": "SYMMETRIC_DEFAULT",
            "deletionWindowInDays": 7,
            "description": "uploads",
            "enableKeyRotation": True,
            "keyUsage": "ENCRYPT_DECRYPT",
            "multiRegion": True,
            "policy": policy(Principal=OWN_ACCOUNT, Action="kms:*", Resource="*"),
            "rotationPeriodInDays": 180,
            "tags": TAGS,
        },
        changed=lambda _: {
            "deletionWindowInDays": 30,
            "description": "messages",
            "policy": policy(Principal=OWN_ACCOUNT, Action=["kms:*"], Resource=["*"]),
            "rotationPeriodInDays": 365,
            "tags": OTHER_TAGS,
        },
        optional=("deletionWindowInDays", "enableKeyRotation", "rotationPeriodInDays", "tags"),
        drift=lambda aws, key: aws.client("kms").disable_key_rotation(KeyId=key.id),
        drifted=("enableKeyRotation",),
    ),
    Case(
        type="aws:lambda/eventSourceMapping:EventSourceMapping",
        inputs=lambda account: {
            "batchSize": 5,
            "enabled": False,
            "eventSourceArn": account.queue_arn(),
            "functionName": account.function().id,
            "functionResponseTypes": ["ReportBatchItemFailures"],
            "maximumBatchingWindowInSeconds": 1,
            "scalingConfig": {"maximumConcurrency": 2},
            "tags": TAGS,
        },
        changed=lambda account: {
            "batchSize": 6,
            "functionName": account.function().outputs["arn"],
            "maximumBatchingWindowInSeconds": 2,
            "scalingConfig": {"maximumConcurrency": 3},
            "tags": OTHER_TAGS,
        },
        optional=(
            *("batchSize", "enabled", "functionResponseTypes", "maximumBatchingWindowInSeconds"),
            *("scalingConfig", "tags"),
        ),
        drift=lambda aws, one: aws.client("lambda").update_event_source_mapping(UUID=one.id, BatchSize=1),
        drifted=("batchSize",),
    ),
    Case(
        type="aws:lambda/function:Function",
        inputs=_function_inputs,
        changed=lambda _: {
            "architectures": ["arm64"],
            "code": code("def handler(event, context): return 2"),
            "description": "counts more",
            "environment": {"variables": {"TABLE": "u"}},
            "ephemeralStorage": {"size": 2048},
            "loggingConfig": {"logFormat": "JSON", "logGroup": "/other"},
            "memorySize": 512,
            "reservedConcurrentExecutions": 0,
            "tags": OTHER_TAGS,
            "timeout": 60,
            "tracingConfig": {"mode": "PassThrough"},
        },
        optional=(
            *("description", "environment", "ephemeralStorage", "layers", "loggingConfig", "memorySize"),
            *("reservedConcurrentExecutions", "tags", "timeout", "tracingConfig"),
        ),
        drift=_starve,
        drifted=("environment", "memorySize", "timeout"),
    ),
    Case(
        type="aws:lambda/layerVersion:LayerVersion",
        inputs=lambda _: {
            "code": code(),
            "compatibleArchitectures": ["arm64"],
            "compatibleRuntimes": ["python3.13", "python3.12"],
            "description": "libraries",
            "layerName": "libraries",
            "licenseInfo": "MIT",
            "skipDestroy": False,
            "sourceCodeHash": "a hash",
        },
        drift=lambda aws, layer: aws.client("lambda").delete_layer_version(
            LayerName="libraries", VersionNumber=int(layer.outputs["version"])
        ),
    ),
    Case(
        type="aws:lambda/permission:Permission",
        inputs=lambda account: {
            "action": "lambda:InvokeFunction",
            "function": account.function(publish=True).id,
            "principal": "apigateway.amazonaws.com",
            "qualifier": "1",
            "sourceAccount": "000000000000",
            "sourceArn": "arn:aws:execute-api:us-east-1:000000000000:api/*/GET/receipts",
        },
        drift=_repermit,
        drifted=("sourceAccount", "sourceArn"),
    ),
    Case(
        type="aws:s3/bucket:Bucket",
        inputs=lambda _: {"forceDestroy": False, "objectLockEnabled": True, "tags": TAGS},
        changed=lambda _: {"forceDestroy": True, "tags": OTHER_TAGS},
        optional=("forceDestroy", "tags"),
        drift=lambda aws, bucket: aws.client("s3").delete_bucket_tagging(Bucket=bucket.id),
        drifted=("tags",),
    ),
    Case(
        type="aws:s3/bucketCorsConfiguration:BucketCorsConfiguration",
        inputs=on_bucket(
            corsRules=[
                {
                    "id": "forms",
                    "allowedHeaders": ["content-type", "x-amz-*"],
                    "allowedMethods": ["POST", "PUT"],
                    "allowedOrigins": ["https://a.example"],
                    "exposeHeaders": ["etag"],
                    "maxAgeSeconds": 60,
                },
                {"allowedMethods": ["GET"], "allowedOrigins": ["*"]},
            ]
        ),
        changed=lambda _: {
            "corsRules": [{"allowedMethods": ["PUT"], "allowedOrigins": ["https://b.example"]}]
        },
        drift=lambda aws, bucket: aws.client("s3").put_bucket_cors(
            Bucket=bucket.id,
            CORSConfiguration={"CORSRules": [{"AllowedMethods": ["PUT"], "AllowedOrigins": ["*"]}]},
        ),
        drifted=("corsRules",),
    ),
    Case(
        type="aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        inputs=on_bucket(
            rules=[
                {
                    "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
                    "filter": {"prefix": ""},
                    "id": "abort",
                    "status": "Enabled",
                },
                {
                    "expiration": {"days": 30},
                    "filter": {"prefix": "logs/"},
                    "id": "expire",
                    "noncurrentVersionExpiration": {"noncurrentDays": 1, "newerNoncurrentVersions": 2},
                    "status": "Enabled",
                },
                {"expiration": {"expiredObjectDeleteMarker": True}, "id": "markers", "status": "Disabled"},
            ]
        ),
        changed=lambda _: {"rules": [{"expiration": {"days": 1}, "id": "expire", "status": "Enabled"}]},
        drift=lambda aws, bucket: aws.client("s3").delete_bucket_lifecycle(Bucket=bucket.id),
    ),
    Case(
        type="aws:s3/bucketLogging:BucketLogging",
        inputs=lambda account: {
            "bucket": account.bucket(),
            "targetBucket": account.bucket(),
            "targetPrefix": "uploads/",
        },
        changed=lambda _: {"targetPrefix": "all/"},
        drift=lambda aws, bucket: aws.client("s3").put_bucket_logging(
            Bucket=bucket.id, BucketLoggingStatus={}
        ),
    ),
    Case(
        type="aws:s3/bucketNotification:BucketNotification",
        inputs=lambda account: {"bucket": account.bucket(), "queues": [notified(account)]},
        changed=lambda account: {"queues": [{**notified(account), "id": "receipts", "filterPrefix": "new/"}]},
        drift=lambda aws, bucket: aws.client("s3").put_bucket_notification_configuration(
            Bucket=bucket.id,
            NotificationConfiguration={
                "QueueConfigurations": [
                    {"QueueArn": bucket.inputs["queues"][0]["queueArn"], "Events": ["s3:ObjectRemoved:*"]}
                ]
            },
        ),
        drifted=("queues",),
    ),
    Case(
        type="aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
        inputs=lambda account: {
            "bucket": account.versioned_bucket(),
            "rule": {"defaultRetention": {"days": 3, "mode": "GOVERNANCE"}},
        },
        changed=lambda _: {"rule": {"defaultRetention": {"years": 1, "mode": "COMPLIANCE"}}},
        drift=lambda aws, bucket: aws.client("s3").put_object_lock_configuration(
            Bucket=bucket.id, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}
        ),
    ),
    Case(
        type="aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        inputs=on_bucket(rule={"objectOwnership": "BucketOwnerEnforced"}),
        changed=lambda _: {"rule": {"objectOwnership": "BucketOwnerPreferred"}},
        drift=lambda aws, bucket: aws.client("s3").put_bucket_ownership_controls(
            Bucket=bucket.id, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
        ),
        drifted=("rule",),
    ),
    Case(
        type="aws:s3/bucketPolicy:BucketPolicy",
        inputs=lambda account: _bucket_policy(account.bucket()),
        changed=lambda _: {"policy": policy(Principal=OWN_ACCOUNT, Action="s3:GetObject", Resource="*")},
        drift=_open_bucket,
        drifted=("policy",),
    ),
    Case(
        type="aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        inputs=on_bucket(
            blockPublicAcls=True, blockPublicPolicy=True, ignorePublicAcls=True, restrictPublicBuckets=True
        ),
        changed=lambda _: {"blockPublicAcls": False},
        optional=("blockPublicPolicy", "ignorePublicAcls"),
        drift=lambda aws, bucket: aws.client("s3").delete_public_access_block(Bucket=bucket.id),
    ),
    Case(
        type="aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        inputs=lambda account: {
            "bucket": account.bucket(),
            "rules": [_encryption_rule(account.key().outputs["arn"])],
        },
        changed=lambda account: {"rules": [_encryption_rule(account.key().outputs["arn"])]},
        drift=lambda aws, bucket: aws.client("s3").delete_bucket_encryption(Bucket=bucket.id),
        drifted=("rules",),
        # Every bucket has had a default encryption since January 2023.
        left=("rules",),
    ),
    Case(
        type="aws:s3/bucketVersioning:BucketVersioning",
        inputs=on_bucket(versioningConfiguration={"status": "Enabled"}),
        changed=lambda _: {"versioningConfiguration": {"status": "Suspended"}},
        drift=lambda aws, bucket: aws.client("s3").put_bucket_versioning(
            Bucket=bucket.id, VersioningConfiguration={"Status": "Suspended"}
        ),
        drifted=("versioningConfiguration",),
        # It can only be suspended.
        left=("versioningConfiguration",),
    ),
    Case(
        type="aws:sns/topic:Topic",
        inputs=lambda account: {
            "displayName": "alarms",
            "kmsMasterKeyId": account.key().outputs["arn"],
            "tags": TAGS,
        },
        changed=lambda account: {
            "displayName": "Alarms of us-east-1",
            "kmsMasterKeyId": account.key().outputs["arn"],
            "tags": OTHER_TAGS,
        },
        optional=("displayName", "kmsMasterKeyId", "tags"),
        drift=lambda aws, topic: aws.client("sns").set_topic_attributes(
            TopicArn=topic.id, AttributeName="KmsMasterKeyId", AttributeValue=""
        ),
        drifted=("kmsMasterKeyId",),
    ),
    Case(
        type="aws:sns/topicPolicy:TopicPolicy",
        inputs=lambda account: _topic_policy(account.topic()),
        changed=lambda _: {"policy": policy(Principal="*", Action="sns:Publish", Resource="*")},
        drift=lambda aws, topic: aws.client("sns").set_topic_attributes(
            TopicArn=topic.id,
            AttributeName="Policy",
            AttributeValue=policy(Principal="*", Action="sns:*", Resource=topic.id),
        ),
        drifted=("policy",),
        # A topic always has a policy: that of a new one.
        left=("policy",),
    ),
    Case(
        type="aws:sns/topicSubscription:TopicSubscription",
        inputs=lambda account: {
            "endpoint": "on-call@example.com",
            "protocol": "email",
            "topic": account.topic(),
        },
        drift=lambda aws, one: aws.client("sns").unsubscribe(SubscriptionArn=one.id),
    ),
    Case(
        type="aws:sqs/queue:Queue",
        inputs=lambda account: {
            "delaySeconds": 1,
            "kmsDataKeyReusePeriodSeconds": 600,
            "kmsMasterKeyId": account.key().outputs["arn"],
            "maxMessageSize": 2048,
            "messageRetentionSeconds": 1209600,
            "policy": policy(Principal="*", Action="sqs:SendMessage", Resource="*"),
            "receiveWaitTimeSeconds": 2,
            "redriveAllowPolicy": json.dumps({"redrivePermission": "denyAll"}),
            "redrivePolicy": _redrive_policy(account),
            "tags": TAGS,
            "visibilityTimeoutSeconds": 60,
        },
        changed=lambda account: {
            "delaySeconds": 2,
            "kmsMasterKeyId": None,
            "messageRetentionSeconds": 3600,
            "receiveWaitTimeSeconds": 3,
            "redrivePolicy": _redrive_policy(account, 7),
            "sqsManagedSseEnabled": True,
            "tags": OTHER_TAGS,
            "visibilityTimeoutSeconds": 90,
        },
        optional=(
            *("delaySeconds", "kmsMasterKeyId", "messageRetentionSeconds", "receiveWaitTimeSeconds", "tags"),
            "visibilityTimeoutSeconds",
        ),
        drift=set_queue(VisibilityTimeout="1", MessageRetentionPeriod="60"),
        drifted=("messageRetentionSeconds", "visibilityTimeoutSeconds"),
    ),
    Case(
        type="aws:sqs/queuePolicy:QueuePolicy",
        inputs=lambda account: {
            "policy": policy(Principal="*", Action="sqs:SendMessage", Resource="*"),
            "queueUrl": account.queue().id,
        },
        changed=lambda _: {"policy": policy(Principal="*", Action="sqs:ReceiveMessage", Resource="*")},
        drift=set_queue(Policy=policy(Principal="*", Action="sqs:*", Resource="*")),
        drifted=("policy",),
    ),
    Case(
        type="aws:sqs/redrivePolicy:RedrivePolicy",
        inputs=lambda account: {"queueUrl": account.queue().id, "redrivePolicy": _redrive_policy(account)},
        changed=lambda account: {"redrivePolicy": _redrive_policy(account, 6)},
        drift=set_queue(RedrivePolicy=""),
    ),
    Case(
        type="aws:sqs/redriveAllowPolicy:RedriveAllowPolicy",
        inputs=lambda account: {
            "queueUrl": account.queue().id,
            "redriveAllowPolicy": json.dumps({"redrivePermission": "denyAll"}),
        },
        changed=lambda account: {
            "redriveAllowPolicy": json.dumps(
                {"redrivePermission": "byQueue", "sourceQueueArns": [account.queue_arn()]}
            )
        },
        drift=set_queue(RedriveAllowPolicy=json.dumps({"redrivePermission": "allowAll"})),
        drifted=("redriveAllowPolicy",),
    ),
]


def _route(account: Account, api_id: str) -> dict[str, Any]:
    return {
        "apiId": api_id,
        "authorizationType": "AWS_IAM",
        "operationName": "list",
        "routeKey": "GET /receipts",
        "target": f"integrations/{account.integration(api_id)}",
    }


def _encryption_rule(key_arn: str) -> dict[str, Any]:
    return {
        "applyServerSideEncryptionByDefault": {"kmsMasterKeyId": key_arn, "sseAlgorithm": "aws:kms"},
        "bucketKeyEnabled": True,
    }


def _topic_policy(topic: str) -> dict[str, Any]:
    service = {"Service": "cloudwatch.amazonaws.com"}
    return {"arn": topic, "policy": policy(Principal=service, Action="sns:Publish", Resource=topic)}
