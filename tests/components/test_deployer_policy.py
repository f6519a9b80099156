"""The deployer's policies cover everything that the program names, and nothing with another name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest

from components.policies.deployer import MAX_CHARACTERS, deployer_policies
from tests.components.mocks import ACCOUNT, REGION, Graph
from tests.components.programs import graph_of

NAMED = {
    "aws:cloudwatch/dashboard:Dashboard": (
        "cloudwatch:PutDashboard",
        "arn:aws:cloudwatch::{account}:dashboard/{name}",
    ),
    "aws:cloudwatch/eventRule:EventRule": ("events:PutRule", "arn:aws:events:{here}:rule/{name}"),
    "aws:cloudwatch/logGroup:LogGroup": ("logs:CreateLogGroup", "arn:aws:logs:{here}:log-group:{name}"),
    "aws:cloudwatch/metricAlarm:MetricAlarm": (
        "cloudwatch:PutMetricAlarm",
        "arn:aws:cloudwatch:{here}:alarm:{name}",
    ),
    "aws:dynamodb/table:Table": ("dynamodb:CreateTable", "arn:aws:dynamodb:{here}:table/{name}"),
    "aws:iam/role:Role": ("iam:CreateRole", "arn:aws:iam::{account}:role/{name}"),
    "aws:kms/alias:Alias": ("kms:CreateAlias", "arn:aws:kms:{here}:{name}"),
    "aws:lambda/function:Function": ("lambda:CreateFunction", "arn:aws:lambda:{here}:function:{name}"),
    "aws:lambda/layerVersion:LayerVersion": (
        "lambda:PublishLayerVersion",
        "arn:aws:lambda:{here}:layer:{name}",
    ),
    "aws:s3/bucket:Bucket": ("s3:CreateBucket", "arn:aws:s3:::{name}"),
    "aws:sns/topic:Topic": ("sns:CreateTopic", "arn:aws:sns:{here}:{name}"),
    "aws:sqs/queue:Queue": ("sqs:CreateQueue", "arn:aws:sqs:{here}:{name}"),
}
"""Resource types with a name, the action that creates one, and its ARN."""

PARTS = {
    "aws:cloudwatch/eventTarget:EventTarget": "events:PutTargets",
    "aws:iam/rolePolicy:RolePolicy": "iam:PutRolePolicy",
    "aws:lambda/permission:Permission": "lambda:AddPermission",
    "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration": "s3:PutBucketCORS",
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "aws:s3/bucketLogging:BucketLogging": "s3:PutBucketLogging",
    "aws:s3/bucketNotification:BucketNotification": "s3:PutBucketNotification",
    "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration": (
        "s3:PutBucketObjectLockConfiguration"
    ),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": "s3:PutBucketOwnershipControls",
    "aws:s3/bucketPolicy:BucketPolicy": "s3:PutBucketPolicy",
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": (
        "s3:PutEncryptionConfiguration"
    ),
    "aws:s3/bucketVersioning:BucketVersioning": "s3:PutBucketVersioning",
    "aws:sns/topicPolicy:TopicPolicy": "sns:SetTopicAttributes",
    "aws:sns/topicSubscription:TopicSubscription": "sns:Subscribe",
    "aws:sqs/queuePolicy:QueuePolicy": "sqs:SetQueueAttributes",
    "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy": "sqs:SetQueueAttributes",
    "aws:apigatewayv2/api:Api": "apigateway:POST",
    "aws:apigatewayv2/authorizer:Authorizer": "apigateway:POST",
    "aws:apigatewayv2/integration:Integration": "apigateway:POST",
    "aws:apigatewayv2/route:Route": "apigateway:POST",
    "aws:apigatewayv2/stage:Stage": "apigateway:POST",
    "aws:kms/key:Key": "kms:CreateKey",
    "aws:lambda/eventSourceMapping:EventSourceMapping": "lambda:CreateEventSourceMapping",
}
"""Resource types that are a part of another one, or have an id of AWS's, and the action that creates one."""

