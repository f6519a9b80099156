"""What callers, operators and administrators tried, so that the ledger says what isn't true."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from functions.contract import schema
from functions.contract.entry import ObjectVersion, Upload, Uploader, parse_time
from local.aws import Aws
from local.in_process.events import s3_event
from local.queues import depth, processor_held, redelivery_after
from tests.local.eventually import eventually
from tests.local.stack import DeployedStack, Object, png
from tests.local.test_access import assert_denied, new_user
from tests.security.deployed.conftest import WATCHED

KEY_OF_OTHERS = "arn:aws:kms:us-east-1:999999999999:key/5c7e0f6b-0000-4000-8000-000000000000"
UNREADABLE: dict[str, dict[str, Any]] = {
    "GLACIER": {"StorageClass": "GLACIER"},
    "DEEP_ARCHIVE": {"StorageClass": "DEEP_ARCHIVE"},
    "key of others": {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": KEY_OF_OTHERS},
    "key of others, twice": {"ServerSideEncryption": "aws:kms:dsse", "SSEKMSKeyId": KEY_OF_OTHERS},
    "key of AWS": {"ServerSideEncryption": "aws:kms"},
    "own key": {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "0" * 32},
}

MONTH: dict[str, Any] = {
    "IndexName": schema.TIME_INDEX,
    "KeyConditionExpression": "month_shard = :month",
    "ExpressionAttributeValues": {":month": {"S": "2026-11#0"}},
}


@pytest.mark.claim(
    "no caller can upload what the processor could not read: in an archive, or under another key, with and "
    "without a customer key of the stack",
    section="Only what is true enters the ledger",
)
@pytest.mark.parametrize("multipart", [False, True])
@pytest.mark.parametrize("asked", UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize("which", ["stack", "token_stack"])
def test_what_nobody_could_read_is_refused(
    which: str, asked: dict[str, Any], multipart: bool, request: pytest.FixtureRequest
) -> None:
    stack: DeployedStack = request.getfixturevalue(which)
    s3: Any = stack.caller.client("s3")
    place = {"Bucket": stack.bucket, "Key": f"{WATCHED}unreadable.png"}

    if multipart:
        assert_denied(lambda: s3.create_multipart_upload(**place, **asked))
    else:
        assert_denied(lambda: s3.put_object(**place, Body=png(), **asked))


def test_a_class_that_can_be_read_at_once_is_accepted(stack: DeployedStack) -> None:
    content, key = png(), f"{WATCHED}cold.png"
    stored = stack.caller.client("s3").put_object(
        Bucket=stack.bucket, Key=key, Body=content, StorageClass="GLACIER_IR"
    )

    entry = stack.entry_of(Object(key=key, version_id=stored["VersionId"], fingerprint=""))

    assert entry["outcome"] == "ACCEPTED"


@pytest.mark.claim(
    "an archived object that is in the bucket all the same gets one entry, REJECTED as unreadable",
    section="Only what is true enters the ledger",
)
def test_an_archived_object_gets_its_entry(stack: DeployedStack) -> None:
    s3, key = stack.administrator.client("s3"), f"{WATCHED}archived.png"
    with bucket_without_policy(stack):
        stored = s3.put_object(Bucket=stack.bucket, Key=key, Body=png(), StorageClass="GLACIER")

    entry = stack.entry_of(Object(key=key, version_id=stored["VersionId"], fingerprint=""))

    assert (entry["outcome"], entry["reason"]) == ("REJECTED", "unreadable")


@pytest.mark.claim(
    "nobody but S3 can send to the queue whose messages the processor believes: no caller, no operator, and "
    "no administrator without changing the queue's policy",
    section="Only what is true enters the ledger",
)
@pytest.mark.parametrize("who", ["caller", "operator", "administrator"])
def test_only_s3_sends_to_its_queue(stack: DeployedStack, who: str) -> None:
    sqs, url = getattr(stack, who).client("sqs"), stack.outputs["queue_url"]

    assert_denied(lambda: sqs.send_message(QueueUrl=url, MessageBody="{}"))
    assert_denied(lambda: sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": "0", "MessageBody": "{}"}]))


@pytest.mark.claim(
    "neither an operator nor an administrator can move dead letters to the queue that only S3 can send to",
    section="Only what is true enters the ledger",
)
@pytest.mark.parametrize("who", ["operator", "administrator"])
def test_dead_letters_only_move_to_the_resend_queue(stack: DeployedStack, who: str) -> None:
    aws: Aws = getattr(stack, who)

    assert_denied(lambda: move_dead_letters(aws, stack, "queue_url"))
    assert move_dead_letters(aws, stack, "resend_queue_url")


@pytest.mark.parametrize(
    "action", ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage"]
)
def test_a_redrive_needs_every_permission(stack: DeployedStack, action: str) -> None:
    policy = json.loads(stack.outputs["operator_policy"])
    policy["Statement"].append({"Effect": "Deny", "Action": action, "Resource": "*"})

    with closing(stack.emulator.seen_by(new_user(stack, policy))) as lesser:
        assert_denied(lambda: move_dead_letters(lesser, stack, "resend_queue_url"))


@pytest.mark.claim(
    "an operator's messages about objects of other buckets and prefixes, or that never were, or that were "
    "deleted after they were recorded, make no entry: they become dead letters",
    section="Only what is true enters the ledger",
)
def test_forged_messages_make_no_entry(stack: DeployedStack) -> None:
    for left in ("resend_queue_url", "dead_letter_queue_url"):  # A failed message is hidden for minutes.
        stack.administrator.client("sqs").purge_queue(QueueUrl=stack.outputs[left])
    recorded = stack.upload(f"{WATCHED}recorded.png", png())
    stack.entry_of(recorded)
    administrator = stack.administrator.client("s3")
    administrator.delete_object(Bucket=stack.bucket, Key=recorded.key, VersionId=recorded.version_id)
    elsewhere = stack.administrator.client("s3").put_object(
        Bucket=stack.bucket, Key="elsewhere/lunch.png", Body=png()
    )["VersionId"]
    before = stack.entries()

    with redelivery_after(stack, seconds=1):
        send_again(
            stack.operator,
            stack,
            *(event(stack, recorded, time=time) for time in ("2030-01-01T00:00:00Z", "9999-12-31T00:00:00Z")),
            event(stack, Object(key=f"{WATCHED}phantom.png", version_id="null", fingerprint="")),
            event(stack, Object(key=f"{WATCHED}phantom.png", version_id="phantom", fingerprint="")),
            event(stack, Object(key="elsewhere/lunch.png", version_id=elsewhere, fingerprint="")),
            event(stack, recorded, bucket="bucket-of-others"),
        )
        eventually(
            "six dead letters",
            lambda: (
                depth(stack, "dead_letter_queue_url").total >= 6
                and not depth(stack, "resend_queue_url").total
            ),
        )

    assert stack.entries() == before
    stack.administrator.client("sqs").purge_queue(QueueUrl=stack.outputs["dead_letter_queue_url"])


@pytest.mark.claim(
    "an operator who sends forged copies of an event first leaves an entry that names no uploader, has S3's "
    "own time, and says that it was resent",
    section="Only what is true enters the ledger",
)
def test_a_forged_copy_that_comes_first_is_not_believed(stack: DeployedStack) -> None:
    with processor_held(stack):
        uploaded = stack.upload(f"{WATCHED}raced.png", png())
        send_again(stack.operator, stack, *[event(stack, uploaded, time="2001-01-01T00:00:00Z")] * 3)
    entry = stack.entry_of(uploaded)

    forged = {"principal": "AWS:AIDAFORGED", "source_ip": "198.51.100.7"}
    assert entry["uploader"] != forged
    if entry["resent"]:
        stored = stack.administrator.client("s3").head_object(
            Bucket=stack.bucket, Key=uploaded.key, VersionId=uploaded.version_id
        )
        assert entry["uploader"] == dict.fromkeys(["principal", "source_ip", "via", "caller"])
        assert parse_time(entry["uploaded_at"]) == stored["LastModified"]


@pytest.mark.claim(
    "the ledger tells an operator nothing about uploaders, whether by Scan or by Query of the time index",
    section="Only what is true enters the ledger",
)
@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"Select": "ALL_ATTRIBUTES"},
        {"Select": "ALL_PROJECTED_ATTRIBUTES"},
        {"ProjectionExpression": "principal"},
        {"ProjectionExpression": "caller"},
        {"ProjectionExpression": "fingerprint, source_ip"},
        {
            "Select": "SPECIFIC_ATTRIBUTES",
            "ProjectionExpression": "#p",
            "ExpressionAttributeNames": {"#p": "principal"},
        },
    ],
    ids=str,
)
def test_an_operator_sees_no_uploader(stack: DeployedStack, asked: dict[str, Any]) -> None:
    dynamodb, table = stack.operator.client("dynamodb"), stack.outputs["ledger_table"]

    assert_denied(lambda: dynamodb.query(TableName=table, **MONTH, **asked))
    if asked.get("Select") != "ALL_PROJECTED_ATTRIBUTES":
        assert_denied(lambda: dynamodb.scan(TableName=table, **asked))


@pytest.mark.claim(
    "an operator can't find out who uploaded by filtering what a Scan or a Query returns",
    section="Only what is true enters the ledger",
)
@pytest.mark.parametrize(
    "condition", ["{} = :guess", "begins_with({}, :guess)", "size({})<:guess", "NOT({}=:guess)"]
)
@pytest.mark.parametrize("attribute", ["principal", "#named", "source_ip"])
def test_an_operator_cannot_filter_by_uploader(stack: DeployedStack, attribute: str, condition: str) -> None:
    given = {"FilterExpression": f"outcome = :guess OR {condition.format(attribute)}"}

    for read in filtered_reads(stack, given, {"#named": "principal"} if attribute == "#named" else {}):
        assert_denied(read)


def test_an_operator_cannot_filter_by_uploader_with_older_parameters(stack: DeployedStack) -> None:
    dynamodb, table = stack.operator.client("dynamodb"), stack.outputs["ledger_table"]
    condition: Any = {"ComparisonOperator": "BEGINS_WITH", "AttributeValueList": [{"S": "AWS:"}]}
    month: Any = {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "2026-11#0"}]}
    read: Any = {"TableName": table, "AttributesToGet": ["fingerprint"], "Select": "SPECIFIC_ATTRIBUTES"}
    query = {**read, "IndexName": schema.TIME_INDEX, "KeyConditions": {"month_shard": month}}

    assert_denied(lambda: dynamodb.scan(**read, ScanFilter={"principal": condition}))
    assert_denied(lambda: dynamodb.query(**query, QueryFilter={"principal": condition}))
    assert dynamodb.scan(**read, ScanFilter={"fingerprint": condition})["Count"] == 0
    assert dynamodb.query(**query, QueryFilter={"fingerprint": condition})["Count"] == 0


def test_an_operator_can_filter_by_anything_else(stack: DeployedStack) -> None:
    nested = "#d.principal = :guess OR outcome IN (:guess)"
    given = {"FilterExpression": f"size(fingerprint) > :guess AND NOT ({nested})"}

    for read in filtered_reads(stack, given, {"#d": "duplicate_of"}):
        assert read()["Count"] == 0


def filtered_reads(
    stack: DeployedStack, given: dict[str, Any], names: dict[str, str]
) -> list[Callable[[], Any]]:
    """Return a Scan and a Query that an operator may make, with a filter; `:guess` is a text."""
    dynamodb, view = stack.operator.client("dynamodb"), schema.OPERATOR_VIEW
    names, guess = {**view["ExpressionAttributeNames"], **names}, {":guess": {"S": "AWS:"}}
    read = {"TableName": stack.outputs["ledger_table"], **view, "ExpressionAttributeNames": names, **given}
    values = {**MONTH["ExpressionAttributeValues"], **guess}
    return [
        lambda: dynamodb.scan(**read, ExpressionAttributeValues=guess),
        lambda: dynamodb.query(**{**read, **MONTH, "ExpressionAttributeValues": values}),
    ]


def move_dead_letters(aws: Aws, stack: DeployedStack, destination: str) -> str:
    source, target = (
        aws.arn("sqs", stack.outputs[name].rpartition("/")[2])
        for name in ("dead_letter_queue_url", destination)
    )
    moved = aws.client("sqs").start_message_move_task(SourceArn=source, DestinationArn=target)
    return str(moved["TaskHandle"])


def event(
    stack: DeployedStack, uploaded: Object, *, bucket: str | None = None, time: str = "2026-11-20T12:00:00Z"
) -> str:
    version = ObjectVersion(bucket=bucket or stack.bucket, key=uploaded.key, version_id=uploaded.version_id)
    forged = Uploader(principal="AWS:AIDAFORGED", source_ip="198.51.100.7")
    return s3_event(Upload(version=version, uploaded_at=parse_time(time), uploader=forged))


def send_again(sender: Aws, stack: DeployedStack, *bodies: str) -> None:
    for body in bodies:
        sender.client("sqs").send_message(QueueUrl=stack.outputs["resend_queue_url"], MessageBody=body)


@contextmanager
def bucket_without_policy(stack: DeployedStack) -> Iterator[None]:
    """Let an administrator do by hand what the bucket refuses."""
    s3 = stack.administrator.client("s3")
    policy = s3.get_bucket_policy(Bucket=stack.bucket)["Policy"]
    s3.delete_bucket_policy(Bucket=stack.bucket)
    try:
        yield
    finally:
        s3.put_bucket_policy(Bucket=stack.bucket, Policy=json.dumps(json.loads(policy)))
