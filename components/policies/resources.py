"""The policies of buckets, queues and topics."""

from __future__ import annotations

from components.policies.conditions import for_alarms
from components.policies.documents import Statement


def bucket_statements(bucket_arn: str) -> list[Statement]:
    """Refuse requests without TLS, and objects that only their uploader could read."""
    return [
        _tls_only("s3:*", [bucket_arn, f"{bucket_arn}/*"]),
        # With a key that comes with the request (SSE-C), nobody else could read the object: not even we.
        _refuse_uploads(
            "NoKeyOfTheUploader",
            bucket_arn,
            {"Null": {"s3:x-amz-server-side-encryption-customer-algorithm": "false"}},
        ),
    ]


def customer_key_statements(bucket_arn: str, key_arn: str) -> list[Statement]:
    """Refuse uploads that ask for another encryption than the bucket's own with the customer's key.

    An upload that asks for nothing gets that, so `Null` lets it through (S3 User Guide, "Requiring SSE-KMS
    for all objects written to a bucket").
    """
    header = "s3:x-amz-server-side-encryption"
    key_header = f"{header}-aws-kms-key-id"
    return [
        _refuse_uploads("NoOtherEncryption", bucket_arn, _is_given_other_than(header, "aws:kms")),
        _refuse_uploads("NoOtherKey", bucket_arn, _is_given_other_than(key_header, key_arn)),
        # To ask for KMS without a key is to ask for AWS's own.
        _refuse_uploads(
            "NoKeyOfAws", bucket_arn, {"StringEquals": {header: "aws:kms"}, "Null": {key_header: "true"}}
        ),
    ]


def _refuse_uploads(sid: str, bucket_arn: str, condition: dict[str, dict[str, str]]) -> Statement:
    return {
        "Sid": sid,
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"{bucket_arn}/*",
        "Condition": condition,
    }


def _is_given_other_than(condition_key: str, wanted: str) -> dict[str, dict[str, str]]:
    """Meet requests that have a header with another value; one that lacks it gets the bucket's own."""
    return {"StringNotEquals": {condition_key: wanted}, "Null": {condition_key: "false"}}


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
    """Let S3 send to the queue for this one bucket of this account, and refuse requests without TLS.

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
    """Refuse requests to the queue without TLS."""
    return [_tls_only("sqs:*", [queue_arn])]


def alarm_topic_statements(topic_arn: str, account_id: str, region: str) -> list[Statement]:
    """Let the alarms of this account publish to the topic, and refuse requests without TLS.

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
            "Condition": for_alarms(account_id, region),
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
