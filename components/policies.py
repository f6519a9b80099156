"""IAM and resource policies as pure functions: values in, statements or a document out.

Every statement has a Sid. No action holds a wildcard except in the Deny statements, and a resource holds
one only where the docstring says why. A key's policy says ``*`` for the key that it belongs to, as KMS does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import pulumi

Statement: TypeAlias = dict[str, Any]
Policy: TypeAlias = dict[str, Any]


def document(*statements: Statement) -> Policy:
    """Put statements into a policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def resolve(
    build: Callable[..., list[Statement]], **values: pulumi.Input[str] | Sequence[str]
) -> pulumi.Output[list[Statement]]:
    """Call `build` with the values once they are known.

    A value that turns out to be missing is an error: AWS would take a policy with a null in it for one that
    says less, or refuse it without saying which value was meant.
    """

    def call(known: dict[str, Any]) -> list[Statement]:
        missing = sorted(name for name, value in known.items() if value is None)
        if missing:
            raise ValueError(f"{build.__name__}: no value for {', '.join(missing)}")
        return build(**known)

    return pulumi.Output.all(**values).apply(call)


def to_json(*statements: pulumi.Input[list[Statement]]) -> pulumi.Output[str]:
    """Write lists of statements as one policy document in JSON."""
    lists: pulumi.Output[Sequence[list[Statement]]] = pulumi.Output.all(*statements)
    return pulumi.Output.json_dumps(
        lists.apply(lambda known: document(*(s for group in known for s in group)))
    )


# What a role may do.


def lambda_trust() -> Policy:
    """Let the Lambda service take the role, and nobody else."""
    return document(
        {
            "Sid": "LambdaTakesTheRole",
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    )


def function_statements(log_group_arn: str) -> list[Statement]:
    """Allow what every function needs: to write its own log group, and its traces.

    ``:*`` after the group's ARN stands for its streams. The program creates the group, so that the function
    doesn't need `logs:CreateLogGroup`. X-Ray's put actions know no resources: ``*`` is the only one that AWS
    accepts for them (Service Authorization Reference, AWS X-Ray).
    """
    return [
        {
            "Sid": "WriteOwnLogs",
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": f"{log_group_arn}:*",
        },
        {
            "Sid": "WriteTraces",
            "Effect": "Allow",
            "Action": ["xray:PutTelemetryRecords", "xray:PutTraceSegments"],
            "Resource": "*",
        },
    ]


def processor_statements(bucket_arn: str, queue_arn: str, table_arn: str, index_arn: str) -> list[Statement]:
    """Allow what the processor needs: to take messages, read exact object versions, and insert entries.

    `s3:ListBucket` is what makes S3 answer 404 instead of 403 for what is gone (S3 API Reference, GetObject):
    without it a deleted upload could not be told from a missing permission. The three queue actions are those
    that Lambda asks of the role ("Configuring an Amazon SQS queue to trigger an AWS Lambda function").
    """
    return [
        {
            "Sid": "TakeMessages",
            "Effect": "Allow",
            "Action": ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"],
            "Resource": queue_arn,
        },
        {
            "Sid": "ReadUploads",
            "Effect": "Allow",
            "Action": "s3:GetObjectVersion",
            "Resource": f"{bucket_arn}/*",
        },
        {
            "Sid": "TellGoneFromForbidden",
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": bucket_arn,
        },
        {"Sid": "InsertEntries", "Effect": "Allow", "Action": "dynamodb:PutItem", "Resource": table_arn},
        {"Sid": "FindOwnEntry", "Effect": "Allow", "Action": "dynamodb:Query", "Resource": index_arn},
    ]


def reader_statements(table_arn: str, index_arn: str) -> list[Statement]:
    """Allow what the reader needs: to query the ledger, by fingerprint and by time."""
    return [
        {
            "Sid": "ReadLedger",
            "Effect": "Allow",
            "Action": "dynamodb:Query",
            "Resource": [table_arn, index_arn],
        }
    ]


def uploads_statements(table_arn: str, bucket_arn: str, prefix: str) -> list[Statement]:
    """Allow what the upload function needs: to look a receipt up, and to sign forms for its prefix.

    A presigned form can do no more than the role that signed it.
    """
    return [
        {"Sid": "FindReceipt", "Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": table_arn},
        {
            "Sid": "SignUploads",
            "Effect": "Allow",
            "Action": "s3:PutObject",
            "Resource": f"{bucket_arn}/{prefix}*",
        },
    ]


def key_use_statements(
    key_arn: str, decrypt_via: Sequence[str] = (), encrypt_via: Sequence[str] = ()
) -> list[Statement]:
    """Allow to use the customer's key, through the named services only (``s3``, ``sqs``, ``dynamodb``).

    To read from a bucket, a queue or a table takes `kms:Decrypt`, and so does to write to a table, whose own
    key DynamoDB decrypts for it. To write an object takes `kms:GenerateDataKey`. See "Protecting data with
    SSE-KMS" (S3), "Amazon SQS key management" and "How Amazon DynamoDB uses AWS KMS".
    """
    region = key_arn.split(":")[3]
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
            "Condition": {"StringEquals": {"kms:ViaService": _endpoints(services, region)}},
        }
        for sid, action, services in uses
        if services
    ]


