"""What auditors may do with the stack's `auditor_policy`: read everything about receipts, change nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import closing
from typing import Any, NamedTuple

import pytest
from botocore.exceptions import ClientError

from functions.contract.schema import TIME_INDEX
from functions.contract.sealing import CHECKPOINT
from local.aws import AccessKey, Aws
from tests.local.stack import Answer, DeployedStack, Object, png
from tests.local.test_access import assert_denied, new_user
from tests.security.deployed.conftest import WATCHED


class Kept(NamedTuple):
    """A stack with a receipt in its ledger, and the receipt's bytes."""

    stack: DeployedStack
    receipt: Object
    content: bytes

    def asked(self, path: str, key: AccessKey, **query: str) -> Answer:
        return self.stack.call("GET", f"/{path}", query=query, signed_by=key)

    @property
    def version(self) -> Any:
        return {"Bucket": self.stack.bucket, "Key": self.receipt.key, "VersionId": self.receipt.version_id}

    @property
    def bucket(self) -> Any:
        return {"Bucket": self.stack.bucket}

    @property
    def table(self) -> Any:
        return {"TableName": self.stack.outputs["ledger_table"]}


@pytest.fixture(scope="module")
def kept(stack: DeployedStack) -> Kept:
    content = png()
    receipt = stack.upload(f"{WATCHED}audited/Beleg für Erika.png", content)
    assert stack.entry_of(receipt)["outcome"] == "ACCEPTED"
    return Kept(stack=stack, receipt=receipt, content=content)


KEY: Any = {"fingerprint": {"S": "ab" * 32}, "entry": {"S": "RECEIPT"}}
BY_FINGERPRINT: dict[str, Any] = {
    "KeyConditionExpression": "fingerprint = :value",
    "ExpressionAttributeValues": {":value": KEY["fingerprint"]},
}
BY_TIME: dict[str, Any] = {
    "IndexName": TIME_INDEX,
    "KeyConditionExpression": "month_shard = :value",
    "ExpressionAttributeValues": {":value": {"S": "2026-11#0"}},
}


class Deed(NamedTuple):
    """Something that an auditor does, and the action that it takes."""

    action: str
    do: Callable[[Aws, Kept], object]


def see_queue(output: str) -> Deed:
    return Deed(
        "sqs:GetQueueAttributes",
        lambda aws, at: aws.client("sqs").get_queue_attributes(
            QueueUrl=at.stack.outputs[output], AttributeNames=["All"]
        ),
    )


def read_log(group: str) -> Deed:
    return Deed(
        "logs:FilterLogEvents",
        lambda aws, at: aws.client("logs").filter_log_events(
            logGroupName=at.stack.outputs["log_groups"][group]
        ),
    )


READS = {
    "list versions": Deed(
        "s3:ListBucketVersions", lambda aws, at: aws.client("s3").list_object_versions(**at.bucket)
    ),
    "see a lock": Deed(
        "s3:GetObjectRetention", lambda aws, at: aws.client("s3").get_object_retention(**at.version)
    ),
    "see events": Deed(
        "s3:GetBucketNotification",
        lambda aws, at: aws.client("s3").get_bucket_notification_configuration(**at.bucket),
    ),
    "see the default lock": Deed(
        "s3:GetBucketObjectLockConfiguration",
        lambda aws, at: aws.client("s3").get_object_lock_configuration(**at.bucket),
    ),
    "see the policy": Deed(
        "s3:GetBucketPolicy", lambda aws, at: aws.client("s3").get_bucket_policy(**at.bucket)
    ),
    "see that nothing is public": Deed(
        "s3:GetBucketPublicAccessBlock",
        lambda aws, at: aws.client("s3").get_public_access_block(**at.bucket),
    ),
    "see versioning": Deed(
        "s3:GetBucketVersioning", lambda aws, at: aws.client("s3").get_bucket_versioning(**at.bucket)
    ),
    "see what expires": Deed(
        "s3:GetLifecycleConfiguration",
        lambda aws, at: aws.client("s3").get_bucket_lifecycle_configuration(**at.bucket),
    ),
    "read the log": Deed(
        "s3:GetObject",
        lambda aws, at: aws.client("s3").get_object(Bucket=at.stack.outputs["log_bucket"], Key=CHECKPOINT),
    ),
    "see that the log lacks something": Deed(
        "s3:ListBucket",
        lambda aws, at: aws.client("s3").list_objects_v2(Bucket=at.stack.outputs["log_bucket"], MaxKeys=1),
    ),
    "scan the ledger": Deed("dynamodb:Scan", lambda aws, at: aws.client("dynamodb").scan(**at.table)),
    "query the ledger": Deed(
        "dynamodb:Query", lambda aws, at: aws.client("dynamodb").query(**at.table, **BY_FINGERPRINT)
    ),
    "query the ledger by time": Deed(
        "dynamodb:Query", lambda aws, at: aws.client("dynamodb").query(**at.table, **BY_TIME)
    ),
    **{f"see {name}": see_queue(name) for name in ("queue_url", "resend_queue_url", "dead_letter_queue_url")},
    **{f"read the log of {group}": read_log(group) for group in ("api", "files", "uploads")},
}


def is_denied(deed: Callable[[], object]) -> bool:
    try:
        deed()
    except ClientError as error:
        return error.response["Error"]["Code"] in {"AccessDenied", "AccessDeniedException"}
    return False


