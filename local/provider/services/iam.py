"""IAM: roles and their inline policies."""

from __future__ import annotations

from local.aws import Aws
from local.provider.patterns import update_tags
from local.provider.resource_types import Change, Created, Existing, Inputs, ResourceType, fields
from local.provider.spelling import key_value_tags, physical_name, policy_text, request, tags_of

ROLE_NAME_LENGTH = 64
POLICY_NAME_LENGTH = 128


def _create_role(aws: Aws, name: str, inputs: Inputs) -> Created:
    name = physical_name(inputs, name, max_length=ROLE_NAME_LENGTH)
    role = aws.client("iam").create_role(
        RoleName=name,
        AssumeRolePolicyDocument=policy_text(inputs["assumeRolePolicy"]),
        Tags=key_value_tags(inputs.get("tags")),
        **request(inputs, ("description", "maxSessionDuration", "path")),
    )["Role"]
    return Created(id=name, outputs={"name": name, "arn": role["Arn"], "uniqueId": role["RoleId"]})


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


def _update_role(aws: Aws, change: Change) -> None:
    iam, role, different = aws.client("iam"), change.resource.id, change.different
    if "assumeRolePolicy" in different:
        iam.update_assume_role_policy(
            RoleName=role, PolicyDocument=policy_text(different["assumeRolePolicy"])
        )
    if settings := request(different, ("description", "maxSessionDuration")):
        iam.update_role(RoleName=role, **settings)
    update_tags(change, iam.tag_role, iam.untag_role, spell=key_value_tags, RoleName=role)


def _create_role_policy(aws: Aws, name: str, inputs: Inputs) -> Created:
    name = physical_name(inputs, name, max_length=POLICY_NAME_LENGTH)
    _put_role_policy(aws, name, inputs)
    return Created(id=f"{inputs['role']}:{name}", outputs={"name": name})


def _read_role_policy(aws: Aws, resource: Existing) -> Inputs:
    found = aws.client("iam").get_role_policy(**_role_and_name(resource))
    return {"policy": policy_text(found["PolicyDocument"])}


def _put_role_policy(aws: Aws, name: str, inputs: Inputs) -> None:
    aws.client("iam").put_role_policy(
        RoleName=inputs["role"], PolicyName=name, PolicyDocument=policy_text(inputs["policy"])
    )


def _role_and_name(policy: Existing) -> dict[str, str]:
    role, name = policy.id.split(":", 1)
    return {"RoleName": role, "PolicyName": name}


RESOURCE_TYPES = {
    "aws:iam/role:Role": ResourceType(
        properties=fields(
            "name", "namePrefix", "assumeRolePolicy", "description", "maxSessionDuration", "path", "tags"
        ),
        create=_create_role,
        read=_read_role,
        update=_update_role,
        delete=lambda aws, role: aws.client("iam").delete_role(RoleName=role.id),
        replaces=frozenset({"name", "namePrefix", "path"}),
        defaults={"description": "", "maxSessionDuration": 3600, "path": "/"},
    ),
    "aws:iam/rolePolicy:RolePolicy": ResourceType(
        properties=fields("name", "namePrefix", "role", "policy"),
        create=_create_role_policy,
        read=_read_role_policy,
        update=lambda aws, change: _put_role_policy(aws, change.resource.outputs["name"], change.inputs),
        delete=lambda aws, policy: aws.client("iam").delete_role_policy(**_role_and_name(policy)),
        replaces=frozenset({"name", "namePrefix", "role"}),
    ),
}
