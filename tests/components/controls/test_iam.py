"""Controls of IAM: roles and what they allow."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase

import pytest

from tests.components.controls.rules import (
    BUCKET,
    BUCKET_POLICY,
    FUNCTION,
    LOG_GROUP,
    QUEUE_POLICY,
    ROLE,
    ROLE_POLICY,
    STRANGER,
    XRAY_WRITES,
    allowed,
    allowed_by,
    as_list,
    broken_by,
    granted,
    some,
    statements_of,
)
from tests.components.mocks import Graph
from tests.components.sabotage import (
    with_exported_statement,
    with_further_statement,
    with_input,
    with_resource,
    with_statement,
    without,
)

DESTROYING = {
    f"s3:{action.lower()}"
    for action in (
        *("BypassGovernanceRetention", "DeleteBucket", "DeleteBucketPolicy", "DeleteObject"),
        *("DeleteObjectVersion", "PutBucketObjectLockConfiguration"),
        *("PutBucketPolicy", "PutBucketVersioning", "PutLifecycleConfiguration", "PutObjectLegalHold"),
        *("PutObjectRetention", "PutReplicationConfiguration", "ReplicateDelete"),
    )
}
"""What destroys or hides object versions, now or later, or what protects them (Service Authorization
Reference, Amazon S3). IAM takes actions in any case, with the wildcards ``*`` and ``?``."""


@pytest.mark.claim(
    "every allowed action is named, in roles, in resource policies, and in the policies for people",
    control="IAM.1, IAM.21",
    requires="no `*` and no `service:*` actions",
)
@broken_by(
    with_further_statement(ROLE_POLICY, "allows everything", Action="*", Resource="*"),
    with_further_statement(ROLE_POLICY, "allows a service", Action=["s3:*"], Resource="arn:aws:s3:::b"),
    with_further_statement(ROLE_POLICY, "allows reading", Action="dynamodb:Get*", Resource="arn:aws:s3:::b"),
    with_further_statement(ROLE_POLICY, "allows all but", NotAction="iam:*", Resource="arn:aws:s3:::b"),
    with_statement(QUEUE_POLICY, "BucketSendsEvents", "Action", "sqs:*"),
    with_exported_statement("allows a service", Action="dynamodb:*", Resource="arn:aws:s3:::b"),
    with_statement(ROLE, "LambdaTakesTheRole", "Action", "sts:*", policy="assumeRolePolicy"),
)
def test_iam_1_iam_21_no_wildcard_actions(graph: Graph) -> None:
    of_resources = [
        (resource.name, statement)
        for resource, _, document in graph.policies()
        for statement in allowed(document["Statement"])
    ]
    for name, statement in [*of_resources, *granted(graph)]:
        assert "NotAction" not in statement, name
        assert not any("*" in action for action in as_list(statement["Action"])), name


@pytest.mark.claim(
    "no role, no person's policy and no bucket's policy allows an action on tags of objects, with which an "
    "upload's lifecycle or access could be changed",
    control="Tags of objects",
    requires="nobody may set them",
)
@broken_by(
    with_further_statement(
        ROLE_POLICY, "allows tags", Action=["s3:PutObjectTagging"], Resource="arn:aws:s3:::b/*"
    ),
    with_further_statement(
        BUCKET_POLICY,
        "allows tags",
        Principal={"Service": "logging.s3.amazonaws.com"},
        Action="s3:PutObjectVersionTagging",
        Resource="arn:aws:s3:::b/*",
    ),
    with_exported_statement("allows tags", Action="s3:PutObjectTagging", Resource="arn:aws:s3:::b/*"),
    with_exported_statement(
        "removes tags", Action=["s3:PutObject", "s3:DeleteObjectTagging"], Resource="arn:aws:s3:::b/*"
    ),
)
def test_nobody_may_tag_objects(graph: Graph) -> None:
    for name, statement in [*allowed_by(graph, BUCKET_POLICY), *granted(graph)]:
        writes = [
            action
            for action in as_list(statement["Action"])
            if action.startswith("s3:") and "Object" in action and action.endswith("Tagging")
        ]
        assert not writes, name


@pytest.mark.claim(
    "no role, no person's policy and no bucket's policy allows an action that deletes or hides object "
    "versions, shortens or bypasses a lock, or changes what keeps versions",
    control="Deletion of uploads",
    requires="nobody may delete them",
)
@broken_by(
    with_further_statement(
        ROLE_POLICY, "deletes", Action=["s3:DeleteObjectVersion"], Resource="arn:aws:s3:::b/*"
    ),
    with_further_statement(ROLE_POLICY, "hides", Action="s3:deleteobject", Resource="arn:aws:s3:::b/*"),
    with_further_statement(ROLE_POLICY, "deletes", Action="s3:Del?teObject*", Resource="arn:aws:s3:::b/*"),
    with_further_statement(ROLE_POLICY, "allows all but", NotAction="s3:Get*", Resource="*"),
    with_further_statement(
        ROLE_POLICY, "bypasses", Action="s3:BypassGovernanceRetention", Resource="arn:aws:s3:::b/*"
    ),
    with_further_statement(
        BUCKET_POLICY,
        "unlocks",
        Principal={"Service": "logging.s3.amazonaws.com"},
        Action=["s3:PutObjectLegalHold"],
        Resource="arn:aws:s3:::b/*",
    ),
    with_exported_statement("shortens", Action="s3:PutObjectRetention", Resource="arn:aws:s3:::b/*"),
    with_exported_statement("lets expire", Action="s3:Put*Configuration", Resource="arn:aws:s3:::b"),
    with_exported_statement("does all", Action="*", Resource="*"),
)
def test_nobody_may_delete_uploads_or_bypass_their_locks(graph: Graph) -> None:
    for name, statement in [*allowed_by(graph, BUCKET_POLICY), *granted(graph)]:
        # What a statement with NotAction allows isn't listed anywhere.
        assert "NotAction" not in statement, name
        patterns = [action.lower() for action in as_list(statement["Action"])]
        if name.endswith("-sealer-policy"):
            # It locks what it writes. Only another permission shortens a lock.
            patterns = [action for action in patterns if action != "s3:putobjectretention"]
        assert not {each for each in DESTROYING if any(fnmatchcase(each, one) for one in patterns)}, name


@pytest.mark.claim(
    "every role has one inline policy and no other", control="NAG IAM4", requires="no AWS-managed policies"
)
@broken_by(
    without(ROLE_POLICY),
    with_resource(
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        role="any",
        policyArn="arn:aws:iam::aws:policy/AdministratorAccess",
    ),
    with_input(ROLE_POLICY, "role", "another"),
)
def test_nag_iam4_no_managed_policies(graph: Graph) -> None:
    roles = sorted(role.outputs["name"] for role in some(graph, ROLE))
    assert sorted(policy.inputs["role"] for policy in some(graph, ROLE_POLICY)) == roles
    assert not any({"managedPolicyArns", "inlinePolicies"} & set(role.inputs) for role in some(graph, ROLE))
    kinds = {resource.type for resource in graph.resources if resource.type.startswith("aws:iam/")}
    assert kinds == {ROLE, ROLE_POLICY}


@pytest.mark.claim(
    "a wildcard means the streams of one log group or the objects of one bucket; `*` alone is only for "
    "X-Ray's put actions, which have no resources",
    control="NAG IAM5",
    requires="wildcards only with a reason",
)
@broken_by(
    with_statement(ROLE_POLICY, "WriteOwnLogs", "Resource", "*"),
    with_statement(ROLE_POLICY, "WriteOwnLogs", "Resource", "arn:aws:logs:*:*:*"),
    with_statement(ROLE_POLICY, "ReadUploads", "Resource", "arn:aws:s3:::*/*"),
    with_statement(ROLE_POLICY, "InsertEntries", "Resource", "arn:aws:dynamodb:*:*:table/*"),
    with_statement(ROLE_POLICY, "SignUploads", "Resource", "*"),
    with_statement(ROLE_POLICY, "TakeMessages", "Resource", "arn:aws:sqs:eu-central-1:123456789012:*"),
    with_statement(
        ROLE_POLICY, "WriteTraces", "Action", ["xray:PutTelemetryRecords", "xray:GetTraceSummaries"]
    ),
)
def test_nag_iam5_wildcards_with_a_reason_only(graph: Graph) -> None:
    streams = {f"{group.outputs['arn']}:*" for group in some(graph, LOG_GROUP)}
    objects = tuple(f"{bucket.outputs['arn']}/" for bucket in some(graph, BUCKET))
    for policy in some(graph, ROLE_POLICY):
        for statement in allowed(statements_of(policy.inputs)):
            for resource in as_list(statement["Resource"]):
                known = (
                    "*" not in resource
                    or resource in streams
                    or (resource.startswith(objects) and resource.index("*") == len(resource) - 1)
                    or (resource == "*" and set(as_list(statement["Action"])) <= set(XRAY_WRITES))
                )
                assert known, f"{policy.name}: {statement['Sid']}: {resource}"


@pytest.mark.claim(
    "every function has its own role, which only Lambda can assume",
    control="NAG Serverless",
    requires="no shared roles",
)
@broken_by(
    with_input(FUNCTION, "role", "arn:aws:iam::123456789012:role/shared"),
    with_statement(ROLE, "LambdaTakesTheRole", "Principal", STRANGER, policy="assumeRolePolicy"),
    with_statement(ROLE, "LambdaTakesTheRole", "Principal", "*", policy="assumeRolePolicy"),
)
def test_nag_serverless_one_role_per_function(graph: Graph) -> None:
    roles = {role.outputs["arn"]: role for role in some(graph, ROLE)}
    assert sorted(function.inputs["role"] for function in some(graph, FUNCTION)) == sorted(roles)
    for role in roles.values():
        (statement,) = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
        assert statement["Principal"] == {"Service": "lambda.amazonaws.com"}
        assert statement["Action"] == "sts:AssumeRole"