WITHOUT_RESOURCE = {
    "ConnectFunctionsToQueues",
    "CreateKeys",
    "DeliverAccessLogs",
    "FindAlarms",
    "FindKeys",
    "ManageSubscriptions",
}
"""Statements about ``*``, each with actions that AWS knows no resource for, or none that is there yet."""


def statements() -> Iterator[dict[str, Any]]:
    for policy in deployer_policies(ACCOUNT, REGION).values():
        yield from policy["Statement"]


def resources(statement: dict[str, Any]) -> list[str]:
    named = statement["Resource"]
    return named if isinstance(named, list) else [named]


def allows(action: str, arn: str) -> bool:
    return any(
        action in statement["Action"] and any(fnmatchcase(arn, pattern) for pattern in resources(statement))
        for statement in statements()
    )


def test_each_policy_fits_into_a_managed_policy_in_every_region() -> None:
    sizes = {
        part: len(json.dumps(policy, separators=(",", ":")))
        for part, policy in deployer_policies(ACCOUNT, "ap-southeast-7").items()
    }

    assert max(sizes.values()) <= MAX_CHARACTERS
    assert sum(sizes.values()) > MAX_CHARACTERS, "one policy would do"


def test_everything_that_the_program_registers_can_be_created(graph: Graph) -> None:
    known = {action for statement in statements() for action in statement["Action"]}
    for resource in graph.resources:
        if resource.is_component:
            continue
        if resource.type not in NAMED:
            assert PARTS[resource.type] in known, resource.type


@pytest.mark.parametrize("stack", ["dev", "prod", "customer key", "jwt"])
def test_names_that_the_program_gives_are_reached(stack: str) -> None:
    for resource in graph_of(stack).resources:
        if resource.type not in NAMED:
            continue
        action, arn = NAMED[resource.type]
        here = f"{REGION}:{ACCOUNT}"
        assert allows(action, arn.format(account=ACCOUNT, here=here, name=physical_name(resource)))


def physical_name(resource: Any) -> str:
    """The name as it was given, or as Pulumi makes it from a prefix or the logical name."""
    inputs = resource.inputs
    given = inputs.get("name") or inputs.get("layerName") or inputs.get("dashboardName")
    return str(given or f"{inputs.get('namePrefix') or f'{resource.name}-'}0a1b2c3")


@pytest.mark.parametrize("resource_type", [each for each in NAMED if "layer" not in each])
def test_other_names_are_not_reached(resource_type: str) -> None:
    action, arn = NAMED[resource_type]
    for name in ("other", "bill", "my-bill-e-queue", "alias/other", "/aws/lambda/other"):
        assert not allows(action, arn.format(account=ACCOUNT, here=f"{REGION}:{ACCOUNT}", name=name))


def test_no_action_is_a_pattern_and_everything_is_said_once() -> None:
    for statement in statements():
        assert not [action for action in statement["Action"] if "*" in action], statement["Sid"]
        assert statement["Action"] == sorted(set(statement["Action"])), statement["Sid"]
    sids = [statement["Sid"] for statement in statements()]
    assert len(sids) == len(set(sids))


def test_statements_about_anything_are_the_known_ones() -> None:
    assert {each["Sid"] for each in statements() if each["Resource"] == "*"} == WITHOUT_RESOURCE


def test_roles_are_passed_to_lambda_only() -> None:
    (passing,) = (each for each in statements() if "iam:PassRole" in each["Action"])

    assert passing["Resource"] == f"arn:aws:iam::{ACCOUNT}:role/bill-e-*"
    assert passing["Condition"] == {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}


def test_keys_are_known_by_their_tag_and_used_for_tables_only() -> None:
    using = {"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:CreateGrant"}
    for statement in statements():
        for resource in resources(statement):
            if ":key/" in resource:
                equals = statement["Condition"]["StringEquals"]
                assert equals["aws:ResourceTag/project"] == "bill-e"
                if using & set(statement["Action"]):
                    assert equals["kms:ViaService"] == f"dynamodb.{REGION}.amazonaws.com"
