"""Roles hold what they need, shown by taking it away, and nothing more, shown by trying."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from functions.contract.entry import ObjectVersion, Upload, Uploader
from functions.contract.schema import TIME_INDEX
from local.aws import Aws
from local.in_process.events import s3_event
from tests.functions.examples import failed, sqs_batch
from tests.local.stack import DeployedStack, Object, declared, png
from tests.local.test_access import new_user
from tests.security.deployed.conftest import WATCHED
from tests.security.deployed.roles import FUNCTIONS, Grant, Role, roles_of


@dataclass(frozen=True, kw_only=True)
class Situation:
    """A stack with one receipt in its ledger, which then was deleted from its bucket."""

    stack: DeployedStack
    roles: dict[str, Role]
    deleted: Object

    def settled(self, uploaded: Object) -> bool:
        """Hand an event to the processor, as the queue does; say whether the message is done."""
        made = Upload(
            version=ObjectVersion(bucket=self.stack.bucket, key=uploaded.key, version_id=uploaded.version_id),
            uploaded_at=datetime.now(UTC),
            uploader=Uploader(principal="AWS:AIDAEXAMPLE", source_ip="192.0.2.7"),
        )
        answer = self.stack.administrator.client("lambda").invoke(
            FunctionName=self.roles["processor"].function,
            Payload=json.dumps(sqs_batch(s3_event(made))).encode(),
        )
        return failed(json.loads(answer["Payload"].read())) == []

    def upload_unwatched(self) -> Object:
        """Upload where no event tells the processor."""
        key, content = f"unwatched/{uuid.uuid4()}.png", png()
        stored = self.stack.administrator.client("s3").put_object(
            Bucket=self.stack.bucket, Key=key, Body=content
        )
        fingerprint = declared(content)["fingerprint"]
        return Object(key=key, version_id=stored["VersionId"], fingerprint=fingerprint)


@pytest.fixture(scope="module")
def situation(stack: DeployedStack) -> Situation:
    receipt = stack.upload(f"{WATCHED}deleted.png", png())
    stack.entry_of(receipt)
    stack.administrator.client("s3").delete_object(
        Bucket=stack.bucket, Key=receipt.key, VersionId=receipt.version_id
    )
    return Situation(stack=stack, roles=roles_of(stack), deleted=receipt)


# What a user notices of each function.


def new_upload_is_recorded(situation: Situation) -> bool:
    uploaded = situation.upload_unwatched()
    return situation.settled(uploaded) and any(
        entry["version_id"] == uploaded.version_id for entry in situation.stack.entries()
    )


def event_of_a_recorded_and_deleted_upload_is_settled(situation: Situation) -> bool:
    return situation.settled(situation.deleted)


def ledger_is_listed(situation: Situation) -> bool:
    return situation.stack.get("/receipts").status == 200


def receipt_is_shown(situation: Situation) -> bool:
    return situation.stack.get(f"/receipts/{situation.deleted.fingerprint}").status == 200


def form_is_made_and_taken(situation: Situation) -> bool:
    content = png()
    form = situation.stack.call("POST", "/uploads", body=declared(content))
    return form.status == 201 and situation.stack.post_form(form.json, content).status == 204


NOTICED: dict[str, list[Callable[[Situation], bool]]] = {
    "processor": [new_upload_is_recorded, event_of_a_recorded_and_deleted_upload_is_settled],
    "reader": [ledger_is_listed, receipt_is_shown],
    "upload_forms": [form_is_made_and_taken],
}


def works(situation: Situation, name: str) -> bool:
    return all(check(situation) for check in NOTICED[name])


# What the emulator doesn't ask IAM about. A rule over the policy stands in: the configuration of what is
# deployed is such that AWS asks for the grant.


def writes_to_the_group(role: Role, grant: Grant) -> bool:
    group = role.configuration["LoggingConfig"]["LogGroup"]
    return grant.resource.endswith(f":log-group:{group}:*")


def is_traced(role: Role, grant: Grant) -> bool:
    return role.configuration["TracingConfig"]["Mode"] == "Active" and grant.resource == "*"


def reads_from_the_queue(role: Role, grant: Grant) -> bool:
    mappings = role.aws.client("lambda").list_event_source_mappings(FunctionName=role.function)
    return [each["EventSourceArn"] for each in mappings["EventSourceMappings"]] == [grant.resource]


def reads_objects_of_the_bucket(role: Role, grant: Grant) -> bool:
    """S3 answers 404 for what is gone to a caller that may list it, else 403 (API Reference, GetObject)."""
    return Grant(action="s3:GetObjectVersion", resource=f"{grant.resource}/*") in role.grants


def decrypts_what_it_uses(role: Role, grant: Grant) -> bool:
    """Whatever a role reads, and a table that it writes to, takes `kms:Decrypt`."""
    reads = {action.partition(":")[0] for action in own_actions(role) if action != "s3:PutObject"}
    return set(services_of(grant)) == reads


def encrypts_what_it_uploads(role: Role, grant: Grant) -> bool:
    return services_of(grant) == ["s3"] and "s3:PutObject" in own_actions(role)


def own_actions(role: Role) -> list[str]:
    """The actions on what the stack keeps."""
    kept = ("dynamodb:", "s3:", "sqs:")
    return [grant.action for grant in role.grants if grant.action.startswith(kept)]


def services_of(grant: Grant) -> list[str]:
    """The services through which a key may be used."""
    endpoints = json.loads(grant.condition)["StringEquals"]["kms:ViaService"]
    return [endpoint.partition(".")[0] for endpoint in endpoints]


STAND_INS: dict[str, Callable[[Role, Grant], bool]] = {
    "kms:Decrypt": decrypts_what_it_uses,
    "kms:GenerateDataKey": encrypts_what_it_uploads,
    "logs:CreateLogStream": writes_to_the_group,
    "logs:PutLogEvents": writes_to_the_group,
    "s3:ListBucket": reads_objects_of_the_bucket,
    "s3:ListBucketVersions": reads_objects_of_the_bucket,
    "sqs:DeleteMessage": reads_from_the_queue,
    "sqs:GetQueueAttributes": reads_from_the_queue,
    "sqs:ReceiveMessage": reads_from_the_queue,
    "xray:PutTelemetryRecords": is_traced,
    "xray:PutTraceSegments": is_traced,
}


@pytest.mark.claim(
    "every action of every function's role is needed: without it, an upload gets no entry, or the API fails",
    section="Least privilege",
)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_grant_is_needed(situation: Situation, name: str) -> None:
    role = situation.roles[name]
    grants = role.grants
    unnoticed = []
    for grant in grants:
        with role.holding_only([other for other in grants if other != grant]):
            if works(situation, name):
                unnoticed.append(grant)
    assert works(situation, name)

    # A stand-in that is no longer needed is as wrong as a grant.
    assert unnoticed == [grant for grant in grants if grant.action in STAND_INS]
    assert [grant for grant in unnoticed if not STAND_INS[grant.action](role, grant)] == []


def test_emulator_still_delivers_without_the_grants_that_have_a_stand_in(situation: Situation) -> None:
    processor = situation.roles["processor"]
    rest = [grant for grant in processor.grants if grant.action not in STAND_INS]

    with processor.holding_only(rest):
        entry = situation.stack.entry_of(situation.stack.upload(f"{WATCHED}{uuid.uuid4()}.png", png()))

    assert entry["outcome"] == "ACCEPTED"


# What there is to try.


@dataclass(frozen=True, kw_only=True)
class Target:
    """A stack's resources, with an object version that is in its bucket."""

    stack: DeployedStack
    roles: dict[str, Role]
    key: str
    version_id: str

    @property
    def outputs(self) -> dict[str, Any]:
        return dict(self.stack.outputs)

    @property
    def bucket(self) -> str:
        return self.stack.bucket

    @property
    def table(self) -> str:
        return str(self.outputs["ledger_table"])

    @property
    def prefix(self) -> str:
        return f"{self.outputs['upload_prefix']}uploads/"