@pytest.mark.claim(
    "the policy for auditors (output `auditor_policy`) allows to read the ledger, the list of object "
    "versions, their locks, the bucket's configuration, the queues and who asked for what; each of its "
    "actions is needed",
    section="Least privilege",
)
@pytest.mark.parametrize("read", READS)
def test_auditor_reads_and_needs_the_permission(kept: Kept, read: str) -> None:
    policy = json.loads(kept.stack.outputs["auditor_policy"])
    policy["Statement"].append({"Effect": "Deny", "Action": READS[read].action, "Resource": "*"})

    assert not is_denied(lambda: READS[read].do(kept.stack.auditor, kept))
    with closing(kept.stack.emulator.seen_by(new_user(kept.stack, policy))) as lesser:
        assert_denied(lambda: READS[read].do(lesser, kept))


def test_every_action_of_the_policy_is_tried(kept: Kept) -> None:
    statements = json.loads(kept.stack.outputs["auditor_policy"])["Statement"]
    allowed = {
        action
        for statement in statements
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }

    # The API is called below. The emulator doesn't ask KMS.
    assert allowed == {read.action for read in READS.values()} | {"execute-api:Invoke", "kms:Decrypt"}


BEYOND: dict[str, Callable[[Aws, Kept], object]] = {
    "upload": lambda aws, at: aws.client("s3").put_object(**at.bucket, Key=f"{WATCHED}x.png", Body=b"x"),
    "read an upload without the API": lambda aws, at: aws.client("s3").get_object(**at.version),
    "delete an upload": lambda aws, at: aws.client("s3").delete_object(**at.version),
    "change a lock": lambda aws, at: aws.client("s3").put_object_retention(**at.version, Retention={}),
    "suspend versioning": lambda aws, at: aws.client("s3").put_bucket_versioning(
        **at.bucket, VersioningConfiguration={"Status": "Suspended"}
    ),
    "open the bucket": lambda aws, at: aws.client("s3").put_bucket_policy(**at.bucket, Policy="{}"),
    "insert an entry": lambda aws, at: aws.client("dynamodb").put_item(**at.table, Item=KEY),
    "delete an entry": lambda aws, at: aws.client("dynamodb").delete_item(**at.table, Key=KEY),
    "send something again": lambda aws, at: aws.client("sqs").send_message(
        QueueUrl=at.stack.outputs["resend_queue_url"], MessageBody="{}"
    ),
    "take a dead letter": lambda aws, at: aws.client("sqs").receive_message(
        QueueUrl=at.stack.outputs["dead_letter_queue_url"]
    ),
    "read the processor's log": lambda aws, at: aws.client("logs").filter_log_events(
        logGroupName=at.stack.outputs["log_groups"]["processor"]
    ),
    "delete a log": lambda aws, at: aws.client("logs").delete_log_group(
        logGroupName=at.stack.outputs["log_groups"]["api"]
    ),
    "see functions": lambda aws, _: aws.client("lambda").list_functions(),
    "make a user": lambda aws, _: aws.client("iam").create_user(UserName="auditors-friend"),
}


@pytest.mark.claim(
    "an auditor can change nothing, and gets files only through the API, which logs it",
    section="Least privilege",
)
@pytest.mark.parametrize("deed", BEYOND)
def test_auditor_cannot(kept: Kept, deed: str) -> None:
    assert_denied(lambda: BEYOND[deed](kept.stack.auditor, kept))


def test_auditor_cannot_ask_for_a_form(kept: Kept) -> None:
    assert kept.stack.call("POST", "/uploads", body={}, signed_by=kept.stack.auditor.key).status == 403


@pytest.mark.parametrize("by_version", [False, True])
def test_auditor_gets_a_file_as_bytes_to_save(kept: Kept, by_version: bool) -> None:
    query = {"version": kept.receipt.version_id} if by_version else {}
    answer = kept.asked(f"files/{kept.receipt.fingerprint}", kept.stack.auditor.key, **query)
    assert answer.status == 200
    file = kept.stack.fetch(answer.json["url"])

    assert hashlib.sha256(file.content).hexdigest() == kept.receipt.fingerprint == answer.json["fingerprint"]
    assert file.headers["content-type"] == "application/octet-stream"
    assert file.headers["cache-control"] == "private, no-store"
    assert file.headers["content-disposition"] == (
        "attachment; filename=\"Beleg f_r Erika.png\"; filename*=UTF-8''Beleg%20f%C3%BCr%20Erika.png"
    )


@pytest.mark.claim(
    "a link to a file can't be changed to another version, another file or another media type",
    section="Access to the API",
)
@pytest.mark.parametrize(
    ("part", "instead"),
    [
        ("receipts/audited", "receipts/another"),
        ("versionId=", "versionId=0"),
        ("application%2Foctet-stream", "text%2Fhtml"),
        ("attachment", "inline"),
        ("X-Amz-Expires=60", "X-Amz-Expires=86400"),
    ],
)
def test_link_cannot_be_changed(kept: Kept, part: str, instead: str) -> None:
    url = kept.asked(f"files/{kept.receipt.fingerprint}", kept.stack.auditor.key).json["url"]
    assert part in url

    assert kept.stack.fetch(url.replace(part, instead)).status == 403


@pytest.mark.claim(
    "a caller gets no files, not even those that they uploaded (output `caller_policy`)",
    section="Access to the API",
)
@pytest.mark.parametrize(
    "folder", ["files", "receipts/../files", "receipts%2F..%2Ffiles", "/files", "files/."]
)
@pytest.mark.parametrize("end", ["", "/", "?version=v1"])
def test_caller_gets_no_file(kept: Kept, folder: str, end: str) -> None:
    fingerprint, key = kept.receipt.fingerprint, kept.stack.caller.key

    assert kept.asked(f"receipts/{fingerprint}", key).status == 200
    assert kept.asked(f"{folder}/{fingerprint}{end}", key).status in {400, 403, 404}