def caller_policy(
    bucket_arn: str, api_execution_arn: str, upload_prefix: str = "", key_arn: str | None = None
) -> Policy:
    """Allow what a caller needs where `apiAuth` is `iam`: to call the API's routes, and to upload receipts.

    `api_execution_arn` is that of the API (``arn:aws:execute-api:<region>:<account>:<api id>``). The stage is
    ``*``, since the API has one stage only; the last ``*`` stands for the fingerprint. With the customer's
    key `key_arn` an upload needs that too; to decrypt is what S3 asks of who uploads in several parts.
    """
    key_use = key_use_statements(key_arn, decrypt_via=["s3"], encrypt_via=["s3"]) if key_arn else []
    return document(
        {
            "Sid": "CallTheApi",
            "Effect": "Allow",
            "Action": "execute-api:Invoke",
            "Resource": [
                f"{api_execution_arn}/*/GET/receipts",
                f"{api_execution_arn}/*/GET/receipts/*",
                f"{api_execution_arn}/*/POST/uploads",
            ],
        },
        {
            "Sid": "UploadReceipts",
            "Effect": "Allow",
            "Action": "s3:PutObject",
            "Resource": f"{bucket_arn}/{upload_prefix}*",
        },
        *key_use,
    )


def operator_policy(
    bucket_arn: str,
    table_arn: str,
    index_arn: str,
    queue_arn: str,
    dead_letter_queue_arn: str,
    key_arn: str | None = None,
) -> Policy:
    """Allow what an operator's commands need (`bill-e reconcile`, `backfill`, `dead-letters`), and no more.

    An operator sees which object versions there are, but neither reads nor writes any. A scan of the ledger
    doesn't read who uploaded; to look a single entry up shows it whole. The table's keys are among the
    attributes because DynamoDB asks for them ("Using IAM policy conditions for fine-grained access control").
    A redrive takes the rights to receive, delete and send too ("Configure a dead-letter queue redrive").
    Whoever reads and sends what is under the customer's key `key_arn` needs that as well.
    """
    attributes = ["fingerprint", "entry", "month_shard", "recorded"]
    attributes += ["outcome", "reason", "bucket", "key", "version_id", "uploaded_at"]
    key_use = (
        key_use_statements(key_arn, decrypt_via=["dynamodb", "sqs"], encrypt_via=["sqs"]) if key_arn else []
    )
    return document(
        {
            "Sid": "ListUploads",
            "Effect": "Allow",
            "Action": "s3:ListBucketVersions",
            "Resource": bucket_arn,
        },
        {
            "Sid": "ReadWhichUploadsHaveEntries",
            "Effect": "Allow",
            "Action": "dynamodb:Scan",
            "Resource": table_arn,
            "Condition": {
                "ForAllValues:StringEquals": {"dynamodb:Attributes": attributes},
                "StringEquals": {"dynamodb:Select": "SPECIFIC_ATTRIBUTES"},
            },
        },
        {"Sid": "FindEntries", "Effect": "Allow", "Action": "dynamodb:Query", "Resource": index_arn},
        {"Sid": "SendEvents", "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": queue_arn},
        {
            "Sid": "SeeQueues",
            "Effect": "Allow",
            "Action": "sqs:GetQueueAttributes",
            "Resource": [queue_arn, dead_letter_queue_arn],
        },
        {
            "Sid": "LookAtAndRedriveDeadLetters",
            "Effect": "Allow",
            "Action": [
                "sqs:ChangeMessageVisibility",
                "sqs:DeleteMessage",
                "sqs:ListMessageMoveTasks",
                "sqs:ReceiveMessage",
                "sqs:StartMessageMoveTask",
            ],
            "Resource": dead_letter_queue_arn,
        },
        *key_use,
    )


# Who may use a resource.


