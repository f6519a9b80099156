"""Helpers for the security controls: `broken_by`, and functions that look things up in a graph.

Each control is one test over whole graphs, with its ids in its name: AWS Foundational Security Best Practices
(S3.5) and cdk-nag's packs (NAG …). A rule only sees what a program registers, and knows nothing about how the
components make it. `@broken_by` names the changes that have to make the rule fail, whichever resource they
are made to; `test_rules_can_fail.py` tries them. The claims go into docs/security.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from tests.components.mocks import ACCOUNT, REGION, Graph, Registered
from tests.components.sabotage import Sabotage

GRAPHS = ("dev", "prod", "customer key", "local", "jwt", "two of each")
PROTECTED = ("prod", "customer key")
WITH_KEY = ("customer key", "two of each")

BUCKET = "aws:s3/bucket:Bucket"
BUCKET_CORS = "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration"
BUCKET_ENCRYPTION = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
BUCKET_LIFECYCLE = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
BUCKET_LOCK = "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration"
BUCKET_LOGGING = "aws:s3/bucketLogging:BucketLogging"
BUCKET_OWNERSHIP = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"
BUCKET_POLICY = "aws:s3/bucketPolicy:BucketPolicy"
BUCKET_PUBLIC_ACCESS = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
BUCKET_VERSIONING = "aws:s3/bucketVersioning:BucketVersioning"
QUEUE, QUEUE_POLICY = "aws:sqs/queue:Queue", "aws:sqs/queuePolicy:QueuePolicy"
REDRIVE_ALLOW = "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy"
FUNCTION, PERMISSION = "aws:lambda/function:Function", "aws:lambda/permission:Permission"
TABLE = "aws:dynamodb/table:Table"
API, STAGE = "aws:apigatewayv2/api:Api", "aws:apigatewayv2/stage:Stage"
ROUTE = "aws:apigatewayv2/route:Route"
AUTHORIZER = "aws:apigatewayv2/authorizer:Authorizer"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
TOPIC, TOPIC_POLICY = "aws:sns/topic:Topic", "aws:sns/topicPolicy:TopicPolicy"
KEY, KEY_ALIAS = "aws:kms/key:Key", "aws:kms/alias:Alias"
ROLE, ROLE_POLICY = "aws:iam/role:Role", "aws:iam/rolePolicy:RolePolicy"

STRANGER = {"AWS": "arn:aws:iam::999999999999:root"}
RAW = {"kms:MessageType": "RAW", "kms:SigningAlgorithm": "ED25519_SHA_512"}
TLS_ONLY = {"Bool": {"aws:SecureTransport": "false"}}
XRAY_WRITES = ("xray:PutTelemetryRecords", "xray:PutTraceSegments")

Rule = Callable[[Graph], None]
BREAKS: list[tuple[Rule, tuple[str, ...], Sabotage]] = []


def broken_by(*sabotages: Sabotage, over: Sequence[str] = GRAPHS) -> Callable[[Rule], Rule]:
    """Say over which graphs a rule holds, and what breaks it in each of them that has the place for it."""

    def register(rule: Rule) -> Rule:
        BREAKS.extend((rule, tuple(over), sabotage) for sabotage in sabotages)
        return pytest.mark.parametrize("graph", over, indirect=True)(rule)

    return register


def holds(rule: Rule, graph: Graph) -> bool:
    """Tell whether a rule accepts a graph. Only a failed assertion is a "no"; another error is the rule's."""
    try:
        rule(graph)
    except (AssertionError, pytest.fail.Exception):
        return False
    return True


def marks(function: object) -> Sequence[pytest.Mark]:
    return getattr(function, "pytestmark", ())


def some(graph: Graph, type_: str) -> list[Registered]:
    """All resources of a type; without any, a rule would hold for want of something to look at."""
    found = graph.of_type(type_)
    assert found, f"no {type_}"
    return found


def of_bucket(graph: Graph, type_: str, bucket: Registered) -> dict[str, Any]:
    """The one configuration of a type that a bucket has."""
    found = [
        each.inputs for each in graph.of_type(type_) if each.inputs["bucket"] == bucket.outputs["bucket"]
    ]
    assert len(found) == 1, f"{bucket.name} has {len(found)} {type_}"
    return found[0]


def default_encryption(graph: Graph, bucket: Registered) -> dict[str, Any]:
    (rule,) = of_bucket(graph, BUCKET_ENCRYPTION, bucket)["rules"]
    encryption: dict[str, Any] = rule["applyServerSideEncryptionByDefault"]
    return encryption


def keys(graph: Graph, *, for_data: bool = False) -> set[str]:
    """The ARNs of the keys; `for_data` leaves out the one that is for alarms only."""
    return {
        key.outputs["arn"]
        for key in graph.of_type(KEY)
        if not for_data or "BucketsSendEvents" in key.inputs.get("policy", "")
    }


def is_for_signing(key: Registered) -> bool:
    return key.inputs.get("keyUsage") == "SIGN_VERIFY"


def statements_of(inputs: dict[str, Any]) -> list[dict[str, Any]]:
    statements: list[dict[str, Any]] = json.loads(inputs["policy"])["Statement"]
    return statements


def role_statements(graph: Graph, function: Registered) -> list[dict[str, Any]]:
    """What the role of a function says, all its policies together."""
    (role,) = (role for role in graph.of_type(ROLE) if role.outputs["arn"] == function.inputs["role"])
    return [
        statement
        for policy in graph.of_type(ROLE_POLICY)
        if policy.inputs["role"] == role.outputs["name"]
        for statement in statements_of(policy.inputs)
    ]


def allowed(statements: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    return (statement for statement in statements if statement["Effect"] == "Allow")


def allowed_by(graph: Graph, type_: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the policies of one type of resource allow: by name of the policy."""
    for policy in some(graph, type_):
        yield from ((policy.name, statement) for statement in allowed(statements_of(policy.inputs)))


def granted(graph: Graph) -> Iterator[tuple[str, dict[str, Any]]]:
    """What roles are allowed, and people by the policies that the stack exports: by name of the policy."""
    yield from allowed_by(graph, ROLE_POLICY)
    for name, value in graph.exports.items():
        if name.endswith("_policy"):
            yield from ((name, statement) for statement in allowed(json.loads(value)["Statement"]))


def without_sid(statement: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in statement.items() if key != "Sid"}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def is_closed_to_plain_http(statements: list[dict[str, Any]], action: str, arns: list[str]) -> bool:
    wanted = {"Effect": "Deny", "Principal": "*", "Action": action, "Resource": arns, "Condition": TLS_ONLY}
    return wanted in [without_sid(statement) for statement in statements]


def is_for_this_account(statement: dict[str, Any]) -> bool:
    """Tell whether a statement is for a service of AWS, as it acts for this account and for no other."""
    condition = statement.get("Condition", {})
    source = condition.get("StringEquals", {}).get("aws:SourceAccount")
    log_group = condition.get("ArnLike", {}).get("kms:EncryptionContext:aws:logs:arn", "")
    is_service = isinstance(statement["Principal"], dict) and set(statement["Principal"]) == {"Service"}
    return is_service and (source == ACCOUNT or log_group.split(":")[3:5] == [REGION, ACCOUNT])
