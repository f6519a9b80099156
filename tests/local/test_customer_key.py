"""The whole pipeline with a customer key, with locked uploads, and with an upload prefix."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.stack import DeployedStack, declared, deployed_stack, png


@pytest.fixture(scope="module")
def locked() -> Iterator[DeployedStack]:
    config = {
        "bill-e:encryption": "customer-key",
        "bill-e:objectLockDays": 1,
        "bill-e:objectLockMode": "compliance",
        "bill-e:uploadPrefix": "receipts/",
    }
    with deployed_stack(config) as stack:
        yield stack


@pytest.fixture(scope="module")
def key_arn(locked: DeployedStack) -> str:
    kms = locked.administrator.client("kms")
    (alias,) = (
        alias
        for alias in kms.list_aliases()["Aliases"]
        if alias["AliasName"].startswith("alias/bill-e-encryption-")
    )
    return kms.describe_key(KeyId=alias["TargetKeyId"])["KeyMetadata"]["Arn"]


@pytest.mark.claim(
    "with a customer key and Object Lock, an upload gets its entry and the API serves it, under enforced IAM",
    section="Controls",
    control="S3.15, S3.17",
    requires="options work",
)
def test_upload_gets_its_entry_and_the_api_serves_it(locked: DeployedStack, key_arn: str) -> None:
    content = png()

    uploaded = locked.upload("receipts/receipt.png", content)

    assert locked.entry_of(uploaded)["outcome"] == "ACCEPTED"
    answer = locked.get(f"/receipts/{uploaded.fingerprint}")
    assert answer.status == 200
    assert answer.json["receipt"]["version_id"] == uploaded.version_id
    stored = locked.administrator.client("s3").head_object(Bucket=locked.bucket, Key=uploaded.key)
    assert (stored["ServerSideEncryption"], stored["SSEKMSKeyId"]) == ("aws:kms", key_arn)
    assert stored["ObjectLockMode"] == "COMPLIANCE"


def test_form_uploads_under_the_key_and_the_prefix_too(locked: DeployedStack, key_arn: str) -> None:
    content = png()
    form = locked.call("POST", "/uploads", body=declared(content)).json

    assert form["key"].startswith("receipts/")
    assert locked.post_form(form, content).status == 204

    stored = locked.administrator.client("s3").head_object(Bucket=locked.bucket, Key=form["key"])
    assert (stored["ServerSideEncryption"], stored["SSEKMSKeyId"]) == ("aws:kms", key_arn)


@pytest.mark.claim(
    "an upload that asks for any other encryption is refused",
    section="Controls",
    control="S3.17",
    requires="KMS at rest",
)
@pytest.mark.parametrize(
    "asked",
    [{"ServerSideEncryption": "AES256"}, {"ServerSideEncryption": "aws:kms"}],
    ids=["key of S3", "key of AWS"],
)
def test_upload_that_asks_for_another_encryption_is_refused(
    asked: dict[str, Any], locked: DeployedStack
) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        locked.caller.client("s3").put_object(
            Bucket=locked.bucket, Key="receipts/other.png", Body=png(), **asked
        )


@pytest.mark.claim(
    "a locked upload can't be deleted, not even by an administrator",
    section="Controls",
    control="S3.15",
    requires="Object Lock",
)
def test_locked_upload_cannot_be_deleted(locked: DeployedStack) -> None:
    uploaded = locked.upload("receipts/kept.png", png())

    with pytest.raises(ClientError, match="AccessDenied"):
        locked.administrator.client("s3").delete_object(
            Bucket=locked.bucket,
            Key=uploaded.key,
            VersionId=uploaded.version_id,
            BypassGovernanceRetention=True,
        )


def test_queues_ledger_and_logs_are_under_the_key(locked: DeployedStack, key_arn: str) -> None:
    aws, outputs = locked.administrator, locked.outputs

    def queue_key(url: str) -> str | None:
        attributes = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        return attributes["Attributes"].get("KmsMasterKeyId")

    table: Any = aws.client("dynamodb").describe_table(TableName=outputs["ledger_table"])["Table"]
    groups = aws.client("logs").describe_log_groups()["logGroups"]
    assert queue_key(outputs["queue_url"]) == queue_key(outputs["dead_letter_queue_url"]) == key_arn
    assert table["SSEDescription"]["KMSMasterKeyArn"] == key_arn
    assert {group.get("kmsKeyId") for group in groups} == {key_arn}
    assert aws.client("kms").get_key_rotation_status(KeyId=key_arn)["KeyRotationEnabled"]
