"""Who may use a KMS key, and for what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from components.policies.documents import Statement, for_alarms

DNS_SUFFIX = "amazonaws.com"
"""In every partition except China (`amazonaws.com.cn`) and some that aren't public."""


def key_use_statements(
    key_arn: str,
    decrypt_via: Sequence[str] = (),
    encrypt_via: Sequence[str] = (),
    dns_suffix: str = DNS_SUFFIX,
) -> list[Statement]:
    """Allow the use of the customer's key, but only through services (``s3``, ``sqs``, ``dynamodb``).

    Reading from a bucket, a queue or a table requires `kms:Decrypt`, and so does writing to a table, whose
    own key DynamoDB has to decrypt. Writing an object requires `kms:GenerateDataKey`. See "Protecting data
    with SSE-KMS" (S3), "Amazon SQS key management" and "How Amazon DynamoDB uses AWS KMS".
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
    """Allow decryption with keys that the stack used before, but only through services.

    Nothing is encrypted with these keys any more, but only they can decrypt older uploads, backups, and
    messages that were in a queue when the key changed.
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
    """Make the condition that keys are used through services in their regions."""
    regions = sorted({arn.split(":")[3] for arn in key_arns})
    endpoints = [end for region in regions for end in _endpoints(services, region, dns_suffix)]
    return {"StringEquals": {"kms:ViaService": endpoints}}


def key_statements(account_id: str, region: str, dns_suffix: str = DNS_SUFFIX) -> list[Statement]:
    """Say who may use the customer's key, with a statement for each user.

    The account's IAM policies say who administers the key. Even administrators can only encrypt and decrypt
    through the services that keep the stack's data. DynamoDB uses the permissions of the principal that
    creates a table, and grants ("How Amazon DynamoDB uses AWS KMS"). S3 needs the key to send events to an
    encrypted queue, and CloudWatch Logs to write logs; both only for this account. The ARNs are patterns,
    since what they name is created after the key.

    The principal of CloudWatch Logs is its endpoint, which ends in the DNS suffix of the partition ("Encrypt
    log data in CloudWatch Logs using AWS KMS"). The other services have the same principal in all partitions,
    ``<service>.amazonaws.com`` ("AWS JSON policy elements: Principal").
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
    """Let CloudWatch use the key of the alarm topic. The account administers it, but can't decrypt."""
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
"""The actions that administer a key. None of them encrypts or decrypts."""


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
    """Spell services as `kms:ViaService` does."""
    return [f"{service}.{region}.{dns_suffix}" for service in services]
