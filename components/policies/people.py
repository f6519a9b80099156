"""What callers and operators may do."""

from __future__ import annotations

from collections.abc import Sequence

from components.policies.documents import Policy, document
from components.policies.keys import DNS_SUFFIX, former_key_statements, key_use_statements


def caller_policy(
    bucket_arn: str,
    api_execution_arn: str,
    upload_prefix: str = "",
    key_arn: str | None = None,
    dns_suffix: str = DNS_SUFFIX,
) -> Policy:
    """Allow callers to call the API, if `apiAuth` is `iam`, and to upload receipts.

    `api_execution_arn` is ``arn:aws:execute-api:<region>:<account>:<api id>``. The stage is ``*``, since the
    API has only one; the last ``*`` is the fingerprint. If the stack has a customer's key, `key_arn`, callers
    need it to upload, and S3 requires the permission to decrypt for multipart uploads.
    """
    key_use = key_use_statements(key_arn, ["s3"], ["s3"], dns_suffix) if key_arn else []
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
    former_key_arns: Sequence[str] = (),
    dns_suffix: str = DNS_SUFFIX,
) -> Policy:
    """Allow what operators need for `bill-e reconcile`, `backfill` and `dead-letters`, and no more.

    Operators see which object versions exist, but can neither read nor write them. A scan of the ledger
    doesn't show who uploaded a receipt, but a query for a single entry does. DynamoDB requires the keys of
    the table among the attributes ("Using IAM policy conditions for fine-grained access control"). A redrive
    requires the permissions to receive, delete and send ("Configure a dead-letter queue redrive"). Operators
    need `key_arn` to read and send messages under the customer's key, and `former_key_arns` to read dead
    letters from before the key changed.
    """
    attributes = ["fingerprint", "entry", "month_shard", "recorded"]
    attributes += ["outcome", "reason", "bucket", "key", "version_id", "uploaded_at"]
    decrypt_via = ["dynamodb", "sqs"]
    key_use = key_use_statements(key_arn, decrypt_via, ["sqs"], dns_suffix) if key_arn else []
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
        *former_key_statements(former_key_arns, decrypt_via, dns_suffix),
    )
