"""S3: the configurations of a bucket. Each is put as a whole, and is read and removed on its own."""

from __future__ import annotations

import functools
from typing import Any

from botocore.exceptions import ClientError

from local.aws import Aws
from local.provider.patterns import configuration
from local.provider.resource_types import ANY, Inputs, fields
from local.provider.spelling import camel, camel_all, pascal, policy_text, present, request


def _put_versioning(aws: Aws, _name: str, inputs: Inputs) -> None:
    aws.client("s3").put_bucket_versioning(
        Bucket=inputs["bucket"], VersioningConfiguration=pascal(inputs["versioningConfiguration"])
    )


def _get_versioning(aws: Aws, bucket: str, _written: Inputs) -> Inputs:
    status = aws.client("s3").get_bucket_versioning(Bucket=bucket).get("Status", "Disabled")
    return {"versioningConfiguration": {"status": status}}


def _suspend_versioning(aws: Aws, bucket: str) -> None:
    """Suspend it, since S3 can't do more. A bucket with Object Lock stays versioned."""
    try:
        aws.client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    except ClientError as error:
        if error.response["Error"]["Code"] != "InvalidBucketState":
            raise


_ENCRYPTION = fields("sseAlgorithm", "kmsMasterKeyId")


def _put_encryption(aws: Aws, _name: str, inputs: Inputs) -> None:
    rules: Any = [
        {
            **present(rule, BucketKeyEnabled="bucketKeyEnabled"),
            "ApplyServerSideEncryptionByDefault": present(
                rule["applyServerSideEncryptionByDefault"],
                SSEAlgorithm="sseAlgorithm",
                KMSMasterKeyID="kmsMasterKeyId",
            ),
        }
        for rule in inputs["rules"]
    ]
    aws.client("s3").put_bucket_encryption(
        Bucket=inputs["bucket"], ServerSideEncryptionConfiguration={"Rules": rules}
    )


def _get_encryption(aws: Aws, bucket: str, _written: Inputs) -> Inputs:
    found = aws.client("s3").get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
    return {"rules": [_encryption_rule(rule) for rule in found["Rules"]]}


def _encryption_rule(rule: Any) -> Inputs:
    by_default = rule.get("ApplyServerSideEncryptionByDefault", {})
    return {
        "bucketKeyEnabled": rule.get("BucketKeyEnabled"),
        "applyServerSideEncryptionByDefault": present(
            by_default, sseAlgorithm="SSEAlgorithm", kmsMasterKeyId="KMSMasterKeyID"
        ),
    }


_ACCESS_BLOCK = fields("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")


def _put_public_access_block(aws: Aws, _name: str, inputs: Inputs) -> None:
    flags: Any = pascal({name: inputs.get(name, False) for name in _ACCESS_BLOCK})
    aws.client("s3").put_public_access_block(Bucket=inputs["bucket"], PublicAccessBlockConfiguration=flags)


def _get_ownership(aws: Aws, bucket: str, _written: Inputs) -> Inputs:
    (rule,) = aws.client("s3").get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    return {"rule": {"objectOwnership": rule["ObjectOwnership"]}}


_LIFECYCLE_RULE = fields(
    "id",
    "status",
    filter=fields("prefix"),
    abortIncompleteMultipartUpload=fields("daysAfterInitiation"),
    expiration=fields("days", "expiredObjectDeleteMarker"),
    noncurrentVersionExpiration=fields("noncurrentDays", "newerNoncurrentVersions"),
)


def _put_lifecycle(aws: Aws, _name: str, inputs: Inputs) -> None:
    rules: Any = [
        {
            **pascal({name: value for name, value in rule.items() if name not in ("id", "filter")}),
            "ID": rule["id"],
            "Filter": {"Prefix": "", **pascal(rule.get("filter") or {})},
        }
        for rule in inputs["rules"]
    ]
    aws.client("s3").put_bucket_lifecycle_configuration(
        Bucket=inputs["bucket"], LifecycleConfiguration={"Rules": rules}
    )