def target_of(stack: DeployedStack) -> Target:
    stored = stack.administrator.client("s3").put_object(
        Bucket=stack.bucket, Key="unwatched/kept.png", Body=png()
    )
    return Target(
        stack=stack, roles=roles_of(stack), key="unwatched/kept.png", version_id=stored["VersionId"]
    )


@pytest.fixture(scope="module")
def own(stack: DeployedStack) -> Target:
    return target_of(stack)


@pytest.fixture(scope="module")
def foreign(neighbour: DeployedStack) -> Target:
    return target_of(neighbour)


@pytest.fixture(scope="module")
def sessions(stack: DeployedStack) -> Iterator[dict[str, Aws]]:
    """AWS as each function of the stack sees it."""
    emulator = stack.emulator
    opened = {name: emulator.seen_by(role.session()) for name, role in roles_of(stack).items()}
    yield opened
    for session in opened.values():
        session.close()


FINGERPRINT = uuid.uuid4().hex * 2
"""Of no receipt of other tests on the same stack: what is put under it is no entry that can be shown."""

KEY = {"fingerprint": {"S": FINGERPRINT}, "entry": {"S": "RECEIPT"}}
BY_FINGERPRINT: dict[str, Any] = {
    "KeyConditionExpression": "fingerprint = :value",
    "ExpressionAttributeValues": {":value": {"S": FINGERPRINT}},
}
BY_TIME: dict[str, Any] = {
    "IndexName": TIME_INDEX,
    "KeyConditionExpression": "month_shard = :value",
    "ExpressionAttributeValues": {":value": {"S": "2026-11#0"}},
}


