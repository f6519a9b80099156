"""What a deployer may do: create, read, update and delete every resource of the program.

The actions are those that the AWS provider needs, by their names in the Service Authorization Reference.
A deployer also needs access to Pulumi's state: see docs/deploying-from-ci.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.policies.documents import Policy, Statement, document
from components.policies.keys import DNS_SUFFIX

MAX_CHARACTERS = 6_144
"""How long a managed policy can be, not counting white space ("IAM and AWS STS quotas")."""


def deployer_policies(
    account_id: str,
    region: str,
    partition: str = "aws",
    project: str = "bill-e",
    dns_suffix: str = DNS_SUFFIX,
) -> dict[str, Policy]:
    """Return the policies of a deployer, by name. There are two because one would be too long for IAM.

    They are for resources whose names begin with `project`, as all names in the program do, except that the
    name of a layer begins with the stack's. AWS chooses the ids of keys, event source mappings and APIs: the
    policies know keys by their tag `project` and mappings by their function, and allow every HTTP API of the
    region. ``*`` alone is for actions that have no resource, or whose resource doesn't exist yet.
    """
    arn = _Arns(partition=partition, region=region, account_id=account_id, project=project)
    return {
        "data": document(*_data(arn, f"dynamodb.{region}.{dns_suffix}")),
        "service": document(*_service(arn)),
    }


@dataclass(frozen=True, kw_only=True)
class _Arns:
    """ARNs in one account and region. Some services leave out either of them."""

    partition: str
    region: str
    account_id: str
    project: str

    def regional(self, service: str, resource: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.account_id}:{resource}"

    def without_region(self, service: str, resource: str) -> str:
        return f"arn:{self.partition}:{service}::{self.account_id}:{resource}"

    def without_account(self, service: str, resource: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}::{resource}"

    def without_either(self, service: str, resource: str) -> str:
        return f"arn:{self.partition}:{service}:::{resource}"


def _data(arn: _Arns, dynamodb_endpoint: str) -> list[Statement]:
    """Allow the resources that hold data, and the keys that encrypt it."""
    named = f"{arn.project}-*"
    keys = arn.regional("kms", "key/*")
    ours = {"StringEquals": {"aws:ResourceTag/project": arn.project}}
    return [
        _allow(
            "ManageBuckets",
            _in(
                "s3",
                *("CreateBucket", "DeleteBucket", "DeleteBucketPolicy", "GetAccelerateConfiguration"),
                *("GetBucketAcl", "GetBucketCORS", "GetBucketLocation", "GetBucketLogging"),
                *("GetBucketNotification", "GetBucketObjectLockConfiguration", "GetBucketOwnershipControls"),
                *("GetBucketPolicy", "GetBucketPublicAccessBlock", "GetBucketRequestPayment"),
                *(
                    "GetBucketTagging",
                    "GetBucketVersioning",
                    "GetBucketWebsite",
                    "GetEncryptionConfiguration",
                ),
                *("GetLifecycleConfiguration", "GetReplicationConfiguration", "ListBucket"),
                *("ListBucketVersions", "ListTagsForResource", "PutBucketCORS", "PutBucketLogging"),
                *("PutBucketNotification", "PutBucketObjectLockConfiguration", "PutBucketOwnershipControls"),
                *("PutBucketPolicy", "PutBucketPublicAccessBlock", "PutBucketTagging", "PutBucketVersioning"),
                *("PutEncryptionConfiguration", "PutLifecycleConfiguration", "TagResource", "UntagResource"),
            ),
            arn.without_either("s3", named),
        ),
        _allow(
            # For stacks that are destroyed without `protectData`.
            "EmptyBuckets",
            _in("s3", "DeleteObject", "DeleteObjectVersion"),
            arn.without_either("s3", f"{named}/*"),
        ),
        _allow(
            "ManageQueues",
            _in(
                "sqs",
                *("CreateQueue", "DeleteQueue", "GetQueueAttributes", "GetQueueUrl", "ListQueueTags"),
                *("SetQueueAttributes", "TagQueue", "UntagQueue"),
            ),
            arn.regional("sqs", named),
        ),
        _allow(
            "ManageTables",
            _in(
                "dynamodb",
                *("CreateTable", "DeleteTable", "DescribeContinuousBackups", "DescribeTable"),
                *("DescribeTimeToLive", "ListTagsOfResource", "TagResource", "UntagResource"),
                *("UpdateContinuousBackups", "UpdateTable"),
            ),
            arn.regional("dynamodb", f"table/{named}"),
        ),
        _allow(
            "CreateKeys",
            _in("kms", "CreateKey", "TagResource"),
            "*",
            {"StringEquals": {"aws:RequestTag/project": arn.project}},
        ),
        _allow(
            "ManageKeys",
            _in(
                "kms",
                *("CreateAlias", "DeleteAlias", "DescribeKey", "DisableKeyRotation", "EnableKeyRotation"),
                *("GetKeyPolicy", "GetKeyRotationStatus", "ListResourceTags", "PutKeyPolicy"),
                *("ScheduleKeyDeletion", "TagResource", "UntagResource", "UpdateAlias"),
                "UpdateKeyDescription",
            ),
            keys,
            ours,
        ),
        _allow(
            "NameKeys",
            _in("kms", "CreateAlias", "DeleteAlias", "UpdateAlias"),
            arn.regional("kms", f"alias/{named}"),
        ),
        _allow("FindKeys", _in("kms", "ListAliases"), "*"),
        _allow(
            # DynamoDB uses a customer's key with the permissions of the principal that creates the table.
            "EncryptTables",
            _in(
                "kms",
                *("CreateGrant", "Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext"),
                *("ReEncryptFrom", "ReEncryptTo"),
            ),
            keys,
            {"StringEquals": {**ours["StringEquals"], "kms:ViaService": dynamodb_endpoint}},
        ),
    ]


def _service(arn: _Arns) -> list[Statement]:
    """Allow functions, their roles, the API, and what monitors them."""
    named = f"{arn.project}-*"
    functions = arn.regional("lambda", f"function:{named}")
    layers = arn.regional("lambda", f"layer:*-{arn.project}-*")
    mappings = arn.regional("lambda", "event-source-mapping:*")
    api_role = "aws-service-role/ops.apigateway.amazonaws.com/AWSServiceRoleForAPIGateway"
    log_groups = [f"log-group:{named}", f"log-group:/aws/vendedlogs/{named}"]
    return [
        _allow(
            "ManageRoles",
            _in(
                "iam",
                *("CreateRole", "DeleteRole", "DeleteRolePolicy", "GetRole", "GetRolePolicy"),
                *("ListAttachedRolePolicies", "ListInstanceProfilesForRole", "ListRolePolicies"),
                *(
                    "ListRoleTags",
                    "PutRolePolicy",
                    "TagRole",
                    "UntagRole",
                    "UpdateAssumeRolePolicy",
                    "UpdateRole",
                ),
                "UpdateRoleDescription",
            ),
            arn.without_region("iam", f"role/{named}"),
        ),
        _allow(
            "GiveRolesToFunctions",
            _in("iam", "PassRole"),
            arn.without_region("iam", f"role/{named}"),
            {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}},
        ),
        _allow(
            "LetApiGatewayMakeItsRole",
            _in("iam", "CreateServiceLinkedRole"),
            arn.without_region("iam", f"role/{api_role}"),
        ),
        _allow(
            "ManageFunctions",
            _in(
                "lambda",
                *("AddPermission", "CreateFunction", "DeleteFunction", "GetFunction"),
                *("GetFunctionCodeSigningConfig", "GetFunctionConfiguration", "GetPolicy", "ListTags"),
                *("ListVersionsByFunction", "RemovePermission", "TagResource", "UntagResource"),
                *("UpdateFunctionCode", "UpdateFunctionConfiguration"),
            ),
            functions,
        ),
        _allow(
            "ManageLayers",
            _in("lambda", "DeleteLayerVersion", "GetLayerVersion", "PublishLayerVersion"),
            layers,
        ),
        _allow(
            "ConnectFunctionsToQueues",
            _in(
                "lambda",
                *("CreateEventSourceMapping", "DeleteEventSourceMapping", "UpdateEventSourceMapping"),
            ),
            "*",
            {"ArnLike": {"lambda:FunctionArn": functions}},
        ),
        _allow(
            "SeeAndTagConnections",
            _in("lambda", "GetEventSourceMapping", "ListTags", "TagResource", "UntagResource"),
            mappings,
        ),
        _allow(
            "ManageApis",
            _in("apigateway", "DELETE", "GET", "PATCH", "POST", "PUT"),
            [arn.without_account("apigateway", path) for path in ("/apis", "/apis/*", "/tags/*")],
        ),
        _allow(
            "ManageLogGroups",
            _in(
                "logs",
                *("AssociateKmsKey", "CreateLogGroup", "DeleteLogGroup", "DeleteRetentionPolicy"),
                *("DisassociateKmsKey", "ListTagsForResource", "PutRetentionPolicy", "TagResource"),
                "UntagResource",
            ),
            [arn.regional("logs", group) for group in log_groups],
        ),
        _allow(
            # API Gateway requires these to turn on the access logs of a stage.
            "DeliverAccessLogs",
            _in(
                "logs",
                *("CreateLogDelivery", "DeleteLogDelivery", "DescribeLogGroups", "DescribeResourcePolicies"),
                *("GetLogDelivery", "ListLogDeliveries", "PutResourcePolicy", "UpdateLogDelivery"),
            ),
            "*",
        ),
        _allow(
            "ManageAlarms",
            _in(
                "cloudwatch",
                *("DeleteAlarms", "ListTagsForResource", "PutMetricAlarm", "TagResource", "UntagResource"),
            ),
            arn.regional("cloudwatch", f"alarm:{named}"),
        ),
        _allow("FindAlarms", _in("cloudwatch", "DescribeAlarms"), "*"),
        _allow(
            "ManageDashboards",
            _in("cloudwatch", "DeleteDashboards", "GetDashboard", "PutDashboard"),
            arn.without_region("cloudwatch", f"dashboard/{named}"),
        ),
        _allow(
            "ManageTopics",
            _in(
                "sns",
                *("CreateTopic", "DeleteTopic", "GetTopicAttributes", "ListSubscriptionsByTopic"),
                *("ListTagsForResource", "SetTopicAttributes", "Subscribe", "TagResource", "UntagResource"),
            ),
            arn.regional("sns", named),
        ),
        _allow(
            "ManageSubscriptions",
            _in("sns", "GetSubscriptionAttributes", "Unsubscribe"),
            "*",
        ),
    ]


def _allow(
    sid: str,
    actions: Sequence[str],
    resources: str | Sequence[str],
    condition: Mapping[str, Mapping[str, str]] | None = None,
) -> Statement:
    statement: Statement = {
        "Sid": sid,
        "Effect": "Allow",
        "Action": list(actions),
        "Resource": resources if isinstance(resources, str) else list(resources),
    }
    return {**statement, "Condition": condition} if condition else statement


def _in(service: str, *actions: str) -> list[str]:
    return [f"{service}:{action}" for action in actions]
