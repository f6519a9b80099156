"""What AWS refuses to delete, and what stays after a deletion."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local import LocalError
from local.embedded_stack import create_user
from local.provider import provider
from local.provider.resource_types import Existing
from tests.local.account import Account, code, policy

BUCKET = "aws:s3/bucket:Bucket"
KEY = "aws:kms/key:Key"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
ROLE = "aws:iam/role:Role"
TABLE = "aws:dynamodb/table:Table"

TOMORROW = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)


def is_there(account: Account, type_: str, resource: Existing) -> bool:
    return provider.read(account.aws, type_, resource) is not None


def test_bucket_with_objects_is_refused(account: Account) -> None:
    bucket = account.make(BUCKET, {})
    s3 = account.aws.client("s3")
    s3.put_object(Bucket=bucket.id, Key="receipt.png", Body=b"a receipt")

    with pytest.raises(LocalError, match="BucketNotEmpty"):
        provider.delete(account.aws, BUCKET, bucket)

    assert s3.get_object(Bucket=bucket.id, Key="receipt.png")["Body"].read() == b"a receipt"


def test_force_destroy_deletes_every_version_and_delete_marker_first(account: Account) -> None:
    bucket = account.make(BUCKET, {"forceDestroy": True, "objectLockEnabled": True})
    s3 = account.aws.client("s3")
    for content in (b"first", b"second"):
        s3.put_object(Bucket=bucket.id, Key="receipt.png", Body=content)
    for start in (0, 1000):  # more delete markers than S3 lists in a page
        names: Any = [{"Key": f"{number:04}"} for number in range(start, start + 1000)]
        s3.delete_objects(Bucket=bucket.id, Delete={"Objects": names, "Quiet": True})

    provider.delete(account.aws, BUCKET, bucket)

    assert not is_there(account, BUCKET, bucket)


@pytest.mark.parametrize(
    "lock",
    [
        {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": TOMORROW},
        {"ObjectLockLegalHoldStatus": "ON"},
    ],
    ids=["governance", "legal hold"],
)
def test_force_destroy_deletes_what_its_rights_can_unlock(account: Account, lock: dict[str, Any]) -> None:
    bucket = account.make(BUCKET, {"forceDestroy": True, "objectLockEnabled": True})
    put_locked_receipt(account, bucket, lock)

    provider.delete(account.aws, BUCKET, bucket)

    assert not is_there(account, BUCKET, bucket)


def test_force_destroy_leaves_what_is_retained_in_compliance_mode_and_names_it(account: Account) -> None:
    bucket = account.make(BUCKET, {"forceDestroy": True, "objectLockEnabled": True})
    lock = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": TOMORROW}
    put_locked_receipt(account, bucket, lock)

    with pytest.raises(LocalError, match=r"could not delete 'receipt\.png' \(version .*\): AccessDenied"):
        provider.delete(account.aws, BUCKET, bucket)

    assert receipt_in(account, bucket) == b"a receipt"


def test_force_destroy_without_the_right_to_bypass_retention_is_refused(account: Account) -> None:
    bucket = account.make(BUCKET, {"forceDestroy": True, "objectLockEnabled": True})
    lock = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": TOMORROW}
    put_locked_receipt(account, bucket, lock)
    rights = policy(NotAction="s3:BypassGovernanceRetention", Resource="*")
    somebody = dataclasses.replace(account.aws, key=create_user(account.aws, "somebody", rights))

    with pytest.raises(LocalError, match="AccessDenied"):
        provider.delete(somebody, BUCKET, bucket)

    assert receipt_in(account, bucket) == b"a receipt"


def put_locked_receipt(account: Account, bucket: Existing, lock: dict[str, Any]) -> None:
    account.aws.client("s3").put_object(Bucket=bucket.id, Key="receipt.png", Body=b"a receipt", **lock)


def receipt_in(account: Account, bucket: Existing) -> bytes:
    return account.aws.client("s3").get_object(Bucket=bucket.id, Key="receipt.png")["Body"].read()


def test_force_destroy_counts_as_last_applied(account: Account) -> None:
    """As in Pulumi, where the setting has to be deployed before it has an effect."""
    bucket = account.make(BUCKET, {"forceDestroy": False})
    account.aws.client("s3").put_object(Bucket=bucket.id, Key="receipt.png", Body=b"a receipt")

    provider.update(account.aws, BUCKET, "bucket", bucket, {"forceDestroy": True})
    with pytest.raises(LocalError, match="BucketNotEmpty"):
        provider.delete(account.aws, BUCKET, bucket)
    provider.delete(account.aws, BUCKET, dataclasses.replace(bucket, inputs={"forceDestroy": True}))

    assert not is_there(account, BUCKET, bucket)


def test_protected_table_is_refused_until_its_protection_is_off(account: Account) -> None:
    inputs = {
        "attributes": [{"name": "id", "type": "S"}],
        "billingMode": "PAY_PER_REQUEST",
        "deletionProtectionEnabled": True,
        "hashKey": "id",
    }
    table = account.make(TABLE, inputs)

    with pytest.raises(LocalError, match="protected against deletion"):
        provider.delete(account.aws, TABLE, table)
    assert is_there(account, TABLE, table)

    provider.update(account.aws, TABLE, "table", table, {**inputs, "deletionProtectionEnabled": False})
    provider.delete(account.aws, TABLE, table)

    assert not is_there(account, TABLE, table)


def test_key_is_scheduled_for_deletion_after_its_window(account: Account) -> None:
    key = account.make(KEY, {"deletionWindowInDays": 10})

    provider.delete(account.aws, KEY, key)

    metadata = account.aws.client("kms").describe_key(KeyId=key.id)["KeyMetadata"]
    assert metadata["KeyState"] == "PendingDeletion"
    assert (metadata["DeletionDate"] - dt.datetime.now(dt.UTC)).days in (9, 10)


def test_key_that_is_scheduled_already_keeps_its_date(account: Account) -> None:
    key = account.make(KEY, {"deletionWindowInDays": 10})
    kms = account.aws.client("kms")
    kms.schedule_key_deletion(KeyId=key.id, PendingWindowInDays=30)
    date = kms.describe_key(KeyId=key.id)["KeyMetadata"]["DeletionDate"]

    provider.delete(account.aws, KEY, key)

    assert kms.describe_key(KeyId=key.id)["KeyMetadata"]["DeletionDate"] == date


@pytest.mark.parametrize("skips", [True, False])
def test_log_group_stays_if_its_destruction_is_skipped(account: Account, skips: bool) -> None:
    group = account.make(LOG_GROUP, {"logGroupClass": "INFREQUENT_ACCESS", "skipDestroy": skips})

    provider.delete(account.aws, LOG_GROUP, group)

    assert is_there(account, LOG_GROUP, group) == skips


def test_log_group_whose_name_begins_like_that_of_another_is_told_from_it(account: Account) -> None:
    account.make(LOG_GROUP, {"name": "/own/group-of-another"})
    group = account.make(LOG_GROUP, {"name": "/own/group"})

    provider.delete(account.aws, LOG_GROUP, group)

    assert not is_there(account, LOG_GROUP, group)


@pytest.mark.parametrize("skips", [True, False])
def test_layer_version_stays_if_its_destruction_is_skipped(account: Account, skips: bool) -> None:
    type_ = "aws:lambda/layerVersion:LayerVersion"
    layer = account.make(type_, {"layerName": f"layer-{skips}", "code": code(), "skipDestroy": skips})

    provider.delete(account.aws, type_, layer)

    assert is_there(account, type_, layer) == skips


def test_role_with_a_policy_of_somebody_else_is_refused(account: Account) -> None:
    role = account.role()
    account.aws.client("iam").put_role_policy(
        RoleName=role.id, PolicyName="foreign", PolicyDocument=policy(Action="s3:Get*", Resource="*")
    )

    with pytest.raises(LocalError, match="DeleteConflict"):
        provider.delete(account.aws, ROLE, role)

    assert is_there(account, ROLE, role)


def test_object_lock_stays_on_without_its_rule(account: Account) -> None:
    type_ = "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration"
    rule = {"defaultRetention": {"mode": "COMPLIANCE", "days": 1}}
    lock = account.make(type_, {"bucket": account.versioned_bucket(), "rule": rule})
    s3 = account.aws.client("s3")

    provider.delete(account.aws, type_, lock)

    left = s3.get_object_lock_configuration(Bucket=lock.id)["ObjectLockConfiguration"]
    assert left == {"ObjectLockEnabled": "Enabled"}


def test_versioning_of_a_locked_bucket_cannot_be_suspended_and_its_deletion_is_no_error(
    account: Account,
) -> None:
    type_ = "aws:s3/bucketVersioning:BucketVersioning"
    bucket = account.bucket(objectLockEnabled=True)
    versioning = account.make(type_, {"bucket": bucket, "versioningConfiguration": {"status": "Enabled"}})
    s3 = account.aws.client("s3")
    with pytest.raises(ClientError, match="InvalidBucketState"):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})

    provider.delete(account.aws, type_, versioning)

    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"


def test_topic_is_left_to_its_owner_as_a_new_one_is(account: Account) -> None:
    type_ = "aws:sns/topicPolicy:TopicPolicy"
    arn = account.topic()
    of_a_new_topic = topic_policy(account, arn)
    own = {"arn": arn, "policy": policy(Principal="*", Action="sns:Publish", Resource=arn)}
    made = account.make(type_, own)

    provider.delete(account.aws, type_, made)

    found = topic_policy(account, arn)
    # The emulator's list of actions differs from that of SNS.
    assert {**found, "Action": None} == {**of_a_new_topic, "Action": None}
    assert found["Condition"] == {"StringEquals": {"AWS:SourceOwner": "000000000000"}}


def topic_policy(account: Account, arn: str) -> dict[str, Any]:
    """The one statement of a topic's policy."""
    attributes = account.aws.client("sns").get_topic_attributes(TopicArn=arn)["Attributes"]
    (statement,) = json.loads(attributes["Policy"])["Statement"]
    return dict(statement)


def test_policies_of_a_queue_are_taken_off_it(account: Account) -> None:
    queue = account.queue()
    text = policy(Principal="*", Action="sqs:SendMessage", Resource="*")
    made = account.make("aws:sqs/queuePolicy:QueuePolicy", {"queueUrl": queue.id, "policy": text})

    provider.delete(account.aws, "aws:sqs/queuePolicy:QueuePolicy", made)

    attributes = account.aws.client("sqs").get_queue_attributes(QueueUrl=queue.id, AttributeNames=["All"])
    assert "Policy" not in attributes["Attributes"]