@dataclass(frozen=True, kw_only=True)
class Deed:
    """A call to AWS, and the functions of the stack that may make it."""

    call: Callable[[Aws, Target], object]
    by: tuple[str, ...] = ()


DEEDS = {
    "read an object version": Deed(
        call=lambda aws, at: aws.client("s3").get_object(
            Bucket=at.bucket, Key=at.key, VersionId=at.version_id
        ),
        by=("processor",),
    ),
    "read whatever is the latest object": Deed(
        call=lambda aws, at: aws.client("s3").get_object(Bucket=at.bucket, Key=at.key)
    ),
    "put an object under the prefix of forms": Deed(
        call=lambda aws, at: aws.client("s3").put_object(
            Bucket=at.bucket, Key=f"{at.prefix}{uuid.uuid4()}", Body=b"x"
        ),
        by=("upload_forms",),
    ),
    "put an object elsewhere": Deed(
        call=lambda aws, at: aws.client("s3").put_object(Bucket=at.bucket, Key=at.key, Body=b"x")
    ),
    "put an object beside the prefix": Deed(
        call=lambda aws, at: aws.client("s3").put_object(
            Bucket=at.bucket, Key=f"{at.prefix.rstrip('/')}-2/x", Body=b"x"
        )
    ),
    "delete an object": Deed(
        call=lambda aws, at: aws.client("s3").delete_object(Bucket=at.bucket, Key=at.key)
    ),
    "delete an object version": Deed(
        call=lambda aws, at: aws.client("s3").delete_object(
            Bucket=at.bucket, Key=at.key, VersionId=at.version_id
        )
    ),
    "list the bucket": Deed(
        call=lambda aws, at: aws.client("s3").list_objects_v2(Bucket=at.bucket), by=("processor",)
    ),
    "list the versions in the bucket": Deed(
        call=lambda aws, at: aws.client("s3").list_object_versions(Bucket=at.bucket), by=("processor",)
    ),
    "open the bucket by a policy": Deed(
        call=lambda aws, at: aws.client("s3").put_bucket_policy(Bucket=at.bucket, Policy="{}")
    ),
    "stop the bucket's events": Deed(
        call=lambda aws, at: aws.client("s3").put_bucket_notification_configuration(
            Bucket=at.bucket, NotificationConfiguration={}
        )
    ),
    "suspend versioning": Deed(
        call=lambda aws, at: aws.client("s3").put_bucket_versioning(
            Bucket=at.bucket, VersioningConfiguration={"Status": "Suspended"}
        )
    ),
    "get an entry": Deed(
        call=lambda aws, at: aws.client("dynamodb").get_item(TableName=at.table, Key=KEY),
        by=("upload_forms",),
    ),
    "query the ledger by fingerprint": Deed(
        call=lambda aws, at: aws.client("dynamodb").query(TableName=at.table, **BY_FINGERPRINT),
        by=("reader",),
    ),
    "query the ledger by time": Deed(
        call=lambda aws, at: aws.client("dynamodb").query(TableName=at.table, **BY_TIME),
        by=("processor", "reader"),
    ),
    "scan the ledger": Deed(call=lambda aws, at: aws.client("dynamodb").scan(TableName=at.table)),
    "scan the time index": Deed(
        call=lambda aws, at: aws.client("dynamodb").scan(TableName=at.table, IndexName=TIME_INDEX)
    ),
    "get entries in a batch": Deed(
        call=lambda aws, at: aws.client("dynamodb").batch_get_item(RequestItems={at.table: {"Keys": [KEY]}})
    ),
    "insert an entry": Deed(
        call=lambda aws, at: aws.client("dynamodb").put_item(
            TableName=at.table, Item=KEY | {"entry": {"S": "TEST"}}
        ),
        by=("processor",),
    ),
    "update an entry": Deed(
        call=lambda aws, at: aws.client("dynamodb").update_item(
            TableName=at.table,
            Key=KEY,
            UpdateExpression="SET size_bytes = :value",
            ExpressionAttributeValues={":value": {"N": "1"}},
        )
    ),
    "delete an entry": Deed(
        call=lambda aws, at: aws.client("dynamodb").delete_item(TableName=at.table, Key=KEY)
    ),
    "write entries in a batch": Deed(
        call=lambda aws, at: aws.client("dynamodb").batch_write_item(
            RequestItems={at.table: [{"DeleteRequest": {"Key": KEY}}]}
        )
    ),
    "delete the ledger": Deed(call=lambda aws, at: aws.client("dynamodb").delete_table(TableName=at.table)),
    "unprotect the ledger": Deed(
        call=lambda aws, at: aws.client("dynamodb").update_table(
            TableName=at.table, DeletionProtectionEnabled=False
        )
    ),
    "take messages": Deed(
        call=lambda aws, at: aws.client("sqs").receive_message(
            QueueUrl=at.outputs["queue_url"], VisibilityTimeout=0
        ),
        by=("processor",),
    ),
    "send a message": Deed(
        call=lambda aws, at: aws.client("sqs").send_message(
            QueueUrl=at.outputs["queue_url"], MessageBody="{}"
        )
    ),
    "purge the queue": Deed(
        call=lambda aws, at: aws.client("sqs").purge_queue(QueueUrl=at.outputs["queue_url"])
    ),
    "take dead letters": Deed(
        call=lambda aws, at: aws.client("sqs").receive_message(QueueUrl=at.outputs["dead_letter_queue_url"])
    ),
    "call a function": Deed(
        call=lambda aws, at: aws.client("lambda").invoke(FunctionName=at.roles["reader"].function)
    ),
    "change a function": Deed(
        call=lambda aws, at: aws.client("lambda").update_function_configuration(
            FunctionName=at.roles["reader"].function, Description="x"
        )
    ),
    "widen a role": Deed(
        call=lambda aws, at: aws.client("iam").put_role_policy(
            RoleName=at.roles["reader"].name, PolicyName="more", PolicyDocument="{}"
        )
    ),
    "take a role": Deed(
        call=lambda aws, at: aws.client("sts").assume_role(
            RoleArn=at.roles["processor"].arn, RoleSessionName="test"
        )
    ),
    "read logs": Deed(
        call=lambda aws, at: aws.client("logs").filter_log_events(
            logGroupName=at.outputs["log_groups"]["reader"]
        )
    ),
    "delete logs": Deed(
        call=lambda aws, at: aws.client("logs").delete_log_group(
            logGroupName=at.outputs["log_groups"]["reader"]
        )
    ),
    "delete the API": Deed(
        call=lambda aws, at: aws.client("apigatewayv2").delete_api(
            ApiId=at.outputs["api_url"].rpartition("/")[2]
        )
    ),
}


