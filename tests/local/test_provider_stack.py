"""The real program's resources, all settings on: read as they were made, counted, and deleted in turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from local import provider
from local.aws import Aws
from local.emulator.process import running_emulator
from local.program import deploy
from local.provider import Created, Existing

CONFIG = {
    "bill-e:alarmEmail": "on-call@example.com",
    "bill-e:allowedOrigins": ["https://receipts.example.com"],
    "bill-e:apiAuth": "jwt",
    "bill-e:encryption": "customer-key",
    "bill-e:jwtAudience": ["bill-e"],
    "bill-e:jwtIssuer": "https://issuer.example.com",
    "bill-e:objectLockDays": 30,
}


@dataclass(frozen=True, kw_only=True)
class Made:
    type: str
    name: str
    resource: Existing


@dataclass(frozen=True, kw_only=True)
class DeployedProgram:
    aws: Aws
    before: dict[str, list[str]]
    resources: tuple[Made, ...]


@pytest.fixture(scope="module")
def program() -> Iterator[DeployedProgram]:
    resources: list[Made] = []
    create = provider.create

    def created(aws: Aws, type_: str, name: str, inputs: dict[str, Any]) -> Created:
        one = create(aws, type_, name, inputs)
        existing = Existing(id=one.id, inputs=inputs, outputs={**inputs, **one.outputs})
        resources.append(Made(type=type_, name=name, resource=existing))
        return one

    with running_emulator() as emulator, pytest.MonkeyPatch.context() as patch:
        before = provider.inventory(emulator.administrator)
        patch.setattr(provider, "create", created)
        deploy(emulator.administrator, config=CONFIG)
        yield DeployedProgram(aws=emulator.administrator, before=before, resources=tuple(resources))


def test_account_is_empty_at_first(program: DeployedProgram) -> None:
    assert program.before == {}


def test_inventory_has_what_was_made_once(program: DeployedProgram) -> None:
    found = provider.inventory(program.aws)

    made = Counter(one.type for one in program.resources)
    assert {type_: len(ids) for type_, ids in found.items()} == {
        type_: count for type_, count in made.items() if type_ in found
    }
    assert set(found) == set(made) - PARTS


PARTS = {
    "aws:apigatewayv2/authorizer:Authorizer",
    "aws:apigatewayv2/integration:Integration",
    "aws:apigatewayv2/route:Route",
    "aws:apigatewayv2/stage:Stage",
    "aws:iam/rolePolicy:RolePolicy",
    "aws:lambda/permission:Permission",
    "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration",
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
    "aws:s3/bucketLogging:BucketLogging",
    "aws:s3/bucketNotification:BucketNotification",
    "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
    "aws:s3/bucketPolicy:BucketPolicy",
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
    "aws:s3/bucketVersioning:BucketVersioning",
    "aws:sns/topicPolicy:TopicPolicy",
    "aws:sqs/queuePolicy:QueuePolicy",
    "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy",
}
"""Types that exist as a part of another resource only."""


def test_nothing_of_an_unchanged_stack_reads_as_changed(program: DeployedProgram) -> None:
    for one in program.resources:
        assert provider.read(program.aws, one.type, one.resource) == one.resource.inputs, one.name


def test_stack_can_be_deleted_in_the_opposite_order(program: DeployedProgram) -> None:
    for one in reversed(program.resources):
        provider.delete(program.aws, one.type, one.resource)

    # Earlier versions of a layer stay for functions that were deployed with them.
    kept = [
        one.resource.id
        for one in program.resources
        if one.type == "aws:lambda/layerVersion:LayerVersion" and one.resource.inputs.get("skipDestroy")
    ]
    left = provider.inventory(program.aws)
    assert left.pop("aws:lambda/layerVersion:LayerVersion", []) == kept
    assert left == {}
