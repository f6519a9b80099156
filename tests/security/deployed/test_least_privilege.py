"""A function's role has every grant that it needs, since something fails without it, and no others."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
from botocore.exceptions import ClientError

from functions.contract.entry import format_time
from functions.contract.reconciliation import BEGIN_WITH_AGE, PROGRESS_FOLDER
from functions.contract.schema import OPERATOR_VIEW, RECONCILER_VIEW, TIME_INDEX
from functions.contract.sealing import TILE_FOLDER
from functions.reconciler.progress import BACKED, ENTRIES, Progress, Round
from local.aws import Aws
from local.in_process.events import s3_event
from local.queues import depth
from tests.functions.examples import failed, sqs_batch, upload
from tests.local.eventually import eventually
from tests.local.stack import DeployedStack, Object, declared, events_lost, png
from tests.local.test_access import new_user
from tests.security.deployed.conftest import WATCHED
from tests.security.deployed.roles import FUNCTIONS, Grant, Role, roles_of

NOW = format_time(datetime.now(UTC))


def progress_bucket(reconciler: Role) -> str:
    return str(reconciler.configuration["Environment"]["Variables"]["PROGRESS_BUCKET"])


@dataclass(frozen=True, kw_only=True)
class Situation:
    """A stack with one receipt in its ledger, of these bytes, that was then deleted from its bucket."""

    stack: DeployedStack
    roles: dict[str, Role]
    deleted: Object
    content: bytes

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

    @property
    def reconciler(self) -> Role:
        return self.roles["reconciler"]

    def reconciled(self, *, begin: bool) -> dict[str, Any]:
        """Invoke the reconciler, and return what it says; nothing, if it fails."""
        queues = ("queue_url", "resend_queue_url")
        eventually("queues are empty", lambda: not any(depth(self.stack, queue).total for queue in queues))
        answer = self.stack.administrator.client("lambda").invoke(
            FunctionName=self.reconciler.function,
            Payload=json.dumps({BEGIN_WITH_AGE: 0} if begin else {}).encode(),
        )
        told: dict[str, Any] = json.loads(answer["Payload"].read())
        return {} if "FunctionError" in answer else told

    def set_progress(self, round_: Round | None) -> None:
        """Let the reconciler go on with a round; whatever an invocation that failed had claimed is free."""
        progress = Progress(complete_since=NOW, round=round_)
        self.keep("progress.json", json.dumps(asdict(progress)).encode())

    def keep(self, name: str, content: bytes) -> str:
        """Write to the reconciler's folder as it does, and return the version id."""
        bucket, key = progress_bucket(self.reconciler), f"{PROGRESS_FOLDER}{name}"
        s3 = self.stack.administrator.client("s3")
        return s3.put_object(Bucket=bucket, Key=key, Body=content)["VersionId"]

    def upload_unnoticed(self, content: bytes | None = None) -> Object:
        """Upload an object of which the processor gets no event."""
        with events_lost(self.stack):
            return self.stack.upload(f"{WATCHED}{uuid.uuid4()}.png", content or png())

    def delete(self, uploaded: Object) -> None:
        """Delete an object version for good."""
        self.stack.administrator.client("s3").delete_object(
            Bucket=self.stack.bucket, Key=uploaded.key, VersionId=uploaded.version_id
        )


@pytest.fixture(scope="module")
def situation(stack: DeployedStack) -> Situation:
    content = png()
    receipt = stack.upload(f"{WATCHED}deleted.png", content)
    stack.entry_of(receipt)
    situation = Situation(stack=stack, roles=roles_of(stack), deleted=receipt, content=content)
    situation.delete(receipt)
    stack.seal()
    return situation


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


def lost_receipt_is_restored(situation: Situation) -> bool:
    uploaded = situation.upload_unnoticed(situation.content)
    is_settled = situation.settled(uploaded)
    situation.delete(uploaded)
    return is_settled and any(
        entry["version_id"] == uploaded.version_id and entry["restores"]
        for entry in situation.stack.entries(outcome="DUPLICATE")
    )


