"""A function's role has every grant that it needs, since something fails without it, and no others."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import pytest
from botocore.exceptions import ClientError

from functions.contract.schema import TIME_INDEX
from local.aws import Aws
from local.in_process.events import s3_event
from tests.functions.examples import failed, sqs_batch, upload
from tests.local.stack import DeployedStack, Object, declared, events_lost, png
from tests.local.test_access import new_user
from tests.security.deployed.conftest import WATCHED
from tests.security.deployed.roles import FUNCTIONS, Grant, Role, roles_of


@dataclass(frozen=True, kw_only=True)
class Situation:
    """A stack with one receipt in its ledger that was then deleted from its bucket."""

    stack: DeployedStack
    roles: dict[str, Role]
    deleted: Object

    def settled(self, uploaded: Object, queue: str = "queue_url") -> bool:
        """Deliver an event to the processor, as one of its queues does. Say whether the message is done."""
        name = self.stack.outputs[queue].rpartition("/")[2]
        queue_arn = self.stack.administrator.arn("sqs", name)
        made = upload(uploaded.key, uploaded.version_id)
        made = replace(made, version=replace(made.version, bucket=self.stack.bucket))
        answer = self.stack.administrator.client("lambda").invoke(
            FunctionName=self.roles["processor"].function,
            Payload=json.dumps(sqs_batch(s3_event(made), queue_arn=queue_arn)).encode(),
        )
        return failed(json.loads(answer["Payload"].read())) == []

    def upload_unnoticed(self) -> Object:
        """Upload an object of which the processor gets no event."""
        with events_lost(self.stack):
            return self.stack.upload(f"{WATCHED}{uuid.uuid4()}.png", png())


@pytest.fixture(scope="module")
def situation(stack: DeployedStack) -> Situation:
    receipt = stack.upload(f"{WATCHED}deleted.png", png())
    stack.entry_of(receipt)
    stack.administrator.client("s3").delete_object(
        Bucket=stack.bucket, Key=receipt.key, VersionId=receipt.version_id
    )
    return Situation(stack=stack, roles=roles_of(stack), deleted=receipt)


# What users notice if a function can't do its work.


def new_upload_is_recorded(situation: Situation) -> bool:
    uploaded = situation.upload_unnoticed()
    return situation.settled(uploaded) and any(
        entry["version_id"] == uploaded.version_id for entry in situation.stack.entries()
    )


def resent_upload_is_recorded(situation: Situation) -> bool:
    uploaded = situation.upload_unnoticed()
    return situation.settled(uploaded, "resend_queue_url") and any(
        entry["version_id"] == uploaded.version_id for entry in situation.stack.entries()
    )


def event_of_a_recorded_and_deleted_upload_is_settled(situation: Situation) -> bool:
    return situation.settled(situation.deleted)


def ledger_is_listed(situation: Situation) -> bool:
    return situation.stack.get("/receipts").status == 200


def receipt_is_shown(situation: Situation) -> bool:
    return situation.stack.get(f"/receipts/{situation.deleted.fingerprint}").status == 200


def receipt_is_looked_up(situation: Situation) -> bool:
    wanted = {"fingerprints": [situation.deleted.fingerprint]}
    return situation.stack.call("POST", "/receipts/lookup", body=wanted).status == 200


def form_is_made_and_taken(situation: Situation) -> bool:
    content = png()
    form = situation.stack.call("POST", "/uploads", body=declared(content))
    return form.status == 201 and situation.stack.post_form(form.json, content).status == 204


NOTICED: dict[str, list[Callable[[Situation], bool]]] = {
    "processor": [
        new_upload_is_recorded,
        resent_upload_is_recorded,
        event_of_a_recorded_and_deleted_upload_is_settled,
    ],
    "reader": [ledger_is_listed, receipt_is_shown, receipt_is_looked_up],
    "upload_forms": [form_is_made_and_taken],
}


def works(situation: Situation, name: str) -> bool:
    return all(check(situation) for check in NOTICED[name])


# The emulator doesn't ask IAM about some actions. For each, a rule says whether AWS would: it looks at what
# is deployed.


def writes_to_the_group(role: Role, grant: Grant) -> bool:
    group = role.configuration["LoggingConfig"]["LogGroup"]
    return grant.resource.endswith(f":log-group:{group}:*")


def is_traced(role: Role, grant: Grant) -> bool:
    return role.configuration["TracingConfig"]["Mode"] == "Active" and grant.resource == "*"


def reads_from_the_queue(role: Role, grant: Grant) -> bool:
    mappings = role.aws.client("lambda").list_event_source_mappings(FunctionName=role.function)
    return grant.resource in {each["EventSourceArn"] for each in mappings["EventSourceMappings"]}


def reads_objects_of_the_bucket(role: Role, grant: Grant) -> bool:
    """Without the permission to list, S3 answers 403 for what is gone, not 404 (API Reference, GetObject)."""
    return Grant(action="s3:GetObjectVersion", resource=f"{grant.resource}/{WATCHED}*") in role.grants


def decrypts_what_it_uses(role: Role, grant: Grant) -> bool:
    """Everything that a role reads needs `kms:Decrypt`, and so does a table that it writes to."""
    reads = {action.partition(":")[0] for action in own_actions(role) if action != "s3:PutObject"}
    return set(services_of(grant)) == reads


def encrypts_what_it_uploads(role: Role, grant: Grant) -> bool:
    return services_of(grant) == ["s3"] and "s3:PutObject" in own_actions(role)


def own_actions(role: Role) -> list[str]:
    """The actions on the stack's bucket, ledger and queue."""
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

    # A stand-in that isn't needed is as wrong as a grant that isn't.
    assert unnoticed == [grant for grant in grants if grant.action in STAND_INS]
    assert [grant for grant in unnoticed if not STAND_INS[grant.action](role, grant)] == []


