"""IAM and resource policies as pure functions: values in, statements or a document out.

Every statement has a Sid. No action holds a wildcard except in the Deny statements, and a resource holds
one only where the docstring says why.
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
    build: Callable[..., list[Statement]], **values: pulumi.Input[str]
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


def caller_policy(bucket_arn: str, api_execution_arn: str, upload_prefix: str = "") -> Policy:
    """Allow what a caller needs where `apiAuth` is `iam`: to call the API's routes, and to upload receipts.

    `api_execution_arn` is that of the API (``arn:aws:execute-api:<region>:<account>:<api id>``). The stage is
    ``*``, since the API has one stage only; the last ``*`` stands for the fingerprint.
    """
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
    )


# Who may use a resource.


def bucket_statements(bucket_arn: str) -> list[Statement]:
    """Keep everyone out of the bucket who doesn't come over TLS."""
    return [_tls_only("s3:*", [bucket_arn, f"{bucket_arn}/*"])]


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


def _tls_only(action: str, resources: list[str]) -> Statement:
    return {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": action,
        "Resource": resources,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
