"""Nobody whom the stack gives permissions can destroy an upload, or a lock that protects it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.aws import Aws
from tests.local.stack import DeployedStack, events_lost, png
from tests.security.deployed.conftest import WATCHED
from tests.security.deployed.roles import FUNCTIONS

Version = dict[str, str]

PAST = datetime(2026, 1, 1, tzinfo=UTC)
LOCK = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}}
EXPIRY = {"Rules": [{"ID": "all", "Status": "Enabled", "Filter": {}, "NoncurrentVersionExpiration": {}}]}

DEEDS: dict[str, Callable[[Any, str, Version], Any]] = {
    "delete a version": lambda s3, bucket, version: s3.delete_object(Bucket=bucket, **version),
    "delete a locked version": lambda s3, bucket, version: s3.delete_object(
        Bucket=bucket, **version, BypassGovernanceRetention=True
    ),
    "delete versions in a batch": lambda s3, bucket, version: s3.delete_objects(
        Bucket=bucket, Delete={"Objects": [version]}, BypassGovernanceRetention=True
    ),
    "hide an object": lambda s3, bucket, version: s3.delete_object(Bucket=bucket, Key=version["Key"]),
    "shorten a lock": lambda s3, bucket, version: s3.put_object_retention(
        Bucket=bucket,
        **version,
        Retention={"Mode": "GOVERNANCE", "RetainUntilDate": PAST},
        BypassGovernanceRetention=True,
    ),
    "end a legal hold": lambda s3, bucket, version: s3.put_object_legal_hold(
        Bucket=bucket, **version, LegalHold={"Status": "OFF"}
    ),
    "change the lock of new uploads": lambda s3, bucket, _: s3.put_object_lock_configuration(
        Bucket=bucket, ObjectLockConfiguration=LOCK
    ),
    "let versions expire": lambda s3, bucket, _: s3.put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration=EXPIRY
    ),
    "delete the bucket": lambda s3, bucket, _: s3.delete_bucket(Bucket=bucket),
}


@pytest.fixture
def version(stack: DeployedStack) -> Version:
    with events_lost(stack):
        kept = stack.upload(f"{WATCHED}kept/kept.png", png())
    return {"Key": kept.key, "VersionId": kept.version_id}


@pytest.fixture(scope="module")
def principals(stack: DeployedStack, sessions: dict[str, Aws]) -> dict[str, Aws]:
    return {**sessions, "caller": stack.caller, "operator": stack.operator}


def refusal(deed: str, aws: Aws, stack: DeployedStack, version: Version) -> str | None:
    """Try a deed, and return the code of S3's error, if there is one."""
    try:
        answer = DEEDS[deed](aws.client("s3"), stack.bucket, version)
    except ClientError as error:
        return error.response["Error"]["Code"]
    errors = answer.get("Errors", [])
    return str(errors[0]["Code"]) if errors else None


@pytest.mark.claim(
    "no function, caller or operator can delete or hide an object version, shorten or bypass a lock, or "
    "delete the bucket",
    section="Least privilege",
)
@pytest.mark.parametrize("who", [*FUNCTIONS, "caller", "operator"])
@pytest.mark.parametrize("deed", DEEDS)
def test_nobody_can_destroy_an_upload(
    stack: DeployedStack, principals: dict[str, Aws], version: Version, who: str, deed: str
) -> None:
    assert refusal(deed, principals[who], stack, version) == "AccessDenied"

    left: dict[str, Any] = {"Bucket": stack.bucket, **version}
    assert stack.administrator.client("s3").head_object(**left)["VersionId"] == version["VersionId"]


@pytest.mark.parametrize("deed", list(DEEDS)[:4])
def test_an_administrator_can(stack: DeployedStack, version: Version, deed: str) -> None:
    """So that a refusal above is about permissions. The bucket of this stack has no lock."""
    assert refusal(deed, stack.administrator, stack, version) is None