def ledger_is_listed(situation: Situation) -> bool:
    return situation.stack.get("/receipts").status == 200


def receipt_is_shown(situation: Situation) -> bool:
    return situation.stack.get(f"/receipts/{situation.deleted.fingerprint}").status == 200


def receipt_is_looked_up(situation: Situation) -> bool:
    wanted = {"fingerprints": [situation.deleted.fingerprint]}
    return situation.stack.call("POST", "/receipts/lookup", body=wanted).status == 200


def log_is_served(situation: Situation) -> bool:
    return situation.stack.get("/log/checkpoint").status == 200


def receipt_is_proven(situation: Situation) -> bool:
    return situation.stack.get(f"/receipts/{situation.deleted.fingerprint}/proof").status == 200


def file_that_the_log_lacks_is_not_there(situation: Situation) -> bool:
    return situation.stack.get("/log/tile/0/999").status == 404


def file_of_a_receipt_is_linked_to(situation: Situation) -> bool:
    content = png()
    uploaded = situation.stack.upload(f"{WATCHED}{uuid.uuid4()}.png", content)
    situation.stack.entry_of(uploaded)
    asked = f"/files/{uploaded.fingerprint}"
    for query in ({}, {"version": uploaded.version_id}):
        answer = situation.stack.call("GET", asked, query=query, signed_by=situation.stack.auditor.key)
        if answer.status != 200 or situation.stack.fetch(answer.json["url"]).content != content:
            return False
    return True


def lost_file_is_gone(situation: Situation) -> bool:
    asked = f"/files/{situation.deleted.fingerprint}"
    return situation.stack.call("GET", asked, signed_by=situation.stack.auditor.key).status == 410


def form_is_made_and_taken(situation: Situation) -> bool:
    content = png()
    form = situation.stack.call("POST", "/uploads", body=declared(content))
    return form.status == 201 and situation.stack.post_form(form.json, content).status == 204


def form_for_a_lost_receipt_is_made(situation: Situation) -> bool:
    return situation.stack.call("POST", "/uploads", body=declared(situation.content)).status == 201


def unnoticed_upload_is_sent_again(situation: Situation) -> bool:
    situation.upload_unnoticed()
    situation.set_progress(None)
    return bool(situation.reconciled(begin=True).get("sent"))


def round_is_continued(situation: Situation) -> bool:
    runs = {ENTRIES: [situation.keep("entries-0", bytes(32))], BACKED: []}
    begun = Round(began_at=NOW, age_seconds=0, queue_was_empty=True, may_send=False, ledger_key=None)
    situation.set_progress(replace(begun, runs=runs))
    return bool(situation.reconciled(begin=False).get("complete"))


def new_entry_is_sealed(situation: Situation) -> bool:
    uploaded = situation.upload_unnoticed()
    assert situation.settled(uploaded)
    return situation.stack.seal() > 0


