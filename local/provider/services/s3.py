"""S3: the bucket."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from local import LocalError
from local.aws import Aws
from local.provider.patterns import undone_on_failure
from local.provider.resource_types import Change, Created, Existing, Inputs, ResourceType, fields
from local.provider.spelling import key_value_tags, physical_name, present, tags_of

BUCKET_NAME_LENGTH = 63


def _create(aws: Aws, name: str, inputs: Inputs) -> Created:
    s3 = aws.client("s3")
    bucket = physical_name(inputs, name.lower(), property_name="bucket", max_length=BUCKET_NAME_LENGTH)
    _refuse_if_there(aws, bucket)
    # S3's first region has no name here (S3 API Reference, CreateBucket).
    place: Any = {"CreateBucketConfiguration": {"LocationConstraint": aws.region}}
    s3.create_bucket(
        Bucket=bucket,
        **present(inputs, ObjectLockEnabledForBucket="objectLockEnabled"),
        **(place if aws.region != "us-east-1" else {}),
    )
    with undone_on_failure(lambda: s3.delete_bucket(Bucket=bucket)):
        _put_tags(aws, bucket, inputs)
    return Created(
        id=bucket, outputs={"bucket": bucket, "arn": f"arn:aws:s3:::{bucket}", "bucketRegion": aws.region}
    )


def _refuse_if_there(aws: Aws, bucket: str) -> None:
    """Refuse a bucket that this account already has: us-east-1 would answer as if it had just made it."""
    try:
        aws.client("s3").head_bucket(Bucket=bucket)
    except ClientError:
        return
    raise LocalError(f"BucketAlreadyExists: the account has a bucket {bucket!r}")


def _read(aws: Aws, resource: Existing) -> Inputs:
    aws.client("s3").head_bucket(Bucket=resource.id)
    return {"tags": _tags(aws, resource.id)}


def _update(aws: Aws, change: Change) -> None:
    if "tags" in change.different:
        _put_tags(aws, change.resource.id, change.inputs)


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
    """Delete every version, then every delete marker, as the Terraform provider's ``emptyBucket`` does.

    Under Object Lock, this bypasses retention in governance mode, which takes a separate permission, and ends
    legal holds. S3 refuses to delete what is retained in compliance mode.

    Raises:
        LocalError: something is retained; the error names the first such version.

    """
    s3 = aws.client("s3")
    bypass: Any = {"BypassGovernanceRetention": True} if _has_object_lock(aws, bucket) else {}
    for kind in ("Versions", "DeleteMarkers"):
        # Object Lock doesn't protect delete markers.
        bypassing = bypass if kind == "Versions" else {}
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            found: Any = page.get(kind, [])
            objects: Any = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]
            if not objects:
                continue
            deleted = s3.delete_objects(
                Bucket=bucket, Delete={"Objects": objects, "Quiet": True}, **bypassing
            )
            for refused in deleted.get("Errors", []):
                if not (bypassing and _is_deleted_without_hold(aws, bucket, refused)):
                    raise LocalError(
                        f"forceDestroy could not delete {refused['Key']!r} (version {refused['VersionId']}): "
                        f"{refused['Code']}: {refused['Message']}"
                    )


def _has_object_lock(aws: Aws, bucket: str) -> bool:
    try:
        aws.client("s3").get_object_lock_configuration(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ObjectLockConfigurationNotFoundError":
            return False
        raise
    return True


def _is_deleted_without_hold(aws: Aws, bucket: str, refused: Any) -> bool:
    """End the legal hold of a version, if it has one, and try once more to delete it."""
    version: Any = {"Bucket": bucket, "Key": refused["Key"], "VersionId": refused["VersionId"]}
    try:
        aws.client("s3").put_object_legal_hold(**version, LegalHold={"Status": "OFF"})
        aws.client("s3").delete_object(**version)
    except ClientError:
        return False
    return True


RESOURCE_TYPES = {
    "aws:s3/bucket:Bucket": ResourceType(
        properties=fields("bucket", "forceDestroy", "objectLockEnabled", "tags"),
        create=_create,
        read=_read,
        update=_update,
        delete=_delete,
        replaces=frozenset({"bucket", "objectLockEnabled"}),
    )
}
