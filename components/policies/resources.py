"""The policies of buckets, queues and topics."""

from __future__ import annotations

from components.policies.documents import Statement, for_alarms


def bucket_statements(bucket_arn: str) -> list[Statement]:
    """Refuse requests without TLS, and uploads that only their uploader could read."""
    return [
        _tls_only("s3:*", [bucket_arn, f"{bucket_arn}/*"]),
        # Only the uploader could read an object under a key that comes with the request (SSE-C).
        _refuse_uploads(
            "NoKeyOfTheUploader",
            bucket_arn,
            {"Null": {"s3:x-amz-server-side-encryption-customer-algorithm": "false"}},
        ),
    ]


def customer_key_statements(bucket_arn: str, key_arn: str) -> list[Statement]:
    """Refuse uploads that ask for any encryption other than with the customer's key.

    An upload that doesn't ask gets the bucket's default, which is this key, so `Null` lets it pass (S3 User
    Guide, "Requiring SSE-KMS for all objects written to a bucket").
    """
    header = "s3:x-amz-server-side-encryption"
    key_header = f"{header}-aws-kms-key-id"
    return [
        _refuse_uploads("NoOtherEncryption", bucket_arn, _is_given_other_than(header, "aws:kms")),
        _refuse_uploads("NoOtherKey", bucket_arn, _is_given_other_than(key_header, key_arn)),
        # A request for KMS without a key means the key that AWS owns.
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
    """Make the condition that a request has a header with another value."""
    return {"StringNotEquals": {condition_key: wanted}, "Null": {condition_key: "false"}}


def log_delivery_statements(
    bucket_arn: str, prefix: str, source_arn: str, account_id: str
) -> list[Statement]:
    """Let S3 deliver the access logs of one bucket of this account to keys that begin with `prefix`."""
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
    """Let S3 send events of one bucket of this account to the queue, and refuse requests without TLS.

    Both conditions are needed. Bucket names are global, so another account could create a bucket with the ARN
    of one that was deleted here.
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
    """Refuse requests without TLS."""
    return [_tls_only("sqs:*", [queue_arn])]


def alarm_topic_statements(topic_arn: str, account_id: str, region: str) -> list[Statement]:
    """Let the alarms of this account publish to the topic, and refuse requests without TLS.

    The policy of a topic can't have wildcards in actions, so the second statement names the one action that
    matters (Security Hub, SNS.4; "Amazon SNS security best practices").
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
