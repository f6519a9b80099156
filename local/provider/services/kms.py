"""KMS: keys and their aliases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local.aws import Aws
from local.provider.patterns import undone_on_failure, update_tags
from local.provider.resource_types import ANY, Change, Created, Existing, Inputs, ResourceType, fields
from local.provider.spelling import physical_name, policy_text, present, request

ALIAS_NAME_LENGTH = 256
GONE = {"PendingDeletion", "PendingReplicaDeletion"}
"""The states of a deleted key. Until the window is over, the deletion can be cancelled."""


def _create(aws: Aws, _name: str, inputs: Inputs) -> Created:
    kms = aws.client("kms")
    asked = request(inputs, ("description", "keyUsage", "multiRegion"))
    asked |= present(inputs, KeySpec="customerMasterKeySpec")
    if inputs.get("policy"):
        asked["Policy"] = policy_text(inputs["policy"])
    key = kms.create_key(**asked, Tags=_tag_list(inputs.get("tags") or {}))["KeyMetadata"]
    made = Existing(id=key["KeyId"], inputs=inputs, outputs={})
    with undone_on_failure(lambda: _schedule_deletion(aws, made)):
        if inputs.get("enableKeyRotation"):
            _rotate(aws, key["KeyId"], inputs)
    return Created(id=key["KeyId"], outputs={"keyId": key["KeyId"], "arn": key["Arn"]})


def _read(aws: Aws, resource: Existing) -> Inputs | None:
    kms, key = aws.client("kms"), resource.id
    metadata = kms.describe_key(KeyId=key)["KeyMetadata"]
    if metadata["KeyState"] in GONE:
        return None
    rotation = kms.get_key_rotation_status(KeyId=key)
    tags = kms.list_resource_tags(KeyId=key)["Tags"]
    return {
        "customerMasterKeySpec": metadata["KeySpec"],
        "description": metadata.get("Description"),
        "keyUsage": metadata["KeyUsage"],
        "multiRegion": metadata["MultiRegion"],
        "policy": kms.get_key_policy(KeyId=key)["Policy"],
        "enableKeyRotation": rotation["KeyRotationEnabled"],
        "rotationPeriodInDays": rotation.get("RotationPeriodInDays"),
        "tags": {tag["TagKey"]: tag["TagValue"] for tag in tags},
    }


def _update(aws: Aws, change: Change) -> None:
    kms, key, different = aws.client("kms"), change.resource.id, change.different
    if "description" in different:
        kms.update_key_description(KeyId=key, Description=different["description"])
    if "policy" in different:
        kms.put_key_policy(KeyId=key, Policy=policy_text(different["policy"]))
    if {"enableKeyRotation", "rotationPeriodInDays"} & set(different):
        if change.inputs.get("enableKeyRotation"):
            _rotate(aws, key, change.inputs)
        else:
            kms.disable_key_rotation(KeyId=key)
    update_tags(change, kms.tag_resource, kms.untag_resource, spell=_tag_list, KeyId=key)


def _schedule_deletion(aws: Aws, resource: Existing) -> None:
    kms = aws.client("kms")
    if kms.describe_key(KeyId=resource.id)["KeyMetadata"]["KeyState"] not in GONE:
        kms.schedule_key_deletion(
            KeyId=resource.id, **present(resource.inputs, PendingWindowInDays="deletionWindowInDays")
        )


def _rotate(aws: Aws, key: str, inputs: Inputs) -> None:
    aws.client("kms").enable_key_rotation(KeyId=key, **request(inputs, ("rotationPeriodInDays",)))


def _tag_list(tags: Mapping[str, str]) -> Any:
    return [{"TagKey": key, "TagValue": value} for key, value in tags.items()]


def _create_alias(aws: Aws, name: str, inputs: Inputs) -> Created:
    alias = physical_name(inputs, f"alias/{name}", max_length=ALIAS_NAME_LENGTH)
    aws.client("kms").create_alias(AliasName=alias, TargetKeyId=inputs["targetKeyId"])
    return Created(id=alias, outputs={"name": alias})


def _read_alias(aws: Aws, resource: Existing) -> Inputs | None:
    pages = aws.client("kms").get_paginator("list_aliases").paginate()
    aliases = (alias for page in pages for alias in page["Aliases"])
    alias = next((alias for alias in aliases if alias["AliasName"] == resource.id), None)
    if alias is None:
        return None
    written, found = resource.inputs["targetKeyId"], alias.get("TargetKeyId", "")
    # The program may name the key by its ARN, which ends in the id that the alias has.
    return {"targetKeyId": written if written.endswith(f"/{found}") else found}


def _update_alias(aws: Aws, change: Change) -> None:
    if key := change.different.get("targetKeyId"):
        aws.client("kms").update_alias(AliasName=change.resource.id, TargetKeyId=key)


RESOURCE_TYPES = {
    "aws:kms/key:Key": ResourceType(
        properties=fields(
            *(
                "customerMasterKeySpec",
                "deletionWindowInDays",
                "description",
                "enableKeyRotation",
                "keyUsage",
            ),
            *("multiRegion", "policy", "rotationPeriodInDays", "tags"),
        ),
        create=_create,
        read=_read,
        update=_update,
        delete=_schedule_deletion,
        replaces=frozenset({"customerMasterKeySpec", "keyUsage", "multiRegion"}),
        defaults={
            "customerMasterKeySpec": "SYMMETRIC_DEFAULT",
            "description": ANY,
            "enableKeyRotation": False,
            "keyUsage": "ENCRYPT_DECRYPT",
            "multiRegion": False,
            "policy": ANY,
            "rotationPeriodInDays": ANY,
        },
    ),
    "aws:kms/alias:Alias": ResourceType(
        properties=fields("name", "namePrefix", "targetKeyId"),
        create=_create_alias,
        read=_read_alias,
        update=_update_alias,
        delete=lambda aws, alias: aws.client("kms").delete_alias(AliasName=alias.id),
        replaces=frozenset({"name", "namePrefix"}),
    ),
}
