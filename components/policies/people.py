"""What callers and operators may do."""

from __future__ import annotations

import re
from collections.abc import Sequence

from components.policies.documents import Condition, Policy, allow, document
from components.policies.keys import former_key_statements, key_use_statements
from functions.contract import http_api, schema


def caller_policy(
    bucket_arn: str, api_execution_arn: str, upload_prefix: str, key_arn: str | None, dns_suffix: str
) -> Policy:
    """Allow callers to call the API, if `apiAuth` is `iam`, and to upload receipts.

    `api_execution_arn` is ``arn:aws:execute-api:<region>:<account>:<api id>``. The stage is ``*``, since the
    API has only one; the last ``*`` is the fingerprint. If the stack has a customer's key, `key_arn`, callers
    need it to upload, and S3 requires the permission to decrypt for multipart uploads.
    """
    key_use = key_use_statements(key_arn, ["s3"], ["s3"], dns_suffix) if key_arn else []
    routes = [
        f"{api_execution_arn}/*/{re.sub('{.+}', '*', route.replace(' ', ''))}"
        for route in (*http_api.READ_ROUTES, *http_api.UPLOAD_ROUTES)
    ]
    return document(
        allow("CallTheApi", "execute-api:Invoke", routes),
        allow("UploadReceipts", "s3:PutObject", f"{bucket_arn}/{upload_prefix}*"),
        *key_use,
    )


def operator_policy(
    bucket_arn: str,
    table_arn: str,
    index_arn: str,
    queue_arn: str,
    resend_queue_arn: str,
    dead_letter_queue_arn: str,
    operations_log_arn: str,
    key_arn: str | None,
    former_key_arns: Sequence[str],
    dns_suffix: str,
) -> Policy:
    """Allow what operators need for `bill-e reconcile`, `backfill` and `dead-letters`, and no more.

    Operators see which object versions exist, but can neither read nor write them. The ledger doesn't show
    them who uploaded a receipt. DynamoDB requires the keys of the table among the attributes ("Using IAM
    policy conditions for fine-grained access control"). Operators may only send to the resend queue, whose
    messages the processor doesn't believe. A redrive requires the permissions to receive and delete, and to
    send to the queue that the messages move to ("Configure a dead-letter queue redrive"). Operators
    need `key_arn` to read and send messages under the customer's key, and `former_key_arns` to read dead
    letters from before the key changed.

    Operators add lines to the log of operations, and can neither read, change nor delete any. Each run of a
    command makes a stream for its lines, and CloudTrail says who made it.
    """
    no_uploaders: Condition = {
        "ForAllValues:StringEquals": {"dynamodb:Attributes": [*schema.OPERATOR_ATTRIBUTES]},
        "StringEquals": {"dynamodb:Select": "SPECIFIC_ATTRIBUTES"},
    }
    decrypt_via = ["dynamodb", "sqs"]
    key_use = key_use_statements(key_arn, decrypt_via, ["sqs"], dns_suffix) if key_arn else []
    return document(
        allow("ListUploads", "s3:ListBucketVersions", bucket_arn),
        allow("ReadWhichUploadsHaveEntries", "dynamodb:Scan", table_arn, no_uploaders),
        allow("FindEntries", "dynamodb:Query", index_arn, no_uploaders),
        allow("SendAgain", "sqs:SendMessage", resend_queue_arn),
        allow("SeeQueues", "sqs:GetQueueAttributes", [queue_arn, resend_queue_arn, dead_letter_queue_arn]),
        allow(
            "LookAtAndRedriveDeadLetters",
            [
                *("sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:ListMessageMoveTasks"),
                *("sqs:ReceiveMessage", "sqs:StartMessageMoveTask"),
            ],
            dead_letter_queue_arn,
        ),
        allow(
            "LogOperations",
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            f"{operations_log_arn}:*",
        ),
        *key_use,
        *former_key_statements(former_key_arns, decrypt_via, dns_suffix),
    )