def _get_lifecycle(aws: Aws, bucket: str, _written: Inputs) -> Inputs:
    rules = aws.client("s3").get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    return {"rules": [_lifecycle_rule(rule) for rule in rules]}


def _lifecycle_rule(rule: Any) -> Inputs:
    """Return the whole rule, with what no program here can ask for: somebody may have added a transition."""
    found = camel_all({name: value for name, value in rule.items() if name != "ID"})
    return {**found, "id": rule.get("ID")}


def _put_notification(aws: Aws, bucket: str, queues: Any) -> None:
    configured: Any = {"QueueConfigurations": queues} if queues else {}
    aws.client("s3").put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration=configured
    )


def _queue_notification(name: str, queue: Inputs) -> dict[str, Any]:
    filters = present(queue, prefix="filterPrefix", suffix="filterSuffix")
    rules = [{"Name": kind, "Value": value} for kind, value in filters.items()]
    return {
        "Id": queue.get("id") or name,
        "QueueArn": queue["queueArn"],
        "Events": queue["events"],
        **({"Filter": {"Key": {"FilterRules": rules}}} if rules else {}),
    }


def _get_notification(aws: Aws, bucket: str, written: Inputs) -> Inputs | None:
    found: Any = aws.client("s3").get_bucket_notification_configuration(Bucket=bucket)
    targets = {
        name: [_target_as_input(target) for target in found.get(parameter, [])]
        for name, parameter in _NOTIFIED.items()
    }
    # EventBridge is an empty object if it is on, and absent if not.
    now = {**targets, "eventbridge": True if "EventBridgeConfiguration" in found else None}
    return now if any(now.values()) or not written.get("queues") else None


_NOTIFIED = {
    "lambdaFunctions": "LambdaFunctionConfigurations",
    "queues": "QueueConfigurations",
    "topics": "TopicConfigurations",
}
"""Input property to S3's name for it. A program here can only ask for queues; anything else is drift."""


def _target_as_input(target: Any) -> Inputs:
    rules = target.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    filters = {rule["Name"].lower(): rule["Value"] for rule in rules}
    return {
        **camel_all({name: value for name, value in target.items() if name != "Filter"}),
        **present(filters, filterPrefix="prefix", filterSuffix="suffix"),
    }


_CORS_RULE = fields(
    "id", "allowedHeaders", "allowedMethods", "allowedOrigins", "exposeHeaders", "maxAgeSeconds"
)


def _put_cors(aws: Aws, _name: str, inputs: Inputs) -> None:
    rules: Any = [
        {("ID" if name == "Id" else name): value for name, value in pascal(rule).items()}
        for rule in inputs["corsRules"]
    ]
    aws.client("s3").put_bucket_cors(Bucket=inputs["bucket"], CORSConfiguration={"CORSRules": rules})


def _get_cors(aws: Aws, bucket: str, _written: Inputs) -> Inputs:
    rules = aws.client("s3").get_bucket_cors(Bucket=bucket)["CORSRules"]
    return {"corsRules": [{**camel(rule, _CORS_RULE), "id": rule.get("ID")} for rule in rules]}


_LOGGING = fields("targetBucket", "targetPrefix")


def _put_logging(aws: Aws, bucket: str, status: Any) -> None:
    aws.client("s3").put_bucket_logging(Bucket=bucket, BucketLoggingStatus=status)


def _get_logging(aws: Aws, bucket: str, _written: Inputs) -> Inputs | None:
    found = aws.client("s3").get_bucket_logging(Bucket=bucket).get("LoggingEnabled")
    logging: Inputs | None = camel(found, _LOGGING) if found else None
    return logging


_LOCK_RULE = fields(defaultRetention=fields("mode", "days", "years"))


def _put_object_lock(aws: Aws, bucket: str, **rule: Any) -> None:
    """Put or, without a rule, remove the default retention. Object Lock itself stays on for good."""
    configured: Any = {"ObjectLockEnabled": "Enabled", **rule}
    aws.client("s3").put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=configured)


