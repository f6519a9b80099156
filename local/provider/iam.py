"""IAM: roles and their inline policies."""

from __future__ import annotations

from typing import Any

from local.aws import Aws
from local.provider.schema import (
    Created,
    Inputs,
    ResourceType,
    fields,
    key_value_tags,
    physical_name,
    policy_text,
    present,
)

ROLE_NAME_LENGTH = 64
POLICY_NAME_LENGTH = 128


def _role(aws: Aws, name: str, inputs: Inputs) -> Created:
    role_name = physical_name(inputs, name, max_length=ROLE_NAME_LENGTH)
    request: Any = {
        "RoleName": role_name,
        "AssumeRolePolicyDocument": policy_text(inputs["assumeRolePolicy"]),
        "Tags": key_value_tags(inputs),
        **present(inputs, Description="description", MaxSessionDuration="maxSessionDuration", Path="path"),
    }
    role = aws.client("iam").create_role(**request)["Role"]
    return Created(id=role_name, outputs={"name": role_name, "arn": role["Arn"], "uniqueId": role["RoleId"]})


def _role_policy(aws: Aws, name: str, inputs: Inputs) -> Created:
    policy_name = physical_name(inputs, name, max_length=POLICY_NAME_LENGTH)
    aws.client("iam").put_role_policy(
        RoleName=inputs["role"], PolicyName=policy_name, PolicyDocument=policy_text(inputs["policy"])
    )
    return Created(id=f"{inputs['role']}:{policy_name}", outputs={"name": policy_name})


RESOURCE_TYPES = {
    "aws:iam/role:Role": ResourceType(
        properties=fields("name", "assumeRolePolicy", "description", "maxSessionDuration", "path", "tags"),
        create=_role,
    ),
    "aws:iam/rolePolicy:RolePolicy": ResourceType(
        properties=fields("name", "role", "policy"), create=_role_policy
    ),
}
