"""S3: the bucket and its configurations."""

from __future__ import annotations

from typing import Any

from local.aws import Aws
from local.provider.schema import (
    Created,
    Inputs,
    ResourceType,
    fields,
    key_value_tags,
    pascal,
    physical_name,
    policy_text,
    present,
)

BUCKET_NAME_LENGTH = 63


def _bucket(aws: Aws, name: str, inputs: Inputs) -> Created:
    s3 = aws.client("s3")
    bucket = physical_name(inputs, name.lower(), property_name="bucket", max_length=BUCKET_NAME_LENGTH)
    s3.create_bucket(Bucket=bucket, **present(inputs, ObjectLockEnabledForBucket="objectLockEnabled"))
    if tags := key_value_tags(inputs):
        tag_set: Any = tags
        s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tag_set})
    return Created(
        id=bucket,
        outputs={"bucket": bucket, "arn": f"arn:aws:s3:::{bucket}", "bucketRegion": aws.region},
    )


def _versioning(aws: Aws, _name: str, inputs: Inputs) -> Created:
    aws.client("s3").put_bucket_versioning(
        Bucket=inputs["bucket"], VersioningConfiguration=pascal(inputs["versioningConfiguration"])
    )
    return Created(id=inputs["bucket"])


def _encryption(aws: Aws, _name: str, inputs: Inputs) -> Created:
    rules: Any = [
        {
            **present(rule, BucketKeyEnabled="bucketKeyEnabled"),
            "ApplyServerSideEncryptionByDefault": _default_encryption(rule),
        }
        for rule in inputs["rules"]
    ]
    aws.client("s3").put_bucket_encryption(
        Bucket=inputs["bucket"], ServerSideEncryptionConfiguration={"Rules": rules}
    )
    return Created(id=inputs["bucket"])


def _default_encryption(rule: Inputs) -> dict[str, Any]:
    by_default = rule["applyServerSideEncryptionByDefault"]
    return present(by_default, SSEAlgorithm="sseAlgorithm", KMSMasterKeyID="kmsMasterKeyId")


def _public_access_block(aws: Aws, _name: str, inputs: Inputs) -> Created:
    flags: Any = present(
        inputs,
        BlockPublicAcls="blockPublicAcls",
        BlockPublicPolicy="blockPublicPolicy",
        IgnorePublicAcls="ignorePublicAcls",
        RestrictPublicBuckets="restrictPublicBuckets",
    )
    aws.client("s3").put_public_access_block(Bucket=inputs["bucket"], PublicAccessBlockConfiguration=flags)
    return Created(id=inputs["bucket"])


def _ownership(aws: Aws, _name: str, inputs: Inputs) -> Created:
    aws.client("s3").put_bucket_ownership_controls(
        Bucket=inputs["bucket"], OwnershipControls={"Rules": [pascal(inputs["rule"])]}
    )
    return Created(id=inputs["bucket"])


def _lifecycle(aws: Aws, _name: str, inputs: Inputs) -> Created:
    rules: Any = [_lifecycle_rule(rule) for rule in inputs["rules"]]
    aws.client("s3").put_bucket_lifecycle_configuration(
        Bucket=inputs["bucket"], LifecycleConfiguration={"Rules": rules}
    )
    return Created(id=inputs["bucket"])


def _lifecycle_rule(rule: Inputs) -> dict[str, Any]:
    rest = {name: value for name, value in rule.items() if name not in ("id", "filter")}
    return {**pascal(rest), "ID": rule["id"], "Filter": {"Prefix": "", **pascal(rule.get("filter") or {})}}


def _policy(aws: Aws, _name: str, inputs: Inputs) -> Created:
    aws.client("s3").put_bucket_policy(Bucket=inputs["bucket"], Policy=policy_text(inputs["policy"]))
    return Created(id=inputs["bucket"])


def _notification(aws: Aws, name: str, inputs: Inputs) -> Created:
    queues: Any = [_queue_notification(name, queue) for queue in inputs.get("queues") or []]
    aws.client("s3").put_bucket_notification_configuration(
        Bucket=inputs["bucket"], NotificationConfiguration={"QueueConfigurations": queues}
    )
    return Created(id=inputs["bucket"])


