"""The AWS provider as the engine calls it, one message at a time. Needs no CLI."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2

from local import LocalError
from local.aws import Aws
from local.emulator.process import running_emulator
from local.engine.aws_plugin import CA_BUNDLE, ENDPOINT, KEY, KEY_ID, AwsPlugin, embedded_aws
from local.property_values import CONFIDENTIAL, SIGNATURE, UNKNOWN, from_struct, to_struct
from local.provider import provider
from tests.local.account import inventory

LOG_GROUP, BUCKET = "aws:cloudwatch/logGroup:LogGroup", "aws:s3/bucket:Bucket"


class RefusedError(Exception):
    """How a call ends that the plugin refuses."""


class Context:
    """What gRPC hands over with a call."""

    def abort(self, code: grpc.StatusCode, details: str) -> None:
        assert code is grpc.StatusCode.FAILED_PRECONDITION
        raise RefusedError(details)


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    with running_emulator() as emulator:
        yield emulator.administrator


@pytest.fixture(scope="module")
def environment(aws: Aws) -> dict[str, str]:
    return {
        ENDPOINT: aws.endpoint_url,
        CA_BUNDLE: str(aws.ca_bundle),
        KEY_ID: aws.key.id,
        KEY: aws.key.secret,
    }


@pytest.fixture(scope="module")
def plugin(environment: dict[str, str]) -> AwsPlugin:
    made = AwsPlugin(environment)
    configure(made, region="us-east-1")
    return made


def configure(plugin: AwsPlugin, **settings: Any) -> Any:
    return plugin.Configure(provider_pb2.ConfigureRequest(args=to_struct(settings)), Context())


def urn(type_: str, name: str = "it") -> str:
    return f"urn:pulumi:local::bill-e::bill-e:index:BillE${type_}::{name}"


def create(plugin: AwsPlugin, type_: str, properties: dict[str, Any], *, preview: bool = False) -> Any:
    request = provider_pb2.CreateRequest(urn=urn(type_), properties=to_struct(properties), preview=preview)
    return plugin.Create(request, Context())


def confidential(value: Any) -> dict[str, Any]:
    return {SIGNATURE: CONFIDENTIAL, "value": value}


def test_preview_of_a_create_makes_nothing_and_keeps_what_is_not_known(plugin: AwsPlugin, aws: Aws) -> None:
    before = inventory(aws)

    planned = create(plugin, LOG_GROUP, {"name": "planned", "kmsKeyId": UNKNOWN}, preview=True)

    assert planned.id == ""
    assert from_struct(planned.properties) == {"name": "planned", "kmsKeyId": UNKNOWN}
    assert inventory(aws) == before


def test_create_with_something_unknown_is_refused_and_names_it(plugin: AwsPlugin) -> None:
    with pytest.raises(RefusedError, match=f"{LOG_GROUP} 'it': kmsKeyId is not known"):
        create(plugin, LOG_GROUP, {"name": "unknown", "kmsKeyId": UNKNOWN})


def test_secrets_reach_aws_in_plain_and_the_engine_as_secrets(plugin: AwsPlugin, aws: Aws) -> None:
    inputs = {"name": "secretive", "retentionInDays": confidential(7.0)}

    made = create(plugin, LOG_GROUP, inputs)

    (group,) = aws.client("logs").describe_log_groups(logGroupNamePrefix="secretive")["logGroups"]
    assert group["retentionInDays"] == 7
    assert from_struct(made.properties)["retentionInDays"] == confidential(7.0)
    read = plugin.Read(
        provider_pb2.ReadRequest(
            id=made.id, urn=urn(LOG_GROUP), inputs=to_struct(inputs), properties=made.properties
        ),
        Context(),
    )
    assert from_struct(read.inputs) == inputs


def test_refresh_tells_what_changed_and_what_is_gone(plugin: AwsPlugin, aws: Aws) -> None:
    inputs = {"name": "drifting", "retentionInDays": 7.0}
    made = create(plugin, LOG_GROUP, inputs)
    request = provider_pb2.ReadRequest(
        id=made.id, urn=urn(LOG_GROUP), inputs=to_struct(inputs), properties=made.properties
    )
    aws.client("logs").put_retention_policy(logGroupName="drifting", retentionInDays=1)

    drifted = plugin.Read(request, Context())
    aws.client("logs").delete_log_group(logGroupName="drifting")
    gone = plugin.Read(request, Context())

    assert from_struct(drifted.inputs)["retentionInDays"] == 1
    assert from_struct(drifted.properties)["arn"] == from_struct(made.properties)["arn"]
    assert gone.id == ""


def test_import_of_a_resource_is_refused(plugin: AwsPlugin) -> None:
    with pytest.raises(RefusedError, match="importing an existing resource is not possible"):
        plugin.Read(provider_pb2.ReadRequest(id="there", urn=urn(BUCKET)), Context())


@pytest.mark.parametrize(
    ("type_", "inputs", "words"),
    [
        ("aws:ec2/vpc:Vpc", {}, "does not know this resource type"),
        (BUCKET, {"acceleration": "Enabled"}, "would not apply acceleration"),
    ],
)
def test_type_or_input_that_is_not_known_is_refused_in_a_preview_as_well(
    plugin: AwsPlugin, type_: str, inputs: dict[str, Any], words: str
) -> None:
    checked = plugin.Check(provider_pb2.CheckRequest(urn=urn(type_), news=to_struct(inputs)), Context())

    (failure,) = checked.failures
    assert words in failure.reason


@pytest.mark.parametrize(
    ("old", "new", "diffs", "replaces"),
    [
        ({"name": "g", "retentionInDays": 7}, {"name": "g", "retentionInDays": 7}, [], []),
        ({"name": "g", "retentionInDays": 7}, {"name": "g"}, ["retentionInDays"], []),
        ({"name": "g"}, {"name": "h"}, ["name"], ["name"]),
        ({"name": "g"}, {"name": "g", "kmsKeyId": UNKNOWN}, ["kmsKeyId"], []),
        ({"name": "g"}, {"name": confidential("g")}, [], []),
    ],
)
def test_diff_names_what_changed_and_what_it_takes(
    plugin: AwsPlugin, old: dict[str, Any], new: dict[str, Any], diffs: list[str], replaces: list[str]
) -> None:
    request = provider_pb2.DiffRequest(urn=urn(LOG_GROUP), old_inputs=to_struct(old), news=to_struct(new))

    found = plugin.Diff(request, Context())

    assert (list(found.diffs), list(found.replaces)) == (diffs, replaces)
    assert set(found.detailedDiff) == set(diffs)


def test_diff_tells_what_is_added_removed_and_changed_and_what_takes_another_resource(
    plugin: AwsPlugin,
) -> None:
    kind = provider_pb2.PropertyDiff
    old = {"retentionInDays": 7, "skipDestroy": True, "name": "g"}
    new = {"retentionInDays": 30, "kmsKeyId": "key", "name": "h", "namePrefix": "h-"}

    found = plugin.Diff(
        provider_pb2.DiffRequest(urn=urn(LOG_GROUP), old_inputs=to_struct(old), news=to_struct(new)),
        Context(),
    )

    assert {name: each.kind for name, each in found.detailedDiff.items()} == {
        "retentionInDays": kind.UPDATE,
        "skipDestroy": kind.DELETE,
        "kmsKeyId": kind.ADD,
        "name": kind.UPDATE_REPLACE,
        "namePrefix": kind.ADD_REPLACE,
    }


def test_refresh_drops_what_aws_no_longer_has(plugin: AwsPlugin, aws: Aws) -> None:
    inputs = {"name": "losing", "retentionInDays": 7.0}
    made = create(plugin, LOG_GROUP, inputs)
    aws.client("logs").delete_retention_policy(logGroupName="losing")

    read = plugin.Read(
        provider_pb2.ReadRequest(
            id=made.id, urn=urn(LOG_GROUP), inputs=to_struct(inputs), properties=made.properties
        ),
        Context(),
    )

    assert "retentionInDays" not in from_struct(read.inputs)
    assert "retentionInDays" not in from_struct(read.properties)
    assert "arn" in from_struct(read.properties)


def test_fault_of_the_provider_is_one_sentence_that_names_the_resource(
    plugin: AwsPlugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("Enabled")

    for operation in ("create", "read", "update", "delete"):
        monkeypatch.setattr(provider, operation, fail)
    group: dict[str, Any] = {"id": "g", "urn": urn(LOG_GROUP)}
    calls: list[Callable[[], Any]] = [
        lambda: create(plugin, LOG_GROUP, {"name": "g"}),
        lambda: plugin.Read(provider_pb2.ReadRequest(**group, inputs=to_struct({"name": "g"})), Context()),
        lambda: plugin.Update(provider_pb2.UpdateRequest(**group), Context()),
        lambda: plugin.Delete(provider_pb2.DeleteRequest(**group), Context()),
    ]

    for call in calls:
        with pytest.raises(RefusedError, match=f"^{LOG_GROUP} 'it': KeyError: 'Enabled'$"):
            call()


def test_update_keeps_what_aws_decided_and_drops_what_was_taken_back(plugin: AwsPlugin) -> None:
    old, new = {"name": "updated", "retentionInDays": 7.0}, {"name": "updated", "tags": {"team": "audit"}}
    made = create(plugin, LOG_GROUP, old)
    request: dict[str, Any] = {
        "id": made.id,
        "urn": urn(LOG_GROUP),
        "old_inputs": to_struct(old),
        "olds": made.properties,
        "news": to_struct(new),
    }
    arn = from_struct(made.properties)["arn"]
    for preview in (True, False):
        updated = plugin.Update(provider_pb2.UpdateRequest(**request, preview=preview), Context())
        assert from_struct(updated.properties) == {**new, "arn": arn}


def test_account_that_is_not_allowed_is_refused(environment: dict[str, str]) -> None:
    plugin = AwsPlugin(environment)
    for allowed in ('["111122223333"]', "[111122223333]", ["111122223333"]):
        with pytest.raises(RefusedError, match=r"AWS account 000000000000 is not allowed; .*: 111122223333"):
            configure(plugin, region="us-east-1", allowedAccountIds=allowed)
    configure(plugin, region="us-east-1", allowedAccountIds='["111122223333", "000000000000"]')


def test_region_has_to_be_set(environment: dict[str, str]) -> None:
    with pytest.raises(RefusedError, match="aws:region is not set: pulumi config set aws:region us-east-1"):
        configure(AwsPlugin(environment))


def test_nothing_is_done_before_it_is_configured(environment: dict[str, str]) -> None:
    with pytest.raises(RefusedError, match="the provider was not configured"):
        create(AwsPlugin(environment), LOG_GROUP, {"name": "early"})


@pytest.mark.parametrize("missing", [ENDPOINT, CA_BUNDLE, KEY_ID, KEY])
def test_missing_variable_is_named(environment: dict[str, str], missing: str) -> None:
    with pytest.raises(LocalError, match=missing):
        embedded_aws({name: value for name, value in environment.items() if name != missing}, "us-east-1")


@pytest.mark.parametrize("url", ["https://s3.amazonaws.com", "https://10.0.0.1:4566", "127.0.0.1:4566"])
def test_endpoint_elsewhere_is_refused(environment: dict[str, str], url: str) -> None:
    with pytest.raises(LocalError, match=r"allowed: an address on 127\.0\.0\.1"):
        embedded_aws({**environment, ENDPOINT: url}, "us-east-1")
