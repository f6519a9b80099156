"""The real program's resources, with all settings on: reading, counting and deleting them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from local.aws import Aws
from local.deployment import deploy
from local.emulator.process import running_emulator
from local.provider import provider
from tests.local.account import EVERYTHING, Made, creations, inventory
from tests.protected_types import GUARD_DATA


@dataclass(frozen=True, kw_only=True)
class DeployedProgram:
    aws: Aws
    before: dict[str, list[str]]
    resources: tuple[Made, ...]


@pytest.fixture(scope="module")
def program() -> Iterator[DeployedProgram]:
    with running_emulator() as emulator, creations() as resources:
        before = inventory(emulator.administrator)
        deploy(emulator.administrator, config=EVERYTHING)
        yield DeployedProgram(aws=emulator.administrator, before=before, resources=tuple(resources))


def test_account_is_empty_at_first(program: DeployedProgram) -> None:
    assert program.before == {}


def test_inventory_has_what_was_made_once(program: DeployedProgram) -> None:
    found = inventory(program.aws)

    made = Counter(one.type for one in program.resources)
    assert {type_: len(ids) for type_, ids in found.items()} == {
        type_: count for type_, count in made.items() if type_ in found
    }
    assert set(found) == set(made) - PARTS


PARTS = GUARD_DATA | {
    "aws:apigatewayv2/authorizer:Authorizer",
    "aws:apigatewayv2/integration:Integration",
    "aws:apigatewayv2/route:Route",
    "aws:apigatewayv2/stage:Stage",
    "aws:cloudwatch/eventTarget:EventTarget",
    "aws:iam/rolePolicy:RolePolicy",
    "aws:lambda/permission:Permission",
    "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration",
    "aws:sns/topicPolicy:TopicPolicy",
}
"""Types that only exist as a part of another resource."""


def test_nothing_of_an_unchanged_stack_reads_as_changed(program: DeployedProgram) -> None:
    for one in program.resources:
        assert provider.read(program.aws, one.type, one.existing) == one.existing.inputs, one.name


def test_stack_can_be_deleted_in_the_opposite_order(program: DeployedProgram) -> None:
    for one in reversed(program.resources):
        provider.delete(program.aws, one.type, one.existing)

    # Earlier versions of a layer stay for functions that were deployed with them.
    kept = [
        one.existing.id
        for one in program.resources
        if one.type == "aws:lambda/layerVersion:LayerVersion" and one.existing.inputs.get("skipDestroy")
    ]
    left = inventory(program.aws)
    assert left.pop("aws:lambda/layerVersion:LayerVersion", []) == kept
    assert left == {}
