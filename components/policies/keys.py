"""Who may use a KMS key, and what for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from components.policies.conditions import for_alarms
from components.policies.documents import Statement

DNS_SUFFIX = "amazonaws.com"
"""That of every partition but those of China (`amazonaws.com.cn`) and some closed ones."""


def key_use_statements(
    key_arn: str,
    decrypt_via: Sequence[str] = (),
    encrypt_via: Sequence[str] = (),
    dns_suffix: str = DNS_SUFFIX,
) -> list[Statement]:
    """Allow to use the customer's key, through the named services only (``s3``, ``sqs``, ``dynamodb``).

    To read from a bucket, a queue or a table takes `kms:Decrypt`, and so does to write to a table, whose own
    key DynamoDB decrypts for it. To write an object takes `kms:GenerateDataKey`. See "Protecting data with
    SSE-KMS" (S3), "Amazon SQS key management" and "How Amazon DynamoDB uses AWS KMS".
    """
    uses = (
        ("DecryptWithKey", "kms:Decrypt", decrypt_via),
        ("EncryptWithKey", "kms:GenerateDataKey", encrypt_via),
    )
    return [
        {
            "Sid": sid,
            "Effect": "Allow",
            "Action": action,
            "Resource": key_arn,
            "Condition": _via(services, [key_arn], dns_suffix),
        }
        for sid, action, services in uses
        if services
    ]


def former_key_statements(
    key_arns: Sequence[str], decrypt_via: Sequence[str], dns_suffix: str = DNS_SUFFIX
) -> list[Statement]:
    """Allow to decrypt with keys that were in force once, through the named services only.

    Nothing is encrypted with them any more. But each of them is still the only one that can decrypt what it
    has encrypted: older uploads, messages that were queued at the time, and backups.
    """
    if not key_arns or not decrypt_via:
        return []
    return [
        {
            "Sid": "DecryptWithFormerKeys",
            "Effect": "Allow",
            "Action": "kms:Decrypt",
            "Resource": list(key_arns),
            "Condition": _via(decrypt_via, key_arns, dns_suffix),
        }
    ]


def _via(services: Sequence[str], key_arns: Sequence[str], dns_suffix: str) -> dict[str, dict[str, Any]]:
    """Make the condition that keys are used through services, each in the region of a key."""
    regions = sorted({arn.split(":")[3] for arn in key_arns})
    endpoints = [end for region in regions for end in _endpoints(services, region, dns_suffix)]
    return {"StringEquals": {"kms:ViaService": endpoints}}


def key_statements(account_id: str, region: str, dns_suffix: str = DNS_SUFFIX) -> list[Statement]:
    """Say who may use the customer's key. Each statement serves somebody who can't do without it.

    The account administers the key by its own IAM policies, or nobody could; but even its administrators can
    encrypt and decrypt only through the services that keep the stack's data. DynamoDB uses a key by the
    permissions of the caller who creates a table, and by grants ("How Amazon DynamoDB uses AWS KMS"). S3, as
    it sends events to an encrypted queue, and CloudWatch Logs use the key by themselves: for this account
    only. ARNs are patterns, because what they name is made after the key.

    CloudWatch Logs' principal is its endpoint in the region, and so ends as names in the partition do
    ("Encrypt log data in CloudWatch Logs using AWS KMS"). The other services have one principal in all
    partitions, ``<service>.amazonaws.com`` ("AWS JSON policy elements: Principal").
    """
    account = {"AWS": account_id}
    use_data_keys = ["kms:Decrypt", "kms:GenerateDataKey"]
    encrypt = [
        *("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"),
        *("kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo"),
    ]
    return [
        _key_statement("AccountAdministersTheKey", account, list(KEY_ADMINISTRATION)),
        _key_statement(
            "AccountUsesTheKeyThroughServices",
            account,
            use_data_keys,
            StringEquals={"kms:ViaService": _endpoints(["s3", "sqs"], region, dns_suffix)},
        ),
        _key_statement(
            "AccountUsesTheKeyThroughTables",
            account,
            [*encrypt, "kms:CreateGrant"],
            StringEquals={"kms:ViaService": _endpoints(["dynamodb"], region, dns_suffix)},
        ),
        _key_statement(
            "BucketsSendEvents",
            {"Service": "s3.amazonaws.com"},
            use_data_keys,
            StringEquals={"aws:SourceAccount": account_id},
        ),
        _key_statement(
            "LogGroupsAreEncrypted",
            {"Service": f"logs.{region}.{dns_suffix}"},
            encrypt,
            ArnLike={"kms:EncryptionContext:aws:logs:arn": f"arn:*:logs:{region}:{account_id}:log-group:*"},
        ),
    ]


def alarm_key_statements(account_id: str, region: str) -> list[Statement]:
    """Say who may use a key for nothing but alarms: CloudWatch, to publish to a topic under it.

    The account looks after it, but reads nothing with it.
    """
    return [
        _key_statement("AccountAdministersTheKey", {"AWS": account_id}, list(KEY_ADMINISTRATION)),
        _key_statement(
            "AlarmsNotify",
            {"Service": "cloudwatch.amazonaws.com"},
            ["kms:Decrypt", "kms:GenerateDataKey"],
            **for_alarms(account_id, region),
        ),
    ]


KEY_ADMINISTRATION = (
    *("kms:CancelKeyDeletion", "kms:CreateAlias", "kms:DeleteAlias", "kms:DescribeKey", "kms:DisableKey"),
    *("kms:DisableKeyRotation", "kms:EnableKey", "kms:EnableKeyRotation", "kms:GetKeyPolicy"),
    *("kms:GetKeyRotationStatus", "kms:ListGrants", "kms:ListKeyPolicies", "kms:ListKeyRotations"),
    *("kms:ListResourceTags", "kms:PutKeyPolicy", "kms:RevokeGrant", "kms:RotateKeyOnDemand"),
    *("kms:ScheduleKeyDeletion", "kms:TagResource", "kms:UntagResource", "kms:UpdateAlias"),
    "kms:UpdateKeyDescription",
)
"""What it takes to look after a key. Nothing here encrypts or decrypts."""


def _key_statement(sid: str, principal: dict[str, str], actions: list[str], **conditions: Any) -> Statement:
    statement: Statement = {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": principal,
        "Action": actions,
        "Resource": "*",
    }
    return {**statement, "Condition": conditions} if conditions else statement


def _endpoints(services: Sequence[str], region: str, dns_suffix: str) -> list[str]:
    """Name services as `kms:ViaService` does."""
    return [f"{service}.{region}.{dns_suffix}" for service in services]
