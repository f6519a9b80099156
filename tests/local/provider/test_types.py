"""Every type of the provider's table: made, read, changed, taken back, changed by hand, deleted."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import pytest

from local import LocalError
from local.provider import provider
from local.provider.archives import zip_bytes
from local.provider.provider import RESOURCE_TYPES
from local.provider.resource_types import ANY, Existing
from tests.local.account import Account, code, inventory, policy
from tests.local.provider.cases import CASES, TAGS, Case, Inputs, notified, set_queue, table_inputs
from tests.local.refusing_aws import REFUSAL, RefusingAws

every_type = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])


def read(account: Account, case: Case, resource: Existing) -> dict[str, Any] | None:
    found = provider.read(account.aws, case.type, resource)
    return None if found is None else dict(found)


def updated(account: Account, case: Case, resource: Existing, inputs: Inputs) -> Existing:
    outputs = provider.update(account.aws, case.type, case.name, resource, inputs)
    return Existing(id=resource.id, inputs=inputs, outputs={**resource.outputs, **inputs, **outputs})


def test_cases_cover_every_type() -> None:
    assert sorted(case.type for case in CASES) == sorted(RESOURCE_TYPES)


@every_type
def test_cases_give_every_input(case: Case, account: Account) -> None:
    """Otherwise, an input could be added to the table that no test tries."""
    given = {*case.inputs(account), *case.changed(account)}

    assert set(RESOURCE_TYPES[case.type].properties) - given <= NAMES | RETENTION


NAMES = {"bucket", "name", "namePrefix", "statementId"}
"""The names of new resources, which `test_table.py` tries."""

RETENTION = {"logGroupClass", "skipDestroy"}
"""What `test_deletion.py` tries."""


@pytest.fixture(scope="module")
def refusing(account: Account) -> RefusingAws:
    return RefusingAws.like(account.aws)


@every_type
def test_create_that_fails_at_any_of_its_calls_leaves_nothing(
    case: Case, account: Account, refusing: RefusingAws
) -> None:
    inputs = {**case.inputs(account), **PROTECTED.get(case.type, {})}
    before = inventory(account.aws)

    for number in itertools.count(1):
        refusing.countdown.calls = number
        made = created_or_refused(refusing, case, inputs)
        if refusing.countdown.calls > 0:
            break
        if made is not None:  # the refused call was not needed
            provider.delete(account.aws, case.type, made)
        assert inventory(account.aws) == before

    now = inventory(account.aws)
    assert {type_ for type_ in now if now[type_] != before.get(type_)} <= {case.type}
    assert len(set(now.get(case.type, [])) - set(before.get(case.type, []))) <= 1
    assert number > 1


def created_or_refused(refusing: RefusingAws, case: Case, inputs: Inputs) -> Existing | None:
    try:
        created = provider.create(refusing, case.type, "refused", inputs)
    except LocalError as error:
        if REFUSAL in str(error):
            return None
        raise
    return Existing(id=created.id, inputs=inputs, outputs={**inputs, **created.outputs})


PROTECTED = {"aws:dynamodb/table:Table": {"deletionProtectionEnabled": True}}
"""Inputs that make a resource harder to delete."""


@every_type
def test_what_was_just_made_is_read_as_it_is_written(case: Case, account: Account) -> None:
    resource = account.make(case.type, case.inputs(account))

    assert read(account, case, resource) == resource.inputs


@every_type
def test_update_in_place_is_applied(case: Case, account: Account) -> None:
    resource = account.make(case.type, case.inputs(account))
    changed = case.changed(account)
    inputs = {name: value for name, value in {**resource.inputs, **changed}.items() if value is not None}
    assert provider.replaced_by(case.type, changed) == []

    now = updated(account, case, resource, inputs)

    assert read(account, case, now) == inputs
    # What was read comes from AWS: compared with the old inputs, it is a difference.
    beside_old = read(account, case, dataclasses.replace(now, inputs=resource.inputs))
    assert differing(beside_old, resource.inputs) == visible(case, resource, changed)


def differing(found: Inputs | None, written: Inputs) -> set[str]:
    assert found is not None
    return {name for name in {*found, *written} if found.get(name) != written.get(name)}


def visible(case: Case, resource: Existing, changed: Inputs) -> set[str]:
    """The changed inputs that AWS returns. What it would otherwise decide on counts only if it was given."""
    decided = {name for name, default in RESOURCE_TYPES[case.type].defaults.items() if default is ANY}
    kept_here = {"code", "deletionWindowInDays", "forceDestroy"}
    return set(changed) - (decided - set(resource.inputs)) - kept_here


@every_type
def test_input_that_is_taken_back_gets_its_default(case: Case, account: Account) -> None:
    resource = account.make(case.type, case.inputs(account))
    fewer = {name: value for name, value in resource.inputs.items() if name not in case.optional}

    now = updated(account, case, resource, fewer)

    assert read(account, case, now) == fewer


@every_type
def test_change_by_hand_is_read_and_repaired(case: Case, account: Account) -> None:
    resource = account.make(case.type, case.inputs(account))

    case.drift(account.aws, resource)
    found = read(account, case, resource)

    if not case.drifted:
        assert found is None
        return
    assert found is not None
    assert differing(found, resource.inputs) == set(case.drifted)
    if not provider.replaced_by(case.type, case.drifted):
        drifted = dataclasses.replace(resource, inputs=found)
        repaired = updated(account, case, drifted, resource.inputs)
        assert read(account, case, repaired) == resource.inputs


@every_type
def test_deleted_resource_is_gone_and_can_be_deleted_again(case: Case, account: Account) -> None:
    resource = account.make(case.type, case.inputs(account))

    provider.delete(account.aws, case.type, resource)
    provider.delete(account.aws, case.type, resource)

    found = read(account, case, resource)
    if case.left:
        assert differing(found, resource.inputs) == set(case.left)
    else:
        assert found is None


LIFECYCLE = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
NOTIFICATION = "aws:s3/bucketNotification:BucketNotification"


@pytest.mark.parametrize(
    ("added", "found"),
    [
        (
            {"Transitions": [{"Days": 30, "StorageClass": "GLACIER"}]},
            {"transitions": [{"days": 30, "storageClass": "GLACIER"}]},
        ),
        (
            {"NoncurrentVersionTransitions": [{"NoncurrentDays": 30, "StorageClass": "GLACIER"}]},
            {"noncurrentVersionTransitions": [{"noncurrentDays": 30, "storageClass": "GLACIER"}]},
        ),
        (
            {"Expiration": {"Date": "2100-01-01T00:00:00Z"}},
            {"expiration": {"date": "2100-01-01T00:00:00+00:00"}},
        ),
        ({"Filter": {"ObjectSizeGreaterThan": 1000}}, {"filter": {"objectSizeGreaterThan": 1000}}),
    ],
    ids=["transitions", "transitions of old versions", "date", "filter"],
)
def test_what_somebody_added_to_a_lifecycle_rule_is_read_and_repaired(
    account: Account, added: dict[str, Any], found: dict[str, Any]
) -> None:
    rule = {"id": "abort", "status": "Enabled", "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7}}
    lifecycle = account.make(LIFECYCLE, {"bucket": account.bucket(), "rules": [rule]})
    by_hand: Any = {
        "ID": "abort",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        **added,
    }
    account.aws.client("s3").put_bucket_lifecycle_configuration(
        Bucket=lifecycle.id, LifecycleConfiguration={"Rules": [by_hand]}
    )

    now = provider.read(account.aws, LIFECYCLE, lifecycle)

    assert now == {**lifecycle.inputs, "rules": [{**rule, **found}]}
    drifted = dataclasses.replace(lifecycle, inputs=now)
    provider.update(account.aws, LIFECYCLE, "rules", drifted, lifecycle.inputs)
    assert provider.read(account.aws, LIFECYCLE, lifecycle) == lifecycle.inputs


def test_targets_that_somebody_added_to_a_notification_are_read_and_removed(account: Account) -> None:
    notification = account.make(NOTIFICATION, {"bucket": account.bucket(), "queues": [notified(account)]})
    function, topic = account.function(), account.topic()
    account.aws.client("sns").set_topic_attributes(
        TopicArn=topic,
        AttributeName="Policy",
        AttributeValue=policy(
            Principal={"Service": "s3.amazonaws.com"}, Action="sns:Publish", Resource=topic
        ),
    )
    account.make(
        "aws:lambda/permission:Permission",
        {"action": "lambda:InvokeFunction", "function": function.id, "principal": "s3.amazonaws.com"},
    )
    s3, removed = account.aws.client("s3"), ["s3:ObjectRemoved:*"]
    configured: Any = s3.get_bucket_notification_configuration(Bucket=notification.id)
    configured.pop("ResponseMetadata")
    arn = function.outputs["arn"]
    by_hand: Any = {
        **configured,
        "EventBridgeConfiguration": {},
        "LambdaFunctionConfigurations": [{"Id": "f", "LambdaFunctionArn": arn, "Events": removed}],
        "TopicConfigurations": [{"Id": "t", "TopicArn": topic, "Events": removed}],
    }
    s3.put_bucket_notification_configuration(Bucket=notification.id, NotificationConfiguration=by_hand)

    now = provider.read(account.aws, NOTIFICATION, notification)

    assert now == {
        **notification.inputs,
        "eventbridge": True,
        "lambdaFunctions": [{"id": "f", "lambdaFunctionArn": arn, "events": removed}],
        "topics": [{"id": "t", "topicArn": topic, "events": removed}],
    }
    drifted = dataclasses.replace(notification, inputs=now)
    provider.update(account.aws, NOTIFICATION, "events", drifted, notification.inputs)
    assert provider.read(account.aws, NOTIFICATION, notification) == notification.inputs


def test_bucket_that_the_account_has_already_is_refused_and_stays(account: Account) -> None:
    """In us-east-1, S3 answers a second creation as it did the first one."""
    bucket = account.make(BUCKET, {"bucket": "made-once", "tags": TAGS})

    with pytest.raises(LocalError, match="the account has a bucket 'made-once'"):
        account.make(BUCKET, {"bucket": "made-once"})

    assert provider.read(account.aws, BUCKET, bucket) == bucket.inputs


def test_bucket_is_in_the_region_of_the_provider(account: Account) -> None:
    in_frankfurt = Account(aws=dataclasses.replace(account.aws, region="eu-central-1"))

    bucket = in_frankfurt.make(BUCKET, {})

    found = account.aws.client("s3").get_bucket_location(Bucket=bucket.id)
    assert found["LocationConstraint"] == bucket.outputs["bucketRegion"] == "eu-central-1"


def test_event_source_mapping_that_is_being_deleted_is_gone(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lambda takes minutes to delete a mapping; the emulator takes no time."""
    inputs = {"eventSourceArn": account.queue_arn(), "functionName": account.function().id}
    mapping = account.make(MAPPING, inputs)
    functions = account.aws.client("lambda")
    found = functions.get_event_source_mapping(UUID=mapping.id)
    monkeypatch.setattr(functions, "get_event_source_mapping", lambda **_: {**found, "State": "Deleting"})

    assert provider.read(account.aws, MAPPING, mapping) is None


