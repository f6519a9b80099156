"""Checks that the bucket is still configured as it was deployed, so that every upload causes an event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from functions.contract.reconciliation import ConfigurationPart, policy_digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_s3 import S3Client

    from functions.contract.entry import UploadLocation

CREATED = "s3:ObjectCreated:*"

_NOT_THERE = frozenset({"NoSuchBucketPolicy", "NoSuchPublicAccessBlockConfiguration"})


def changed_parts(
    s3: S3Client, location: UploadLocation, queue_arn: str, deployed_policy: str
) -> dict[ConfigurationPart, str]:
    """Return what isn't as it was deployed, and what is there instead. ``deployed_policy`` is a digest.

    A notification that was added to ours changes nothing about an upload's way, and isn't noticed.
    """
    bucket = location.bucket
    notification: Any = s3.get_bucket_notification_configuration(Bucket=bucket)
    queues = notification.get("QueueConfigurations", [])
    versioning = s3.get_bucket_versioning(Bucket=bucket).get("Status", "never enabled")
    public_access: dict[str, Any] = _or_nothing(
        lambda: dict(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"])
    )
    policy: dict[str, Any] = _or_nothing(lambda: dict(s3.get_bucket_policy(Bucket=bucket)))

    found = {}
    if not any(_notifies(each, queue_arn, location.prefix) for each in queues):
        found[ConfigurationPart.NOTIFICATION] = f"{len(queues)} notifications, none to the queue as deployed"
    if versioning != "Enabled":
        found[ConfigurationPart.VERSIONING] = versioning
    if sum(1 for value in public_access.values() if value is True) < 4:
        found[ConfigurationPart.PUBLIC_ACCESS] = str(public_access)
    if not policy or policy_digest(policy["Policy"]) != deployed_policy:
        found[ConfigurationPart.POLICY] = "another policy" if policy else "no policy"
    return found


def _notifies(notification: Any, queue_arn: str, prefix: str) -> bool:
    """Say whether a notification tells the queue about each object that is created below the prefix."""
    rules = notification.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    filters = {rule["Name"].lower(): rule["Value"] for rule in rules if rule["Value"]}
    is_whole = filters == ({"prefix": prefix} if prefix else {})
    return is_whole and notification["QueueArn"] == queue_arn and CREATED in notification["Events"]


def _or_nothing(ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return ask()
    except ClientError as error:
        if error.response["Error"]["Code"] not in _NOT_THERE:
            raise
        return {}
