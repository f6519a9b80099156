"""What the functions may do."""

from __future__ import annotations

from components.policies.documents import Policy, Statement, document


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

    `s3:ListBucket` is what makes S3 answer 404 instead of 403 for a key that is gone (S3 API Reference,
    GetObject), and `s3:ListBucketVersions` for a version that is gone from a key that is still there: without
    them a deleted upload could not be told from a missing permission. The three queue actions are those
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
            "Action": ["s3:ListBucket", "s3:ListBucketVersions"],
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