BUCKET = "aws:s3/bucket:Bucket"
FUNCTION = "aws:lambda/function:Function"
MAPPING = "aws:lambda/eventSourceMapping:EventSourceMapping"
QUEUE = "aws:sqs/queue:Queue"
TABLE = "aws:dynamodb/table:Table"


def test_code_that_somebody_else_uploaded_is_read_and_replaced(account: Account) -> None:
    function = account.function()
    functions = account.aws.client("lambda")
    uploaded = functions.update_function_code(
        FunctionName=function.id, ZipFile=zip_bytes(code("def handler(event, context): return 'foreign'"))
    )
    functions.get_waiter("function_updated_v2").wait(FunctionName=function.id)

    found = provider.read(account.aws, FUNCTION, function)
    assert found == {name: value for name, value in function.inputs.items() if name != "code"}
    drifted = dataclasses.replace(function, inputs=found)
    outputs = provider.update(account.aws, FUNCTION, "function", drifted, function.inputs)

    assert outputs["codeSha256"] == function.outputs["codeSha256"] != uploaded["CodeSha256"]
    assert provider.read(account.aws, FUNCTION, function) == function.inputs


def test_code_that_the_function_has_is_not_uploaded_again(account: Account) -> None:
    function = account.function()
    requests = recorded(account, "lambda", "UpdateFunctionCode")

    provider.update(
        account.aws, FUNCTION, "function", function, {**function.inputs, "code": code(), "tags": TAGS}
    )

    assert requests == []