def test_emulator_still_delivers_without_the_grants_that_have_a_stand_in(situation: Situation) -> None:
    processor = situation.roles["processor"]
    rest = [grant for grant in processor.grants if grant.action not in STAND_INS]

    with processor.holding_only(rest):
        entry = situation.stack.entry_of(situation.stack.upload(f"{WATCHED}{uuid.uuid4()}.png", png()))

    assert entry["outcome"] == "ACCEPTED"


# What a function may call, and what it may not.


@dataclass(frozen=True, kw_only=True)
class Target:
    """A stack's resources, with an object version in its bucket, and another outside the upload prefix."""

    stack: DeployedStack
    roles: dict[str, Role]
    version: dict[str, str]
    unwatched: dict[str, str]

    @property
    def outputs(self) -> Mapping[str, Any]:
        return self.stack.outputs

    @property
    def bucket(self) -> dict[str, str]:
        return {"Bucket": self.stack.bucket}

    @property
    def object(self) -> dict[str, str]:
        return {**self.bucket, "Key": self.version["Key"]}

    @property
    def table(self) -> dict[str, str]:
        return {"TableName": self.outputs["ledger_table"]}

    @property
    def queue(self) -> dict[str, str]:
        return {"QueueUrl": self.outputs["queue_url"]}

    @property
    def function(self) -> dict[str, str]:
        return {"FunctionName": self.roles["reader"].function}

    @property
    def logs(self) -> dict[str, str]:
        return {"logGroupName": self.outputs["log_groups"]["reader"]}

    @property
    def form_prefix(self) -> str:
        return f"{self.outputs['upload_prefix']}uploads/"


def target_of(stack: DeployedStack) -> Target:
    s3 = stack.administrator.client("s3")

    def kept(key: str) -> dict[str, str]:
        at: dict[str, Any] = {"Bucket": stack.bucket, "Key": key}
        return {**at, "VersionId": s3.put_object(**at, Body=png())["VersionId"]}

    with events_lost(stack):
        watched, unwatched = kept(f"{stack.outputs['upload_prefix']}kept.png"), kept("unwatched/kept.png")
    return Target(stack=stack, roles=roles_of(stack), version=watched, unwatched=unwatched)


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
"""No receipt of other tests on the stack has it, since items under it can't be read as entries."""

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
UPDATE: dict[str, Any] = {
    "UpdateExpression": "SET size_bytes = :value",
    "ExpressionAttributeValues": {":value": {"N": "1"}},
}


class Call(NamedTuple):
    """A call to AWS, and the functions of the stack that may make it."""

    service: str
    operation: str
    parameters: Callable[[Target], dict[str, Any]]
    by: tuple[str, ...] = ()


