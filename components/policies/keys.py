"""Who may use a KMS key, and for what."""

from __future__ import annotations

from collections.abc import Sequence

from components.policies.documents import Condition, Statement, allow
from components.policies.resources import for_alarms
from functions.contract.sealing import MESSAGE_TYPE, SIGNING_ALGORITHM

THIS_KEY = "*"


def key_use_statements(
    key_arn: str, decrypt_via: Sequence[str], encrypt_via: Sequence[str], dns_suffix: str
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
        allow(sid, action, key_arn, _via(services, [key_arn], dns_suffix))
        for sid, action, services in uses
        if services
    ]


def former_key_statements(
    key_arns: Sequence[str], decrypt_via: Sequence[str], dns_suffix: str
) -> list[Statement]:
    """Allow decryption with keys that the stack used before, but only through services.

    Nothing is encrypted with these keys any more, but only they can decrypt older uploads, backups, and
    messages that were in a queue when the key changed.
    """
    if not key_arns or not decrypt_via:
        return []
    via = _via(decrypt_via, key_arns, dns_suffix)
    return [allow("DecryptWithFormerKeys", "kms:Decrypt", list(key_arns), via)]


def _via(services: Sequence[str], key_arns: Sequence[str], dns_suffix: str) -> Condition:
    """Make the condition that keys are used through services in their regions."""
    regions = sorted({arn.split(":")[3] for arn in key_arns})
    endpoints = [f"{service}.{region}.{dns_suffix}" for region in regions for service in services]
    return {"StringEquals": {"kms:ViaService": endpoints}}


def key_statements(account_id: str, region: str, dns_suffix: str) -> list[Statement]:
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
    endpoint = f"{region}.{dns_suffix}"
    of_log_groups = f"arn:*:logs:{region}:{account_id}:log-group:*"
    account = {"AWS": account_id}
    use_data_keys = ["kms:Decrypt", "kms:GenerateDataKey"]
    encrypt = [
        *("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"),
        *("kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo"),
    ]
    return [
        _account_administers(account_id),
        allow(
            "AccountUsesTheKeyThroughServices",
            use_data_keys,
            THIS_KEY,
            {"StringEquals": {"kms:ViaService": [f"s3.{endpoint}", f"sqs.{endpoint}"]}},
            principal=account,
        ),
        allow(
            "AccountUsesTheKeyThroughTables",
            [*encrypt, "kms:CreateGrant"],
            THIS_KEY,
            {"StringEquals": {"kms:ViaService": [f"dynamodb.{endpoint}"]}},
            principal=account,
        ),
        allow(
            "BucketsSendEvents",
            use_data_keys,
            THIS_KEY,
            {"StringEquals": {"aws:SourceAccount": account_id}},
            principal={"Service": "s3.amazonaws.com"},
        ),
        allow(
            "LogGroupsAreEncrypted",
            encrypt,
            THIS_KEY,
            {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": of_log_groups}},
            principal={"Service": f"logs.{endpoint}"},
        ),
    ]


def signing_key_statements(account_id: str, role_arn: str, *, stays: bool) -> list[Statement]:
    """Let one role of the account sign whole messages, and everybody in it read the public key.

    The condition names the role, since IAM would turn a principal into the id of a role that may be made
    again. If the key `stays`, nobody can disable it or have it deleted: with another key, the log would end.
    """
    account = {"AWS": account_id}
    by_role: Condition = {
        "ArnEquals": {"aws:PrincipalArn": role_arn},
        "StringEquals": {"kms:MessageType": MESSAGE_TYPE, "kms:SigningAlgorithm": SIGNING_ALGORITHM},
    }
    stay: Statement = {
        "Sid": "TheKeyStays",
        "Effect": "Deny",
        "Principal": "*",
        "Action": ["kms:DisableKey", "kms:ScheduleKeyDeletion"],
        "Resource": THIS_KEY,
    }
    return [
        _account_administers(account_id),
        allow("AccountReadsThePublicKey", "kms:GetPublicKey", THIS_KEY, principal=account),
        allow("TheSealerSigns", "kms:Sign", THIS_KEY, by_role, principal=account),
        *([stay] if stays else []),
    ]


def alarm_key_statements(account_id: str, region: str) -> list[Statement]:
    """Let CloudWatch use the key of the alarm topic. The account administers it, but can't decrypt."""
    return [
        _account_administers(account_id),
        allow(
            "AlarmsNotify",
            ["kms:Decrypt", "kms:GenerateDataKey"],
            THIS_KEY,
            for_alarms(account_id, region),
            principal={"Service": "cloudwatch.amazonaws.com"},
        ),
    ]


def _account_administers(account_id: str) -> Statement:
    """Allow what administers a key. None of these actions encrypts or decrypts."""
    actions = [
        *("kms:CancelKeyDeletion", "kms:CreateAlias", "kms:DeleteAlias", "kms:DescribeKey", "kms:DisableKey"),
        *("kms:DisableKeyRotation", "kms:EnableKey", "kms:EnableKeyRotation", "kms:GetKeyPolicy"),
        *("kms:GetKeyRotationStatus", "kms:ListGrants", "kms:ListKeyPolicies", "kms:ListKeyRotations"),
        *("kms:ListResourceTags", "kms:PutKeyPolicy", "kms:RevokeGrant", "kms:RotateKeyOnDemand"),
        *("kms:ScheduleKeyDeletion", "kms:TagResource", "kms:UntagResource", "kms:UpdateAlias"),
        "kms:UpdateKeyDescription",
    ]
    return allow("AccountAdministersTheKey", actions, THIS_KEY, principal={"AWS": account_id})
