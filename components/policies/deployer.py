"""What a deployer may do: create, read, update and delete every resource of the program.

The actions are those that the AWS provider needs, by their names in the Service Authorization Reference.
A deployer also needs access to Pulumi's state: see docs/deploying-from-ci.md.
"""

from __future__ import annotations

from components.policies.documents import Policy, Statement, allow, document

PROJECT = "bill-e"
NAMED = f"{PROJECT}-*"
"""The names of the program's resources, except that the name of a layer begins with that of the stack."""

MAX_CHARACTERS = 6_144
"""How long a managed policy can be, not counting white space ("IAM and AWS STS quotas")."""


def deployer_policies(account_id: str, region: str) -> dict[str, Policy]:
    """Return the policies of a deployer, by name. There are two because one would be too long for IAM.

    They are for resources with the names in `NAMED`. AWS chooses the ids of keys, event source mappings and
    APIs: the policies know keys by their tag `project` and mappings by their function, and allow every HTTP
    API of the region. ``*`` alone is for actions that have no resource, or whose resource doesn't exist yet.
    """
    return {
        "data": document(*_data(account_id, region)),
        "service": document(*_service(account_id, region)),
    }


def _data(account_id: str, region: str) -> list[Statement]:
    """Allow the resources that hold data, and the keys that encrypt it."""
    here = f"{region}:{account_id}"
    keys = f"arn:aws:kms:{here}:key/*"
    ours = {"aws:ResourceTag/project": PROJECT}
    return [
        allow(
            "ManageBuckets",
            _in(
                "s3",
                *("CreateBucket", "DeleteBucket", "DeleteBucketPolicy", "GetAccelerateConfiguration"),
                *("GetBucketAcl", "GetBucketCORS", "GetBucketLocation", "GetBucketLogging"),
                *("GetBucketNotification", "GetBucketObjectLockConfiguration", "GetBucketOwnershipControls"),
                *("GetBucketPolicy", "GetBucketPublicAccessBlock", "GetBucketRequestPayment"),
                *("GetBucketTagging", "GetBucketVersioning", "GetBucketWebsite"),
                *("GetEncryptionConfiguration", "GetLifecycleConfiguration", "GetReplicationConfiguration"),
                *("ListBucket", "ListBucketVersions", "ListTagsForResource", "PutBucketCORS"),
                "PutBucketLogging",
                *("PutBucketNotification", "PutBucketObjectLockConfiguration", "PutBucketOwnershipControls"),
                *("PutBucketPolicy", "PutBucketPublicAccessBlock", "PutBucketTagging", "PutBucketVersioning"),
                *("PutEncryptionConfiguration", "PutLifecycleConfiguration", "TagResource", "UntagResource"),
            ),
            f"arn:aws:s3:::{NAMED}",
        ),
        allow(
            # For stacks that are destroyed without `protectData`.
            "EmptyBuckets",
            _in("s3", "DeleteObject", "DeleteObjectVersion"),
            f"arn:aws:s3:::{NAMED}/*",
        ),
        allow(
            "ManageQueues",
            _in(
                "sqs",
                *("CreateQueue", "DeleteQueue", "GetQueueAttributes", "GetQueueUrl", "ListQueueTags"),
                *("SetQueueAttributes", "TagQueue", "UntagQueue"),
            ),
            f"arn:aws:sqs:{here}:{NAMED}",
        ),
        allow(
            "ManageTables",
            _in(
                "dynamodb",
                *("CreateTable", "DeleteTable", "DescribeContinuousBackups", "DescribeTable"),
                *("DescribeTimeToLive", "ListTagsOfResource", "TagResource", "UntagResource"),
                *("UpdateContinuousBackups", "UpdateTable"),
            ),
            f"arn:aws:dynamodb:{here}:table/{NAMED}",
        ),
        allow(
            "CreateKeys",
            _in("kms", "CreateKey", "TagResource"),
            "*",
            {"StringEquals": {"aws:RequestTag/project": PROJECT}},
        ),
        allow(
            "ManageKeys",
            _in(
                "kms",
                *("CreateAlias", "DeleteAlias", "DescribeKey", "DisableKeyRotation", "EnableKeyRotation"),
                *("GetKeyPolicy", "GetKeyRotationStatus", "GetPublicKey", "ListResourceTags", "PutKeyPolicy"),
                *("ScheduleKeyDeletion", "TagResource", "UntagResource", "UpdateAlias"),
                "UpdateKeyDescription",
            ),
            keys,
            {"StringEquals": ours},
        ),
        allow(
            "NameKeys",
            _in("kms", "CreateAlias", "DeleteAlias", "UpdateAlias"),
            f"arn:aws:kms:{here}:alias/{NAMED}",
        ),
        allow("FindKeys", _in("kms", "ListAliases"), "*"),
        allow(
            # DynamoDB uses a customer's key with the permissions of the principal that creates the table.
            "EncryptTables",
            _in(
                "kms",
                *("CreateGrant", "Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext"),
                *("ReEncryptFrom", "ReEncryptTo"),
            ),
            keys,
            {"StringEquals": {**ours, "kms:ViaService": f"dynamodb.{region}.amazonaws.com"}},
        ),
    ]


