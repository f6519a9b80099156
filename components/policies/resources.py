"""The policies of buckets, queues and topics."""

from __future__ import annotations

from collections.abc import Mapping

from components.policies.documents import Condition, Statement, allow
from functions.contract.processing import S3_KEY

ENCRYPTION = "s3:x-amz-server-side-encryption"


READABLE_AT_ONCE = [
    *("STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR")
]
"""The storage classes whose objects needn't be restored before they can be read (S3 User Guide,
"Understanding and managing Amazon S3 storage classes")."""


def bucket_statements(bucket_arn: str) -> list[Statement]:
    """Refuse requests without TLS, and uploads that only their uploader could read, or nobody at once."""
    return [
        _tls_only("s3:*", [bucket_arn, f"{bucket_arn}/*"]),
        # Only the uploader could read an object under a key that comes with the request (SSE-C).
        _refuse_uploads(
            "NoKeyOfTheUploader",
            bucket_arn,
            {"Null": {"s3:x-amz-server-side-encryption-customer-algorithm": "false"}},
        ),
        _refuse_uploads(
            "NoArchive", bucket_arn, _is_given_other_than("s3:x-amz-storage-class", READABLE_AT_ONCE)
        ),
    ]


def s3_key_statements(bucket_arn: str) -> list[Statement]:
    """Refuse uploads that ask for any encryption other than with S3's own key, which is the default."""
    return [_refuse_uploads("OnlyTheKeyOfS3", bucket_arn, _is_given_other_than(ENCRYPTION, S3_KEY))]


def customer_key_statements(bucket_arn: str, key_arn: str) -> list[Statement]:
    """Refuse uploads that ask for any encryption other than with the customer's key.

    An upload that doesn't ask gets the bucket's default, which is this key, so `Null` lets it pass (S3 User
    Guide, "Requiring SSE-KMS for all objects written to a bucket").
    """
    key_header = f"{ENCRYPTION}-aws-kms-key-id"
    return [
        _refuse_uploads("NoOtherEncryption", bucket_arn, _is_given_other_than(ENCRYPTION, "aws:kms")),
        _refuse_uploads("NoOtherKey", bucket_arn, _is_given_other_than(key_header, key_arn)),
        # A request for KMS without a key means the key that AWS owns.
        _refuse_uploads(
            "NoKeyOfAws", bucket_arn, {"StringEquals": {ENCRYPTION: "aws:kms"}, "Null": {key_header: "true"}}
        ),
    ]


def _refuse_uploads(sid: str, bucket_arn: str, condition: Condition) -> Statement:
    return _deny(sid, "s3:PutObject", f"{bucket_arn}/*", condition)


def _is_given_other_than(condition_key: str, wanted: str | list[str]) -> Condition:
    """Make the condition that a request has a header with another value."""
    return {"StringNotEquals": {condition_key: wanted}, "Null": {condition_key: "false"}}


def undeletable_statements(bucket_arn: str) -> list[Statement]:
    """Refuse everybody the deletion of objects, of their versions, and of the locks on them."""
    return [
        {
            "Sid": "NobodyDeletes",
            "Effect": "Deny",
            "Principal": "*",
            "Action": ["s3:BypassGovernanceRetention", "s3:DeleteObject", "s3:DeleteObjectVersion"],
            "Resource": f"{bucket_arn}/*",
        }
    ]


def log_delivery_statements(
    bucket_arn: str, source_arns: Mapping[str, str], account_id: str
) -> list[Statement]:
    """Let S3 deliver the access logs of buckets of this account, each to keys that begin with its prefix."""
    return [
        allow(
            f"DeliverAccessLogsOf{prefix.rstrip('/').capitalize()}",
            "s3:PutObject",
            f"{bucket_arn}/{prefix}*",
            _for_bucket(source_arn, account_id),
            principal={"Service": "logging.s3.amazonaws.com"},
        )
        for prefix, source_arn in source_arns.items()
    ]


def queue_statements(queue_arn: str, bucket_arn: str, account_id: str) -> list[Statement]:
    """Let only S3 send to the queue, for one bucket of this account, and refuse requests without TLS.

    The processor believes what is in this queue. Nobody in the account can send to it, whatever their IAM
    policies allow: their requests have no source ARN, and `ArnNotEquals` is true without one.

    Both conditions of the first statement are needed. Bucket names are global, so another account could
    create a bucket with the ARN of one that was deleted here.
    """
    return [
        allow(
            "BucketSendsEvents",
            "sqs:SendMessage",
            queue_arn,
            _for_bucket(bucket_arn, account_id),
            principal={"Service": "s3.amazonaws.com"},
        ),
        _deny(
            "OnlyTheBucketSends",
            "sqs:SendMessage",
            queue_arn,
            {"ArnNotEquals": {"aws:SourceArn": bucket_arn}},
        ),
        *tls_statements(queue_arn),
    ]


def _for_bucket(bucket_arn: str, account_id: str) -> Condition:
    """Make the condition that S3 acts for one bucket of this account."""
    return {
        "ArnEquals": {"aws:SourceArn": bucket_arn},
        "StringEquals": {"aws:SourceAccount": account_id},
    }


def tls_statements(queue_arn: str) -> list[Statement]:
    """Refuse requests to a queue without TLS."""
    return [_tls_only("sqs:*", [queue_arn])]


def alarm_topic_statements(topic_arn: str, account_id: str, region: str) -> list[Statement]:
    """Let the alarms of this account publish to the topic, and refuse requests without TLS.

    The policy of a topic can't have wildcards in actions, so the second statement names the one action that
    matters (Security Hub, SNS.4; "Amazon SNS security best practices").
    """
    return [
        allow(
            "AlarmsNotify",
            "sns:Publish",
            topic_arn,
            for_alarms(account_id, region),
            principal={"Service": "cloudwatch.amazonaws.com"},
        ),
        _tls_only("sns:Publish", [topic_arn]),
    ]


def for_alarms(account_id: str, region: str) -> Condition:
    """Make the condition that CloudWatch acts for the alarms of this account."""
    return {
        "StringEquals": {"aws:SourceAccount": account_id},
        "ArnLike": {"aws:SourceArn": f"arn:*:cloudwatch:{region}:{account_id}:alarm:*"},
    }


def _tls_only(action: str, resources: list[str]) -> Statement:
    return _deny("TlsOnly", action, resources, {"Bool": {"aws:SecureTransport": "false"}})


def _deny(sid: str, action: str, resource: str | list[str], condition: Condition) -> Statement:
    return {
        "Sid": sid,
        "Effect": "Deny",
        "Principal": "*",
        "Action": action,
        "Resource": resource,
        "Condition": condition,
    }