NOTICED: dict[str, list[Callable[[Situation], bool]]] = {
    "file_links": [file_of_a_receipt_is_linked_to, lost_file_is_gone],
    "processor": [
        new_upload_is_recorded,
        resent_upload_is_recorded,
        event_of_a_recorded_and_deleted_upload_is_settled,
        lost_receipt_is_restored,
    ],
    "reader": [
        *(ledger_is_listed, receipt_is_shown, receipt_is_looked_up),
        *(log_is_served, receipt_is_proven, file_that_the_log_lacks_is_not_there),
    ],
    "reconciler": [unnoticed_upload_is_sent_again, round_is_continued],
    "sealer": [new_entry_is_sealed],
    "upload_forms": [form_is_made_and_taken, form_for_a_lost_receipt_is_made],
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
    read = (Grant(action="s3:GetObject", resource=f"{grant.resource}/{each}*") for each in ("", TILE_FOLDER))
    if any(each in role.grants for each in read):
        return True
    folders = (f"{grant.resource}/{folder}*" for folder in (WATCHED, PROGRESS_FOLDER))
    return any(Grant(action="s3:GetObjectVersion", resource=folder) in role.grants for folder in folders)


def decrypts_what_it_uses(role: Role, grant: Grant) -> bool:
    """Everything that a role reads needs `kms:Decrypt`, and so does a table or a queue that it writes to.

    The upload-forms function only asks for the headers of object versions, which needs no key.
    """
    used = {
        action.partition(":")[0]
        for action in own_actions(role)
        if action.startswith("dynamodb:") or action in {*READS_OBJECTS, *USES_MESSAGES}
    }
    only_asks = "s3:PutObject" in own_actions(role) and "s3:GetObject" not in own_actions(role)
    return set(services_of(grant)) == used - ({"s3"} if only_asks else set())


def encrypts_what_it_uploads(role: Role, grant: Grant) -> bool:
    writes = {"s3": "s3:PutObject", "sqs": "sqs:SendMessage"}
    (service,) = services_of(grant)
    return writes[service] in own_actions(role)


def own_actions(role: Role) -> list[str]:
    """The actions on what the customer's key encrypts: bucket, ledger and queues, but no access logs."""
    kept = ("dynamodb:", "s3:", "sqs:")
    return [
        grant.action for grant in role.grants if grant.action.startswith(kept) and not is_about_logs(grant)
    ]


READS_OBJECTS = ("s3:GetObject", "s3:GetObjectVersion")
USES_MESSAGES = ("sqs:ReceiveMessage", "sqs:SendMessage")


def is_about_logs(grant: Grant) -> bool:
    """Say whether a grant is about the bucket for access logs, where the reconciler keeps its progress."""
    return "-access-logs-" in grant.resource


def has_stand_in(name: str, grant: Grant) -> bool:
    """Say whether the emulator doesn't ask IAM. The reconciler makes some of these calls by itself."""
    if name == "reconciler" and grant.action in {"s3:ListBucketVersions", "sqs:GetQueueAttributes"}:
        return is_about_logs(grant)
    return grant.action in STAND_INS


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
    "every action of every function's role is needed: without it, an upload gets no entry, the API fails, "
    "the bucket isn't compared with the ledger, or no entry is sealed",
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
    assert unnoticed == [grant for grant in grants if has_stand_in(name, grant)]
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
    def logs_bucket(self) -> dict[str, str]:
        return {"Bucket": progress_bucket(self.roles["reconciler"])}

    @property
    def sealer(self) -> Mapping[str, str]:
        variables: Mapping[str, str] = self.roles["sealer"].configuration["Environment"]["Variables"]
        return variables

    @property
    def log_object(self) -> dict[str, str]:
        return {"Bucket": self.sealer["LOG_BUCKET"], "Key": "test"}

    @property
    def lock(self) -> dict[str, Any]:
        return {"TableName": self.sealer["LOCK_TABLE"], "Key": {"id": {"S": "test"}}}

    @property
    def to_sign(self) -> dict[str, Any]:
        return {
            "KeyId": self.sealer["SIGNING_KEY"],
            "Message": bytes(64),
            "MessageType": "RAW",
            "SigningAlgorithm": "ED25519_SHA_512",
        }

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


SEES_UPLOADS = ("processor", "upload_forms", "file_links")

CALLS = {
    "read an object version": Call("s3", "get_object", lambda at: at.version, SEES_UPLOADS),
    "ask about an object version": Call("s3", "head_object", lambda at: at.version, SEES_UPLOADS),
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
    "list the bucket": Call("s3", "list_objects_v2", lambda at: at.bucket, SEES_UPLOADS),
    "list the versions in the bucket": Call(
        "s3",
        "list_object_versions",
        lambda at: at.bucket,
        (*SEES_UPLOADS, "reconciler"),
    ),
    "see the bucket's events": Call(
        "s3", "get_bucket_notification_configuration", lambda at: at.bucket, ("reconciler",)
    ),
    "see the bucket's policy": Call("s3", "get_bucket_policy", lambda at: at.bucket, ("reconciler",)),
    "keep progress": Call(
        "s3",
        "put_object",
        lambda at: at.logs_bucket | {"Key": f"{PROGRESS_FOLDER}test", "Body": b"x"},
        ("reconciler",),
    ),
    "invent an access log": Call(
        "s3", "put_object", lambda at: at.logs_bucket | {"Key": "uploads/test", "Body": b"x"}
    ),
    "delete an access log": Call("s3", "delete_object", lambda at: at.logs_bucket | {"Key": "uploads/test"}),
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
        "dynamodb",
        "get_item",
        lambda at: at.table | {"Key": KEY},
        SEES_UPLOADS,
    ),
    "query the ledger by fingerprint": Call(
        "dynamodb",
        "query",
        lambda at: at.table | BY_FINGERPRINT,
        ("processor", "reader", "upload_forms", "file_links"),
    ),
    "query the ledger by time": Call(
        "dynamodb", "query", lambda at: at.table | BY_TIME, ("processor", "reader", "sealer")
    ),
    "scan which uploads have entries": Call(
        "dynamodb", "scan", lambda at: at.table | RECONCILER_VIEW, ("reconciler",)
    ),
    "scan as operators do": Call("dynamodb", "scan", lambda at: at.table | OPERATOR_VIEW),
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
    "write to the log": Call("s3", "put_object", lambda at: at.log_object | {"Body": b"x"}, ("sealer",)),
    "delete from the log": Call("s3", "delete_object", lambda at: at.log_object),
    "commit a tree": Call("dynamodb", "update_item", lambda at: at.lock | UPDATE, ("sealer",)),
    "delete the lock of the log": Call("dynamodb", "delete_item", lambda at: at.lock),
    "sign a message": Call("kms", "sign", lambda at: at.to_sign, ("sealer",)),
    "sign a digest": Call(
        "kms",
        "sign",
        lambda at: at.to_sign | {"MessageType": "DIGEST", "SigningAlgorithm": "ED25519_PH_SHA_512"},
    ),
    "delete the key of the log": Call(
        "kms", "schedule_key_deletion", lambda at: {"KeyId": at.sealer["SIGNING_KEY"]}
    ),
    "take messages": Call(
        "sqs", "receive_message", lambda at: at.queue | {"VisibilityTimeout": 0}, ("processor",)
    ),
    "send a message": Call("sqs", "send_message", lambda at: at.queue | {"MessageBody": "{}"}),
    "send something again": Call(
        "sqs",
        "send_message",
        lambda at: {"QueueUrl": at.outputs["resend_queue_url"], "MessageBody": "{}"},
        ("reconciler",),
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
        # The answer to a HEAD has no code.
        if error.response["Error"]["Code"] not in {"403", "AccessDenied", "AccessDeniedException"}:
            raise
        return True
    return False


@pytest.mark.claim(
    "under its role, a function can only make the calls that it needs: the reader can't write entries "
    "or read the bucket; the processor can't update, delete or scan entries; the upload-forms function can't "
    "put objects outside its form prefix; the file-links function can't write anything; the reconciler can't "
    "read uploads or see who uploaded them, and only writes to the resend queue and to its own folder; the "
    "sealer can't change an entry or delete anything, and only it writes to the log and signs it",
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


@pytest.mark.claim(
    "nobody but the sealer can sign for the log, not even an administrator", section="Least privilege"
)
def test_administrator_cannot_sign(own: Target) -> None:
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    user = new_user(own.stack, {"Version": "2012-10-17", "Statement": [everything]})
    administrator = own.stack.emulator.seen_by(user)
    try:
        kms = administrator.client("kms")
        with pytest.raises(ClientError, match="AccessDenied"):
            kms.sign(**own.to_sign)
        assert kms.get_public_key(KeyId=own.sealer["SIGNING_KEY"])["PublicKey"]
    finally:
        administrator.close()