def _service(account_id: str, region: str) -> list[Statement]:
    """Allow functions, their roles, the API, and what monitors them."""
    here = f"{region}:{account_id}"
    roles = f"arn:aws:iam::{account_id}:role/{NAMED}"
    functions = f"arn:aws:lambda:{here}:function:{NAMED}"
    api_role = "aws-service-role/ops.apigateway.amazonaws.com/AWSServiceRoleForAPIGateway"
    return [
        allow(
            "ManageRoles",
            _in(
                "iam",
                *("CreateRole", "DeleteRole", "DeleteRolePolicy", "GetRole", "GetRolePolicy"),
                *("ListAttachedRolePolicies", "ListInstanceProfilesForRole", "ListRolePolicies"),
                *("ListRoleTags", "PutRolePolicy", "TagRole", "UntagRole", "UpdateAssumeRolePolicy"),
                *("UpdateRole", "UpdateRoleDescription"),
            ),
            roles,
        ),
        allow(
            "GiveRolesToFunctions",
            _in("iam", "PassRole"),
            roles,
            {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}},
        ),
        allow(
            "LetApiGatewayMakeItsRole",
            _in("iam", "CreateServiceLinkedRole"),
            f"arn:aws:iam::{account_id}:role/{api_role}",
        ),
        allow(
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
        allow(
            "ManageLayers",
            _in("lambda", "DeleteLayerVersion", "GetLayerVersion", "PublishLayerVersion"),
            f"arn:aws:lambda:{here}:layer:*-{NAMED}",
        ),
        allow(
            "ConnectFunctionsToQueues",
            _in(
                "lambda",
                *("CreateEventSourceMapping", "DeleteEventSourceMapping", "UpdateEventSourceMapping"),
            ),
            "*",
            {"ArnLike": {"lambda:FunctionArn": functions}},
        ),
        allow(
            "SeeAndTagConnections",
            _in("lambda", "GetEventSourceMapping", "ListTags", "TagResource", "UntagResource"),
            f"arn:aws:lambda:{here}:event-source-mapping:*",
        ),
        allow(
            "ManageApis",
            _in("apigateway", "DELETE", "GET", "PATCH", "POST", "PUT"),
            [f"arn:aws:apigateway:{region}::{path}" for path in ("/apis", "/apis/*", "/tags/*")],
        ),
        allow(
            "ManageLogGroups",
            _in(
                "logs",
                *("AssociateKmsKey", "CreateLogGroup", "DeleteLogGroup", "DeleteRetentionPolicy"),
                *("DisassociateKmsKey", "ListTagsForResource", "PutRetentionPolicy", "TagResource"),
                "UntagResource",
            ),
            [f"arn:aws:logs:{here}:log-group:{prefix}{NAMED}" for prefix in ("", "/aws/vendedlogs/")],
        ),
        allow(
            # API Gateway requires these to turn on the access logs of a stage.
            "DeliverAccessLogs",
            _in(
                "logs",
                *("CreateLogDelivery", "DeleteLogDelivery", "DescribeLogGroups", "DescribeResourcePolicies"),
                *("GetLogDelivery", "ListLogDeliveries", "PutResourcePolicy", "UpdateLogDelivery"),
            ),
            "*",
        ),
        allow(
            "ManageAlarms",
            _in(
                "cloudwatch",
                *("DeleteAlarms", "ListTagsForResource", "PutMetricAlarm", "TagResource", "UntagResource"),
            ),
            f"arn:aws:cloudwatch:{here}:alarm:{NAMED}",
        ),
        allow(
            "ManageSchedules",
            _in(
                "events",
                *("DeleteRule", "DescribeRule", "ListTagsForResource", "ListTargetsByRule", "PutRule"),
                *("PutTargets", "RemoveTargets", "TagResource", "UntagResource"),
            ),
            f"arn:aws:events:{here}:rule/{NAMED}",
        ),
        allow("FindAlarms", _in("cloudwatch", "DescribeAlarms"), "*"),
        allow(
            "ManageDashboards",
            _in("cloudwatch", "DeleteDashboards", "GetDashboard", "PutDashboard"),
            f"arn:aws:cloudwatch::{account_id}:dashboard/{NAMED}",
        ),
        allow(
            "ManageTopics",
            _in(
                "sns",
                *("CreateTopic", "DeleteTopic", "GetTopicAttributes", "ListSubscriptionsByTopic"),
                *("ListTagsForResource", "SetTopicAttributes", "Subscribe", "TagResource", "UntagResource"),
            ),
            f"arn:aws:sns:{here}:{NAMED}",
        ),
        allow(
            "ManageSubscriptions",
            _in("sns", "GetSubscriptionAttributes", "Unsubscribe"),
            "*",
        ),
    ]


def _in(service: str, *actions: str) -> list[str]:
    return [f"{service}:{action}" for action in actions]
