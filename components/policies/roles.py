"""The permissions of the functions' roles."""

from __future__ import annotations

from components.policies.documents import Condition, Policy, Statement, allow, document
from functions.contract import schema
from functions.contract.sealing import CHECKPOINT, MESSAGE_TYPE, SIGNING_ALGORITHM, TILE_FOLDER


def lambda_trust() -> Policy:
    """Let only the Lambda service assume the role."""
    return document(
        {
            "Sid": "LambdaTakesTheRole",
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    )


def function_statements(log_group_arn: str) -> list[Statement]:
    """Allow every function to write to its own log group, and to write traces.

    ``:*`` after the ARN of the group means its streams. The program creates the group, so the function
    doesn't need `logs:CreateLogGroup`. X-Ray's put actions have no resources, so AWS only accepts ``*`` for
    them (Service Authorization Reference, AWS X-Ray).
    """
    return [
        allow("WriteOwnLogs", ["logs:CreateLogStream", "logs:PutLogEvents"], f"{log_group_arn}:*"),
        allow("WriteTraces", ["xray:PutTelemetryRecords", "xray:PutTraceSegments"], "*"),
    ]


def processor_statements(
    bucket_arn: str, upload_prefix: str, queue_arn: str, resend_queue_arn: str, table_arn: str, index_arn: str
) -> list[Statement]:
    """Allow the processor to take messages, read object versions, and insert entries.

    With `s3:ListBucket`, S3 answers 404 instead of 403 if a key was deleted (S3 API Reference, GetObject),
    and with `s3:ListBucketVersions` if one version of a key was. Otherwise the processor couldn't tell a
    deleted upload from a missing permission. Lambda requires the three queue actions ("Configuring an Amazon
    SQS queue to trigger an AWS Lambda function").
    """
    return [
        allow(
            "TakeMessages",
            ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"],
            [queue_arn, resend_queue_arn],
        ),
        allow("ReadUploads", "s3:GetObjectVersion", f"{bucket_arn}/{upload_prefix}*"),
        allow("TellGoneFromForbidden", ["s3:ListBucket", "s3:ListBucketVersions"], bucket_arn),
        allow("InsertEntries", "dynamodb:PutItem", table_arn),
        allow("FindOwnEntryAndDuplicates", ["dynamodb:GetItem", "dynamodb:Query"], table_arn),
        allow("FindOwnEntryByTime", "dynamodb:Query", index_arn),
    ]


def reader_statements(table_arn: str, index_arn: str, log_bucket_arn: str) -> list[Statement]:
    """Allow the reader to query the ledger, by fingerprint and by time, and to look up many fingerprints.

    Of the log, it may read what auditors may, and not what waits to be published. `processor_statements`
    explains `s3:ListBucket`.
    """
    return [
        allow("ReadLedger", "dynamodb:Query", [table_arn, index_arn]),
        allow("LookUpReceipts", "dynamodb:BatchGetItem", table_arn),
        *log_reading_statements(log_bucket_arn),
    ]


def log_reading_statements(log_bucket_arn: str) -> list[Statement]:
    """Allow to read the log as it is published."""
    return [
        allow(
            "ReadLog", "s3:GetObject", [f"{log_bucket_arn}/{CHECKPOINT}", f"{log_bucket_arn}/{TILE_FOLDER}*"]
        ),
        allow("TellGoneFromForbidden", "s3:ListBucket", log_bucket_arn),
    ]


def upload_forms_statements(
    table_arn: str, bucket_arn: str, upload_prefix: str, form_prefix: str
) -> list[Statement]:
    """Allow the upload-forms function to look up a receipt, and to sign forms for the form prefix.

    A presigned form can do no more than the role that signed it. The function asks S3 with `HeadObject`
    whether a receipt's object version is still there, which needs the permission to read it, and those to
    list for the answer 404, as above.
    """
    return [
        allow("FindReceipt", ["dynamodb:GetItem", "dynamodb:Query"], table_arn),
        allow("SeeUploads", "s3:GetObjectVersion", f"{bucket_arn}/{upload_prefix}*"),
        allow("TellGoneFromForbidden", ["s3:ListBucket", "s3:ListBucketVersions"], bucket_arn),
        allow("SignUploads", "s3:PutObject", f"{bucket_arn}/{form_prefix}*"),
    ]


def file_links_statements(table_arn: str, bucket_arn: str, upload_prefix: str) -> list[Statement]:
    """Allow the file-links function to look up entries, and to sign links to object versions.

    A presigned link can do no more than the role that signed it. With `HeadObject`, the function asks S3
    whether the object version is still there, as the upload-forms function does.
    """
    return [
        allow("FindEntries", ["dynamodb:GetItem", "dynamodb:Query"], table_arn),
        allow("SignLinks", "s3:GetObjectVersion", f"{bucket_arn}/{upload_prefix}*"),
        allow("TellGoneFromForbidden", ["s3:ListBucket", "s3:ListBucketVersions"], bucket_arn),
    ]


def reconciler_statements(
    bucket_arn: str,
    table_arn: str,
    queue_arn: str,
    resend_queue_arn: str,
    dead_letter_queue_arn: str,
    progress_bucket_arn: str,
    progress_folder: str,
) -> list[Statement]:
    """Allow the reconciler to see which object versions there are and which of them have entries.

    It can neither read uploads nor see who uploaded them. It only writes to the resend queue and to its own
    folder. `people.operator_policy` explains the condition, and `processor_statements` the last two actions.
    """
    only_versions: Condition = {
        "ForAllValues:StringEquals": {"dynamodb:Attributes": [*schema.RECONCILER_ATTRIBUTES]},
        "StringEquals": {"dynamodb:Select": "SPECIFIC_ATTRIBUTES"},
    }
    return [
        allow("ListUploads", "s3:ListBucketVersions", bucket_arn),
        allow(
            "SeeTheConfiguration",
            [
                *("s3:GetBucketNotification", "s3:GetBucketPolicy", "s3:GetBucketPublicAccessBlock"),
                "s3:GetBucketVersioning",
            ],
            bucket_arn,
        ),
        allow("ReadWhichUploadsHaveEntries", "dynamodb:Scan", table_arn, only_versions),
        allow("SendAgain", "sqs:SendMessage", resend_queue_arn),
        allow("SeeQueues", "sqs:GetQueueAttributes", [queue_arn, resend_queue_arn, dead_letter_queue_arn]),
        allow(
            "KeepProgress",
            ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"],
            f"{progress_bucket_arn}/{progress_folder}*",
        ),
        allow("TellGoneFromForbidden", ["s3:ListBucket", "s3:ListBucketVersions"], progress_bucket_arn),
    ]


def sealer_statements(
    index_arn: str, log_bucket_arn: str, lock_table_arn: str, key_arn: str, lock_days: int
) -> list[Statement]:
    """Allow the sealer to read entries, to write and lock objects of the log, and to sign it.

    It can't write to the ledger, and it can't delete anything. `signing_key_statements` has the same
    condition, and `processor_statements` explains `s3:ListBucket`.
    """
    lock = ["s3:PutObjectRetention"] if lock_days else []
    raw: Condition = {
        "StringEquals": {"kms:MessageType": MESSAGE_TYPE, "kms:SigningAlgorithm": SIGNING_ALGORITHM}
    }
    return [
        allow("ReadEntries", "dynamodb:Query", index_arn),
        allow("CommitTrees", ["dynamodb:GetItem", "dynamodb:UpdateItem"], lock_table_arn),
        allow("KeepTheLog", ["s3:GetObject", "s3:PutObject", *lock], f"{log_bucket_arn}/*"),
        allow("TellGoneFromForbidden", "s3:ListBucket", log_bucket_arn),
        allow("SignCheckpoints", "kms:Sign", key_arn, raw),
    ]