def _get_object_lock(aws: Aws, bucket: str, written: Inputs) -> Inputs | None:
    found = aws.client("s3").get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
    rule = found.get("Rule")
    if rule is None:
        # Without a rule, nothing tells a configuration from one that was deleted.
        return {} if written.get("rule") is None else None
    return {"rule": camel(rule, _LOCK_RULE)}


_of_bucket = functools.partial(configuration, "bucket")

RESOURCE_TYPES = {
    "aws:s3/bucketVersioning:BucketVersioning": _of_bucket(
        fields(versioningConfiguration=fields("status")),
        _put_versioning,
        _get_versioning,
        _suspend_versioning,
    ),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": _of_bucket(
        fields(rules=fields("bucketKeyEnabled", applyServerSideEncryptionByDefault=_ENCRYPTION)),
        _put_encryption,
        _get_encryption,
        # This goes back to S3's own keys (SSE-S3), which every bucket has had since January 2023.
        lambda aws, bucket: aws.client("s3").delete_bucket_encryption(Bucket=bucket),
        defaults={"rules": {"bucketKeyEnabled": False}},
    ),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": _of_bucket(
        _ACCESS_BLOCK,
        _put_public_access_block,
        lambda aws, bucket, _: camel(
            aws.client("s3").get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"],
            _ACCESS_BLOCK,
        ),
        lambda aws, bucket: aws.client("s3").delete_public_access_block(Bucket=bucket),
        defaults=dict.fromkeys(_ACCESS_BLOCK, False),
    ),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": _of_bucket(
        fields(rule=fields("objectOwnership")),
        lambda aws, _, inputs: aws.client("s3").put_bucket_ownership_controls(
            Bucket=inputs["bucket"], OwnershipControls={"Rules": [pascal(inputs["rule"])]}
        ),
        _get_ownership,
        lambda aws, bucket: aws.client("s3").delete_bucket_ownership_controls(Bucket=bucket),
    ),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": _of_bucket(
        fields(rules=_LIFECYCLE_RULE),
        _put_lifecycle,
        _get_lifecycle,
        lambda aws, bucket: aws.client("s3").delete_bucket_lifecycle(Bucket=bucket),
        defaults={"rules": {"expiration": {"expiredObjectDeleteMarker": False}}},
    ),
    "aws:s3/bucketLogging:BucketLogging": _of_bucket(
        _LOGGING,
        lambda aws, _, inputs: _put_logging(
            aws, inputs["bucket"], {"LoggingEnabled": request(inputs, _LOGGING)}
        ),
        _get_logging,
        lambda aws, bucket: _put_logging(aws, bucket, {}),
    ),
    "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration": _of_bucket(
        fields(rule=_LOCK_RULE),
        lambda aws, _, inputs: _put_object_lock(
            aws, inputs["bucket"], **pascal(present(inputs, rule="rule"))
        ),
        _get_object_lock,
        _put_object_lock,
    ),
    "aws:s3/bucketPolicy:BucketPolicy": _of_bucket(
        fields("policy"),
        lambda aws, _, inputs: aws.client("s3").put_bucket_policy(
            Bucket=inputs["bucket"], Policy=policy_text(inputs["policy"])
        ),
        lambda aws, bucket, _: camel(aws.client("s3").get_bucket_policy(Bucket=bucket), fields("policy")),
        lambda aws, bucket: aws.client("s3").delete_bucket_policy(Bucket=bucket),
    ),
    "aws:s3/bucketNotification:BucketNotification": _of_bucket(
        fields(queues=fields("id", "queueArn", "events", "filterPrefix", "filterSuffix")),
        lambda aws, name, inputs: _put_notification(
            aws, inputs["bucket"], [_queue_notification(name, queue) for queue in inputs.get("queues") or []]
        ),
        _get_notification,
        lambda aws, bucket: _put_notification(aws, bucket, []),
        defaults={"queues": {"id": ANY}},
    ),
    "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration": _of_bucket(
        fields(corsRules=_CORS_RULE),
        _put_cors,
        _get_cors,
        lambda aws, bucket: aws.client("s3").delete_bucket_cors(Bucket=bucket),
    ),
}
