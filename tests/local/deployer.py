"""A user of the embedded AWS who may deploy, with the policies of `docs/deploying-from-ci.md`."""

from __future__ import annotations

import json
from typing import Any

from components.policies.deployer import deployer_policies
from local.aws import AccessKey
from local.embedded_stack import create_user
from local.emulator.process import Emulator

ASKED_WITHOUT_A_RESOURCE = (
    *("cloudwatch:DeleteAlarms", "cloudwatch:DeleteDashboards", "cloudwatch:GetDashboard"),
    *("cloudwatch:ListTagsForResource", "cloudwatch:PutDashboard", "cloudwatch:TagResource"),
    *("dynamodb:ListTagsOfResource", "dynamodb:TagResource", "kms:CreateAlias", "kms:DeleteAlias"),
    *("events:DeleteRule", "events:DescribeRule", "events:ListTagsForResource", "events:ListTargetsByRule"),
    *("events:PutRule", "events:PutTargets", "events:RemoveTargets", "events:TagResource"),
    *("events:UntagResource", "lambda:CreateEventSourceMapping", "lambda:CreateFunction"),
    *("sns:ListTagsForResource", "sns:TagResource"),
)
"""Actions that the embedded AWS checks against ``*``, since it finds no name or condition key in these calls,
or against ``rule/default/NAME``, which AWS calls ``rule/NAME``."""

ASKED_UNDER_ANOTHER_NAME = {
    "lambda:ListEventSourceMappings": "lambda:GetEventSourceMapping",
    "lambda:ListLayers": "lambda:GetLayerVersion",
}
"""Actions of the embedded AWS, and what AWS calls them."""

CALLED_HERE_ONLY = ("lambda:PutFunctionConcurrency",)
"""Called by this repository's provider for functions without reserved concurrency, but not by pulumi-aws."""


def create_deployer(emulator: Emulator) -> AccessKey:
    """Make the user, and allow what the embedded AWS checks in another way than AWS."""
    aws = emulator.administrator
    policies: dict[str, Any] = dict(deployer_policies(aws.account_id(), aws.region))
    gaps = [*ASKED_WITHOUT_A_RESOURCE, *ASKED_UNDER_ANOTHER_NAME, *CALLED_HERE_ONLY]
    policies["gaps"] = {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Action": gaps, "Resource": "*"},
    }
    iam, key = aws.client("iam"), create_user(aws, "deployer")
    for name, policy in policies.items():
        made = iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(policy))
        iam.attach_user_policy(UserName="deployer", PolicyArn=made["Policy"]["Arn"])
    return key
