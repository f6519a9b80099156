"""S3: the bucket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from local.aws import Aws
from local.errors import LocalError
from local.provider.schema import (
    Change,
    Created,
    Existing,
    Inputs,
    ResourceType,
    fields,
    key_value_tags,
    physical_name,
    present,
    tags_of,
    undone_on_failure,
)

BUCKET_NAME_LENGTH = 63


def _create(aws: Aws, name: str, inputs: Inputs) -> Created:
    s3 = aws.client("s3")
    bucket = physical_name(inputs, name.lower(), property_name="bucket", max_length=BUCKET_NAME_LENGTH)
    _refuse_if_there(aws, bucket)
    # The region where S3 began has no name there (S3 API Reference, CreateBucket).
    place: Any = {"CreateBucketConfiguration": {"LocationConstraint": aws.region}}
    s3.create_bucket(
        Bucket=bucket,
        **present(inputs, ObjectLockEnabledForBucket="objectLockEnabled"),
        **(place if aws.region != "us-east-1" else {}),
    )
    with undone_on_failure(lambda: s3.delete_bucket(Bucket=bucket)):
        _put_tags(aws, bucket, inputs)
    return Created(
        id=bucket,
        outputs={"bucket": bucket, "arn": f"arn:aws:s3:::{bucket}", "bucketRegion": aws.region},
    )


def _refuse_if_there(aws: Aws, bucket: str) -> None:
    """Refuse a bucket that this account has already, which us-east-1 would answer as if it had made it."""
    try:
        aws.client("s3").head_bucket(Bucket=bucket)
    except ClientError:
        return
    raise LocalError(f"BucketAlreadyExists: the account has a bucket {bucket!r}")


def _read(aws: Aws, resource: Existing) -> Inputs:
    aws.client("s3").head_bucket(Bucket=resource.id)
    return {"tags": _tags(aws, resource.id)}


def _update(aws: Aws, change: Change) -> Mapping[str, Any]:
    if "tags" in change.different:
        _put_tags(aws, change.resource.id, change.inputs)
    return {}


def _delete(aws: Aws, resource: Existing) -> None:
    if resource.inputs.get("forceDestroy"):
        _empty(aws, resource.id)
    aws.client("s3").delete_bucket(Bucket=resource.id)


def _put_tags(aws: Aws, bucket: str, inputs: Inputs) -> None:
    if tags := key_value_tags(inputs.get("tags")):
        aws.client("s3").put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    else:
        aws.client("s3").delete_bucket_tagging(Bucket=bucket)


def _tags(aws: Aws, bucket: str) -> dict[str, str]:
    try:
        return tags_of(aws.client("s3").get_bucket_tagging(Bucket=bucket)["TagSet"])
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchTagSet":
            return {}
        raise


def _empty(aws: Aws, bucket: str) -> None:
    """Delete every version and delete marker. S3 refuses those that Object Lock retains.

    Raises:
        LocalError: something is retained; it names the first.

    """
    s3 = aws.client("s3")
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        objects: Any = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]
        if not objects:
            continue
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
        for refused in answer.get("Errors", []):
            raise LocalError(
                f"forceDestroy could not delete {refused['Key']!r} (version {refused['VersionId']}): "
                f"{refused['Code']}: {refused['Message']}"
            )


RESOURCE_TYPES = {
    "aws:s3/bucket:Bucket": ResourceType(
        properties=fields("bucket", "forceDestroy", "objectLockEnabled", "tags"),
        create=_create,
        read=_read,
        update=_update,
        delete=_delete,
        replaces=frozenset({"bucket", "objectLockEnabled"}),
    ),
}
