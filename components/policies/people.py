"""What people who call a stack may do, and people who run it."""

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
    """Allow what a caller needs where `apiAuth` is `iam`: to call the API's routes, and to upload receipts.

    `api_execution_arn` is that of the API (``arn:aws:execute-api:<region>:<account>:<api id>``). The stage is
    ``*``, since the API has one stage only; the last ``*`` stands for the fingerprint. With the customer's
    key `key_arn`, an upload needs the key too; S3 also asks callers who upload in several parts for the right
    to decrypt.
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
    """Allow what an operator's commands need (`bill-e reconcile`, `backfill`, `dead-letters`), and no more.

    An operator sees which object versions there are, but neither reads nor writes any. A scan of the ledger
    doesn't read who uploaded; to look a single entry up shows it whole. The table's keys are among the
    attributes because DynamoDB asks for them ("Using IAM policy conditions for fine-grained access control").
    A redrive takes the rights to receive, delete and send too ("Configure a dead-letter queue redrive").
    Whoever reads and sends what is under the customer's key `key_arn` needs that as well, and whoever reads
    dead letters from before the last change of keys needs `former_key_arns`.
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