CALLS = {
    "read an object version": Call("s3", "get_object", lambda at: at.version, ("processor",)),
    "read an object version outside the upload prefix": Call("s3", "get_object", lambda at: at.unwatched),
    "read whatever is the latest object": Call("s3", "get_object", lambda at: at.object),
    "put an object under the form prefix": Call(
        "s3",
        "put_object",
        lambda at: at.bucket | {"Key": f"{at.form_prefix}{uuid.uuid4()}", "Body": b"x"},
        ("upload_forms",),
    ),
    "put an object elsewhere": Call("s3", "put_object", lambda at: at.object | {"Body": b"x"}),
    "put an object beside the form prefix": Call(
        "s3", "put_object", lambda at: at.bucket | {"Key": f"{at.form_prefix.rstrip('/')}-2/x", "Body": b"x"}
    ),
    "delete an object": Call("s3", "delete_object", lambda at: at.object),
    "delete an object version": Call("s3", "delete_object", lambda at: at.version),
    "list the bucket": Call("s3", "list_objects_v2", lambda at: at.bucket, ("processor",)),
    "list the versions in the bucket": Call(
        "s3", "list_object_versions", lambda at: at.bucket, ("processor",)
    ),
    "open the bucket by a policy": Call("s3", "put_bucket_policy", lambda at: at.bucket | {"Policy": "{}"}),
    "stop the bucket's events": Call(
        "s3",
        "put_bucket_notification_configuration",
        lambda at: at.bucket | {"NotificationConfiguration": {}},
    ),
    "suspend versioning": Call(
        "s3",
        "put_bucket_versioning",
        lambda at: at.bucket | {"VersioningConfiguration": {"Status": "Suspended"}},
    ),
    "get an entry": Call(
        "dynamodb", "get_item", lambda at: at.table | {"Key": KEY}, ("processor", "upload_forms")
    ),
    "query the ledger by fingerprint": Call(
        "dynamodb", "query", lambda at: at.table | BY_FINGERPRINT, ("reader",)
    ),
    "query the ledger by time": Call(
        "dynamodb", "query", lambda at: at.table | BY_TIME, ("processor", "reader")
    ),
    "scan the ledger": Call("dynamodb", "scan", lambda at: at.table),
    "scan the time index": Call("dynamodb", "scan", lambda at: at.table | {"IndexName": TIME_INDEX}),
    "get entries in a batch": Call(
        "dynamodb",
        "batch_get_item",
        lambda at: {"RequestItems": {at.table["TableName"]: {"Keys": [KEY]}}},
        ("reader",),
    ),
    "insert an entry": Call(
        "dynamodb",
        "put_item",
        lambda at: at.table | {"Item": KEY | {"entry": {"S": "TEST"}}},
        ("processor",),
    ),
    "update an entry": Call("dynamodb", "update_item", lambda at: at.table | {"Key": KEY} | UPDATE),
    "delete an entry": Call("dynamodb", "delete_item", lambda at: at.table | {"Key": KEY}),
    "write entries in a batch": Call(
        "dynamodb",
        "batch_write_item",
        lambda at: {"RequestItems": {at.table["TableName"]: [{"DeleteRequest": {"Key": KEY}}]}},
    ),
    "delete the ledger": Call("dynamodb", "delete_table", lambda at: at.table),
    "unprotect the ledger": Call(
        "dynamodb", "update_table", lambda at: at.table | {"DeletionProtectionEnabled": False}
    ),
    "take messages": Call(
        "sqs", "receive_message", lambda at: at.queue | {"VisibilityTimeout": 0}, ("processor",)
    ),
    "send a message": Call("sqs", "send_message", lambda at: at.queue | {"MessageBody": "{}"}),
    "send something again": Call(
        "sqs",
        "send_message",
        lambda at: {"QueueUrl": at.outputs["resend_queue_url"], "MessageBody": "{}"},
    ),
    "purge the queue": Call("sqs", "purge_queue", lambda at: at.queue),
    "take dead letters": Call(
        "sqs", "receive_message", lambda at: {"QueueUrl": at.outputs["dead_letter_queue_url"]}
    ),
    "call a function": Call("lambda", "invoke", lambda at: at.function),
    "change a function": Call(
        "lambda", "update_function_configuration", lambda at: at.function | {"Description": "x"}
    ),
    "widen a role": Call(
        "iam",
        "put_role_policy",
        lambda at: {"RoleName": at.roles["reader"].name, "PolicyName": "more", "PolicyDocument": "{}"},
    ),
    "take a role": Call(
        "sts",
        "assume_role",
        lambda at: {"RoleArn": at.roles["processor"].arn, "RoleSessionName": "test"},
    ),
    "read logs": Call("logs", "filter_log_events", lambda at: at.logs),
    "delete logs": Call("logs", "delete_log_group", lambda at: at.logs),
    "delete the API": Call(
        "apigatewayv2", "delete_api", lambda at: {"ApiId": at.outputs["api_url"].rpartition("/")[2]}
    ),
}


def is_refused(call: Call, aws: Aws, target: Target) -> bool:
    """Say whether IAM refuses a call. Any other error isn't about permissions and fails the test."""
    client: Any = aws.client(call.service)  # type: ignore[call-overload]
    try:
        getattr(client, call.operation)(**call.parameters(target))
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
@pytest.mark.parametrize("call", CALLS)
def test_function_can_only_make_its_own_calls(
    sessions: dict[str, Aws], own: Target, name: str, call: str
) -> None:
    assert is_refused(CALLS[call], sessions[name], own) is (name not in CALLS[call].by)


@pytest.mark.claim(
    "no function can do anything to another stack in the same account", section="Least privilege"
)
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("call", CALLS)
def test_function_can_do_nothing_to_another_stack(
    sessions: dict[str, Aws], foreign: Target, name: str, call: str
) -> None:
    assert is_refused(CALLS[call], sessions[name], foreign)


@pytest.mark.claim(
    "no user can assume a function's role, not even an administrator", section="Least privilege"
)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_user_cannot_assume_a_role(own: Target, name: str) -> None:
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    user = new_user(own.stack, {"Version": "2012-10-17", "Statement": [everything]})
    administrator = own.stack.emulator.seen_by(user)
    try:
        with pytest.raises(ClientError, match="AccessDenied"):
            administrator.client("sts").assume_role(RoleArn=own.roles[name].arn, RoleSessionName="test")
    finally:
        administrator.close()
