"""KMS: keys and their aliases."""

from __future__ import annotations

from typing import Any

from local.aws import Aws
from local.provider.schema import Created, Inputs, ResourceType, fields, physical_name, policy_text, present

ALIAS_NAME_LENGTH = 256


def _key(aws: Aws, _name: str, inputs: Inputs) -> Created:
    kms = aws.client("kms")
    request: Any = {
        **present(inputs, Description="description", KeyUsage="keyUsage", MultiRegion="multiRegion"),
        **({"Policy": policy_text(inputs["policy"])} if inputs.get("policy") else {}),
        "Tags": [{"TagKey": key, "TagValue": value} for key, value in (inputs.get("tags") or {}).items()],
    }
    key = kms.create_key(**request)["KeyMetadata"]
    if inputs.get("enableKeyRotation"):
        kms.enable_key_rotation(
            KeyId=key["KeyId"], **present(inputs, RotationPeriodInDays="rotationPeriodInDays")
        )
    return Created(id=key["KeyId"], outputs={"keyId": key["KeyId"], "arn": key["Arn"]})


def _alias(aws: Aws, name: str, inputs: Inputs) -> Created:
    alias = physical_name(inputs, f"alias/{name}", max_length=ALIAS_NAME_LENGTH)
    aws.client("kms").create_alias(AliasName=alias, TargetKeyId=inputs["targetKeyId"])
    return Created(id=alias, outputs={"name": alias})


RESOURCE_TYPES = {
    "aws:kms/key:Key": ResourceType(
        # deletionWindowInDays only says how `pulumi destroy` goes about it.
        properties=fields(
            "deletionWindowInDays",
            "description",
            "enableKeyRotation",
            "keyUsage",
            "multiRegion",
            "policy",
            "rotationPeriodInDays",
            "tags",
        ),
        create=_key,
    ),
    "aws:kms/alias:Alias": ResourceType(
        properties=fields("name", "namePrefix", "targetKeyId"), create=_alias
    ),
}
