"""IAM: roles and their inline policies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local.aws import Aws
from local.provider.schema import (
    Change,
    Created,
    Existing,
    Inputs,
    ResourceType,
    fields,
    key_value_tags,
    physical_name,
    policy_text,
    present,
    tags_of,
    update_tags,
)

ROLE_NAME_LENGTH = 64
POLICY_NAME_LENGTH = 128


def _create_role(aws: Aws, name: str, inputs: Inputs) -> Created:
    role_name = physical_name(inputs, name, max_length=ROLE_NAME_LENGTH)
    request: Any = {
        "RoleName": role_name,
        "AssumeRolePolicyDocument": policy_text(inputs["assumeRolePolicy"]),
        "Tags": key_value_tags(inputs.get("tags")),
        **present(inputs, Description="description", MaxSessionDuration="maxSessionDuration", Path="path"),
    }
    role = aws.client("iam").create_role(**request)["Role"]
    return Created(id=role_name, outputs={"name": role_name, "arn": role["Arn"], "uniqueId": role["RoleId"]})


def _read_role(aws: Aws, resource: Existing) -> Inputs:
    iam = aws.client("iam")
    role = iam.get_role(RoleName=resource.id)["Role"]
    return {
        "assumeRolePolicy": policy_text(role["AssumeRolePolicyDocument"]),
        "description": role.get("Description"),
        "maxSessionDuration": role.get("MaxSessionDuration"),
        "path": role["Path"],
        "tags": tags_of(iam.list_role_tags(RoleName=resource.id)["Tags"]),
    }


def _update_role(aws: Aws, change: Change) -> Mapping[str, Any]:
    iam, role, different = aws.client("iam"), change.resource.id, change.different
    if "assumeRolePolicy" in different:
        iam.update_assume_role_policy(
            RoleName=role, PolicyDocument=policy_text(different["assumeRolePolicy"])
        )
    if settings := present(different, Description="description", MaxSessionDuration="maxSessionDuration"):
        iam.update_role(RoleName=role, **settings)
    update_tags(change, iam.tag_role, iam.untag_role, spell=key_value_tags, RoleName=role)
    return {}


def _delete_role(aws: Aws, resource: Existing) -> None:
    aws.client("iam").delete_role(RoleName=resource.id)


def _create_role_policy(aws: Aws, name: str, inputs: Inputs) -> Created:
    policy_name = physical_name(inputs, name, max_length=POLICY_NAME_LENGTH)
    _put_role_policy(aws, policy_name, inputs)
    return Created(id=f"{inputs['role']}:{policy_name}", outputs={"name": policy_name})


def _read_role_policy(aws: Aws, resource: Existing) -> Inputs:
    role, name = resource.id.split(":", 1)
    policy = aws.client("iam").get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    return {"policy": policy_text(policy)}


def _update_role_policy(aws: Aws, change: Change) -> Mapping[str, Any]:
    _put_role_policy(aws, change.resource.id.split(":", 1)[1], change.inputs)
    return {}


def _put_role_policy(aws: Aws, policy_name: str, inputs: Inputs) -> None:
    aws.client("iam").put_role_policy(
        RoleName=inputs["role"], PolicyName=policy_name, PolicyDocument=policy_text(inputs["policy"])
    )


def _delete_role_policy(aws: Aws, resource: Existing) -> None:
    role, name = resource.id.split(":", 1)
    aws.client("iam").delete_role_policy(RoleName=role, PolicyName=name)


RESOURCE_TYPES = {
    "aws:iam/role:Role": ResourceType(
        properties=fields(
            "name", "namePrefix", "assumeRolePolicy", "description", "maxSessionDuration", "path", "tags"
        ),
        create=_create_role,
        read=_read_role,
        update=_update_role,
        delete=_delete_role,
        replaces=frozenset({"name", "namePrefix", "path"}),
        defaults={"description": "", "maxSessionDuration": 3600, "path": "/"},
    ),
    "aws:iam/rolePolicy:RolePolicy": ResourceType(
        properties=fields("name", "namePrefix", "role", "policy"),
        create=_create_role_policy,
        read=_read_role_policy,
        update=_update_role_policy,
        delete=_delete_role_policy,
        replaces=frozenset({"name", "namePrefix", "role"}),
    ),
}
