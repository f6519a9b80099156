"""What callers, auditors and operators may do."""

from __future__ import annotations

from collections.abc import Sequence

from components.policies.documents import Condition, Policy, allow, document
from components.policies.keys import former_key_statements, key_use_statements
from components.policies.roles import log_reading_statements
from functions.contract import http_api, schema
from functions.contract.entry import FINGERPRINT_DIGITS


def caller_policy(
    bucket_arn: str, api_execution_arn: str, upload_prefix: str, key_arn: str | None, dns_suffix: str
) -> Policy:
    """Allow callers to call the API, if `apiAuth` is `iam`, and to upload receipts.

    `api_execution_arn` is ``arn:aws:execute-api:<region>:<account>:<api id>``. Callers can't get files, not
    even those that they uploaded. If the stack has a customer's key, `key_arn`, callers need it to upload,
    and S3 requires the permission to decrypt for multipart uploads.
    """
    key_use = key_use_statements(key_arn, ["s3"], ["s3"], dns_suffix) if key_arn else []
    routes = (*http_api.READ_ROUTES, *http_api.UPLOAD_ROUTES)
    return document(
        allow("CallTheApi", "execute-api:Invoke", _route_arns(api_execution_arn, routes)),
        allow("UploadReceipts", "s3:PutObject", f"{bucket_arn}/{upload_prefix}*"),
        *key_use,
    )


def auditor_policy(
    bucket_arn: str,
    api_execution_arn: str,
    upload_prefix: str,
    table_arn: str,
    index_arn: str,
    log_bucket_arn: str,
    queue_arns: Sequence[str],
    log_group_arns: Sequence[str],
    key_arn: str | None,
    dns_suffix: str,
) -> Policy:
    """Allow auditors to read everything about receipts, and to change nothing.

    Through the API, auditors read the ledger and get files. They may not read the bucket's objects directly,
    so that every file that they get is in the API's access log. To check the API itself, they may list the
    bucket's versions, and read the ledger, which names uploaders. The locks of versions and the configuration
    of the bucket show whether something can get lost. With the attributes of the queues, `bill-e reconcile`
    knows whether entries are still to come, and with the log, which of them aren't sealed. `log_group_arns`
    are those that say who asked for files and for upload forms; a log group has two ARNs, and IAM may ask for
    either. With a customer's key, the table and the log have to be decrypted, and nothing else: S3 decrypts
    receipts for the function that signs a link, and CloudWatch Logs by itself.
    """
    key_use = key_use_statements(key_arn, ["dynamodb", "s3"], [], dns_suffix) if key_arn else []
    routes = (*http_api.READ_ROUTES, *http_api.FILE_ROUTES)
    log_groups = [spelt for arn in log_group_arns for spelt in (arn, f"{arn}:*")]
    return document(
        allow("CallTheApi", "execute-api:Invoke", _route_arns(api_execution_arn, routes)),
        allow("ListUploads", "s3:ListBucketVersions", bucket_arn),
        allow("SeeLocks", "s3:GetObjectRetention", f"{bucket_arn}/{upload_prefix}*"),
        allow(
            "SeeTheConfiguration",
            [
                *("s3:GetBucketNotification", "s3:GetBucketObjectLockConfiguration", "s3:GetBucketPolicy"),
                *("s3:GetBucketPublicAccessBlock", "s3:GetBucketVersioning", "s3:GetLifecycleConfiguration"),
            ],
            bucket_arn,
        ),
        allow("ReadLedger", ["dynamodb:Query", "dynamodb:Scan"], table_arn),
        allow("ReadLedgerByTime", "dynamodb:Query", index_arn),
        *log_reading_statements(log_bucket_arn),
        allow("SeeQueues", "sqs:GetQueueAttributes", list(queue_arns)),
        allow(
            "ReadWhoAskedForWhat",
            "logs:FilterLogEvents",
            log_groups,
        ),
        *key_use,
    )


def operator_policy(
    bucket_arn: str,
    table_arn: str,
    index_arn: str,
    log_bucket_arn: str,
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

    Operators read the log, which has no personal data, to see which entries aren't sealed. Without
    `s3:ListBucket`, S3 doesn't say whether the log has no checkpoint yet.

    Operators add lines to the log of operations, and can neither read, change nor delete any. Each run of a
    command makes a stream for its lines, and CloudTrail says who made it.
    """
    no_uploaders: Condition = {
        "ForAllValues:StringEquals": {"dynamodb:Attributes": [*schema.OPERATOR_ATTRIBUTES]},
        "StringEquals": {"dynamodb:Select": "SPECIFIC_ATTRIBUTES"},
    }
    decrypt_via = ["dynamodb", "s3", "sqs"]
    key_use = key_use_statements(key_arn, decrypt_via, ["sqs"], dns_suffix) if key_arn else []
    return document(
        allow("ListUploads", "s3:ListBucketVersions", bucket_arn),
        allow("ReadWhichUploadsHaveEntries", "dynamodb:Scan", table_arn, no_uploaders),
        allow("FindEntries", "dynamodb:Query", index_arn, no_uploaders),
        *log_reading_statements(log_bucket_arn),
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


def _route_arns(api_execution_arn: str, routes: Sequence[str]) -> list[str]:
    """Return the ARNs of routes. The stage is ``*``, since the API has only one.

    A fingerprint is as many ``?`` as it has digits. A ``*`` would also stand for a slash and what follows it,
    and so for routes that a later release adds.
    """
    fingerprint = "?" * FINGERPRINT_DIGITS
    paths = (
        route.replace(" ", "").replace("{fingerprint}", fingerprint).replace("{proxy+}", "*")
        for route in routes
    )
    return [f"{api_execution_arn}/*/{path}" for path in paths]