def test_index_changes_its_throughput_in_place_and_is_built_anew_for_another_projection(
    account: Account,
) -> None:
    table = account.make(TABLE, table_inputs(account))
    (index,) = table.inputs["globalSecondaryIndexes"]
    requests = recorded(account, "dynamodb", "UpdateTable")

    limit = {"maxReadRequestUnits": 20, "maxWriteRequestUnits": 20}
    inputs = {**table.inputs, "globalSecondaryIndexes": [{**index, "onDemandThroughput": limit}]}
    provider.update(account.aws, TABLE, "table", table, inputs)
    assert [list(one) for one in index_updates(requests)] == [["Update"]]

    requests.clear()
    inputs = {**table.inputs, "globalSecondaryIndexes": [{**index, "projectionType": "KEYS_ONLY"}]}
    provider.update(account.aws, TABLE, "table", table, inputs)
    assert [list(one) for one in index_updates(requests)] == [["Delete"], ["Create"]]


def index_updates(requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [update for request in requests for update in request["GlobalSecondaryIndexUpdates"]]


def test_update_leaves_alone_what_the_program_did_not_change(account: Account) -> None:
    queue = account.queue(visibilityTimeoutSeconds=60, delaySeconds=1)
    set_queue(VisibilityTimeout="5")(account.aws, queue)

    provider.update(account.aws, QUEUE, "queue", queue, {**queue.inputs, "delaySeconds": 2})

    assert provider.read(account.aws, QUEUE, queue) == {"visibilityTimeoutSeconds": 5, "delaySeconds": 2}


def recorded(account: Account, service: str, operation: str) -> list[dict[str, Any]]:
    """A list that grows by the parameters of every call of an operation."""
    requests: list[dict[str, Any]] = []

    def record(params: dict[str, Any], **_: object) -> None:
        requests.append(params)

    client: Any = account.aws.client(service)  # type: ignore[call-overload]
    client.meta.events.register(f"before-parameter-build.{service}.{operation}", record)
    return requests


def test_function_is_ready_when_its_update_is_over(account: Account) -> None:
    function = account.function()

    provider.update(
        account.aws,
        FUNCTION,
        "function",
        function,
        {**function.inputs, "timeout": 9, "code": code("def handler(event, context): return 'new'")},
    )

    functions = account.aws.client("lambda")
    found = functions.get_function_configuration(FunctionName=function.id)
    assert (found["State"], found["LastUpdateStatus"]) == ("Active", "Successful")