def key_statements(account_id: str, region: str) -> list[Statement]:
    """Say who may use the customer's key. Each statement is there for one who can't do without it.

    The account administers the key by its own IAM policies, or nobody could; but even its administrators can
    encrypt and decrypt only through the services that keep the stack's data. DynamoDB uses a key by the
    permissions of who creates a table and by grants ("How Amazon DynamoDB uses AWS KMS"). S3, as it sends
    events to an encrypted queue, CloudWatch Logs and alarms use the key by themselves: for this account only.
    ARNs are patterns, because what they name is made after the key.
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
            StringEquals={"kms:ViaService": _endpoints(["s3", "sqs"], region)},
        ),
        _key_statement(
            "AccountUsesTheKeyThroughTables",
            account,
            [*encrypt, "kms:CreateGrant"],
            StringEquals={"kms:ViaService": _endpoints(["dynamodb"], region)},
        ),
        _key_statement(
            "BucketsSendEvents",
            {"Service": "s3.amazonaws.com"},
            use_data_keys,
            StringEquals={"aws:SourceAccount": account_id},
        ),
        _key_statement(
            "LogGroupsAreEncrypted",
            {"Service": f"logs.{region}.amazonaws.com"},
            encrypt,
            ArnLike={"kms:EncryptionContext:aws:logs:arn": f"arn:*:logs:{region}:{account_id}:log-group:*"},
        ),
        _alarms_notify(account_id, region),
    ]


def alarm_key_statements(account_id: str, region: str) -> list[Statement]:
    """Say who may use a key for nothing but alarms: CloudWatch, to publish to a topic under it.

    The account looks after it, but reads nothing with it.
    """
    return [
        _key_statement("AccountAdministersTheKey", {"AWS": account_id}, list(KEY_ADMINISTRATION)),
        _alarms_notify(account_id, region),
    ]


def _alarms_notify(account_id: str, region: str) -> Statement:
    return _key_statement(
        "AlarmsNotify",
        {"Service": "cloudwatch.amazonaws.com"},
        ["kms:Decrypt", "kms:GenerateDataKey"],
        **_for_alarms(account_id, region),
    )


def _for_alarms(account_id: str, region: str) -> dict[str, dict[str, str]]:
    """Tell the alarms of this account from what others have CloudWatch do: a condition."""
    return {
        "StringEquals": {"aws:SourceAccount": account_id},
        "ArnLike": {"aws:SourceArn": f"arn:*:cloudwatch:{region}:{account_id}:alarm:*"},
    }


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


def _endpoints(services: Sequence[str], region: str) -> list[str]:
    """Name services as `kms:ViaService` does."""
    return [f"{service}.{region}.amazonaws.com" for service in services]


def bucket_statements(bucket_arn: str) -> list[Statement]:
    """Keep everyone out of the bucket who doesn't come over TLS."""
    return [_tls_only("s3:*", [bucket_arn, f"{bucket_arn}/*"])]


def customer_key_statements(bucket_arn: str, key_arn: str) -> list[Statement]:
    """Refuse uploads that ask for another encryption than the bucket's own with the customer's key.

    An upload that asks for nothing gets that, so `Null` lets it through (S3 User Guide, "Requiring SSE-KMS
    for all objects written to a bucket").
    """
    header = "s3:x-amz-server-side-encryption"
    return [
        _refuse_uploads("NoOtherEncryption", bucket_arn, header, "aws:kms"),
        _refuse_uploads("NoOtherKey", bucket_arn, f"{header}-aws-kms-key-id", key_arn),
    ]


def _refuse_uploads(sid: str, bucket_arn: str, condition_key: str, wanted: str) -> Statement:
    return {
        "Sid": sid,
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"{bucket_arn}/*",
        "Condition": {"StringNotEquals": {condition_key: wanted}, "Null": {condition_key: "false"}},
    }


def log_delivery_statements(
    bucket_arn: str, prefix: str, source_arn: str, account_id: str
) -> list[Statement]:
    """Let S3 deliver the access logs of one bucket of this account, and nothing else, below a prefix."""
    return [
        {
            "Sid": "BucketDeliversAccessLogs",
            "Effect": "Allow",
            "Principal": {"Service": "logging.s3.amazonaws.com"},
            "Action": "s3:PutObject",
            "Resource": f"{bucket_arn}/{prefix}*",
            "Condition": {
                "ArnEquals": {"aws:SourceArn": source_arn},
                "StringEquals": {"aws:SourceAccount": account_id},
            },
        }
    ]


def queue_statements(queue_arn: str, bucket_arn: str, account_id: str) -> list[Statement]:
    """Let S3 send to the queue for this one bucket of this account, and keep everyone out who lacks TLS.

    Both conditions are needed: bucket names are global, so that a bucket that was deleted here can come back
    in a foreign account under the same ARN.
    """
    return [
        {
            "Sid": "BucketSendsEvents",
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue_arn,
            "Condition": {
                "ArnEquals": {"aws:SourceArn": bucket_arn},
                "StringEquals": {"aws:SourceAccount": account_id},
            },
        },
        *dead_letter_queue_statements(queue_arn),
    ]


def dead_letter_queue_statements(queue_arn: str) -> list[Statement]:
    """Keep everyone out of the queue who doesn't come over TLS."""
    return [_tls_only("sqs:*", [queue_arn])]


def alarm_topic_statements(topic_arn: str, account_id: str, region: str) -> list[Statement]:
    """Let the alarms of this account publish to the topic, and keep everyone out who lacks TLS.

    A topic's policy knows single actions only, so that the second statement names the one that there is to
    forbid (Security Hub, SNS.4; "Amazon SNS security best practices").
    """
    return [
        {
            "Sid": "AlarmsNotify",
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": topic_arn,
            "Condition": _for_alarms(account_id, region),
        },
        _tls_only("sns:Publish", [topic_arn]),
    ]


def _tls_only(action: str, resources: list[str]) -> Statement:
    return {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": action,
        "Resource": resources,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