def _queue_notification(name: str, queue: Inputs) -> dict[str, Any]:
    filters = present(queue, prefix="filterPrefix", suffix="filterSuffix")
    rules = [{"Name": kind, "Value": value} for kind, value in filters.items()]
    return {
        "Id": queue.get("id") or name,
        "QueueArn": queue["queueArn"],
        "Events": queue["events"],
        **({"Filter": {"Key": {"FilterRules": rules}}} if rules else {}),
    }


def _cors(aws: Aws, _name: str, inputs: Inputs) -> Created:
    rules: Any = [
        {("ID" if name == "Id" else name): value for name, value in pascal(rule).items()}
        for rule in inputs["corsRules"]
    ]
    aws.client("s3").put_bucket_cors(Bucket=inputs["bucket"], CORSConfiguration={"CORSRules": rules})
    return Created(id=inputs["bucket"])


def _logging(aws: Aws, _name: str, inputs: Inputs) -> Created:
    target: Any = present(inputs, TargetBucket="targetBucket", TargetPrefix="targetPrefix")
    aws.client("s3").put_bucket_logging(
        Bucket=inputs["bucket"], BucketLoggingStatus={"LoggingEnabled": target}
    )
    return Created(id=inputs["bucket"])


def _object_lock(aws: Aws, _name: str, inputs: Inputs) -> Created:
    aws.client("s3").put_object_lock_configuration(
        Bucket=inputs["bucket"],
        ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": pascal(inputs["rule"])},
    )
    return Created(id=inputs["bucket"])


RESOURCE_TYPES = {
    # forceDestroy only says how `pulumi destroy` goes about it; here, everything is destroyed at the end.
    "aws:s3/bucket:Bucket": ResourceType(
        properties=fields("bucket", "forceDestroy", "objectLockEnabled", "tags"), create=_bucket
    ),
    "aws:s3/bucketVersioning:BucketVersioning": ResourceType(
        properties=fields("bucket", versioningConfiguration=fields("status")), create=_versioning
    ),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": ResourceType(
        properties=fields(
            "bucket",
            rules=fields(
                "bucketKeyEnabled",
                applyServerSideEncryptionByDefault=fields("sseAlgorithm", "kmsMasterKeyId"),
            ),
        ),
        create=_encryption,
    ),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": ResourceType(
        properties=fields(
            "bucket", "blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"
        ),
        create=_public_access_block,
    ),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": ResourceType(
        properties=fields("bucket", rule=fields("objectOwnership")), create=_ownership
    ),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": ResourceType(
        properties=fields(
            "bucket",
            rules=fields(
                "id",
                "status",
                filter=fields("prefix"),
                abortIncompleteMultipartUpload=fields("daysAfterInitiation"),
                expiration=fields("days", "expiredObjectDeleteMarker"),
                noncurrentVersionExpiration=fields("noncurrentDays", "newerNoncurrentVersions"),
            ),
        ),
        create=_lifecycle,
    ),
    "aws:s3/bucketLogging:BucketLogging": ResourceType(
        properties=fields("bucket", "targetBucket", "targetPrefix"), create=_logging
    ),
    "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration": ResourceType(
        properties=fields("bucket", rule=fields(defaultRetention=fields("mode", "days", "years"))),
        create=_object_lock,
    ),
    "aws:s3/bucketPolicy:BucketPolicy": ResourceType(properties=fields("bucket", "policy"), create=_policy),
    "aws:s3/bucketNotification:BucketNotification": ResourceType(
        properties=fields(
            "bucket", queues=fields("id", "queueArn", "events", "filterPrefix", "filterSuffix")
        ),
        create=_notification,
    ),
    "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration": ResourceType(
        properties=fields(
            "bucket",
            corsRules=fields(
                "id", "allowedHeaders", "allowedMethods", "allowedOrigins", "exposeHeaders", "maxAgeSeconds"
            ),
        ),
        create=_cors,
    ),
}