def is_refused(deed: Deed, aws: Aws, target: Target) -> bool:
    """Say whether IAM refuses a call; any other error is not about permissions, and shows in the test."""
    try:
        deed.call(aws, target)
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"AccessDenied", "AccessDeniedException"}:
            raise
        return True
    return False


@pytest.mark.claim(
    "under its role, a function can only make the calls that it needs: the reader can't write entries "
    "or read the bucket; the processor can't update, delete or scan entries; the upload-forms function can't "
    "put objects outside its form prefix",
    section="Least privilege",
)
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("deed", DEEDS)
def test_role_can_do_its_own_deeds_only(sessions: dict[str, Aws], own: Target, name: str, deed: str) -> None:
    assert is_refused(DEEDS[deed], sessions[name], own) is (name not in DEEDS[deed].by)


@pytest.mark.claim(
    "no function can do anything to another stack in the same account", section="Least privilege"
)
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("deed", DEEDS)
def test_role_can_do_nothing_to_another_stack(
    sessions: dict[str, Aws], foreign: Target, name: str, deed: str
) -> None:
    assert is_refused(DEEDS[deed], sessions[name], foreign)


@pytest.mark.claim(
    "no user can assume a function's role, not even an administrator", section="Least privilege"
)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_user_cannot_take_a_role(own: Target, name: str) -> None:
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    user = new_user(own.stack, {"Version": "2012-10-17", "Statement": [everything]})
    administrator = own.stack.emulator.seen_by(user)
    try:
        with pytest.raises(ClientError, match="AccessDenied"):
            administrator.client("sts").assume_role(RoleArn=own.roles[name].arn, RoleSessionName="test")
    finally:
        administrator.close()
