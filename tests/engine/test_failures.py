"""Deployments that fail or are cut off in the middle, and the deployments that follow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from local.aws import Aws
from local.emulator.process import Emulator
from local.provider import provider
from tests.engine.faults import PLUGINS, Faults
from tests.engine.faulty_plugin import FAILURE
from tests.engine.stacks import Engine, Stack
from tests.local.account import inventory
from tests.local.refusing_aws import REFUSAL

EVERYTHING = {
    "apiAuth": "jwt",
    "jwtIssuer": "https://issuer.example.com",
    "jwtAudience": ["bill-e"],
    "allowedOrigins": ["https://receipts.example.com"],
    "encryption": "customer-key",
    "objectLockDays": 1,
    "alarmEmail": "on-call@example.com",
}
"""Settings with which the program makes every type of resource that it knows."""

UNUSED = {"aws:sqs/redrivePolicy:RedrivePolicy"}
"""What the provider knows and the program doesn't make."""

LATE_CALLS = {
    "aws:cloudwatch/logGroup:LogGroup": 3,
    "aws:dynamodb/table:Table": 2,
    "aws:kms/key:Key": 2,
    "aws:lambda/function:Function": 2,
    "aws:s3/bucket:Bucket": 3,
}
"""The types that take further calls once the resource exists, and the number of the first such call."""

MOST_UPDATES = 12
"""More than there are resources in the longest chain of those that wait for one another."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """What was in the account before, such as a key that an earlier stack left."""

    aws: Aws
    before: Mapping[str, Sequence[str]]

    def assert_holds_once(self, stack: Stack) -> None:
        """Hold what has come into the account against what the state knows, one for one."""
        known = Counter(resource["type"] for resource in stack.resources())
        now = inventory(self.aws)
        new = {type_: len(set(found) - set(self.before.get(type_, ()))) for type_, found in now.items()}
        assert new == {type_: known[type_] for type_ in new}


@pytest.fixture
def account(emulator: Emulator) -> Account:
    return Account(aws=emulator.administrator, before=inventory(emulator.administrator))


@pytest.fixture
def faults(tmp_path: Path) -> Faults:
    return Faults(folder=tmp_path)


@pytest.fixture
def stack(new_engine: Callable[..., Engine], faults: Faults) -> Stack:
    engine = new_engine(plugins=PLUGINS, environment={"FAULTS": str(faults.folder)})
    return engine.stack("faulty", EVERYTHING)


def test_every_type_fails_to_be_made_once_and_the_next_update_goes_on(
    stack: Stack, faults: Faults, account: Account
) -> None:
    planned = stack.preview()
    types = {step.type for step in planned.changes() if step.type.startswith("aws:")}
    assert types == provider.RESOURCE_TYPES.keys() - UNUSED
    faults.ask("fail", types)

    failed: set[str] = set()
    for _ in range(MOST_UPDATES):
        waiting = faults.left()
        update = stack.up("--continue-on-error")
        came = waiting - faults.left()
        if not came:
            break
        failed |= came
        assert update.code != 0
        assert "Traceback" not in update.text
        told = [line for line in update.text.splitlines() if line.strip().startswith("error: aws:")]
        assert len(told) == len(came), update.text
        assert all(line.endswith(FAILURE) for line in told), told

    assert update.code == 0, update.text
    assert not faults.left()
    account.assert_holds_once(stack)
    assert stack.destroy().code == 0


def test_create_that_is_refused_halfway_makes_nothing_that_pulumi_does_not_know(
    stack: Stack, faults: Faults, account: Account
) -> None:
    faults.refuse(LATE_CALLS)

    for _ in range(MOST_UPDATES):
        update = stack.up("--continue-on-error")
        account.assert_holds_once(stack)
        if not faults.left():
            break
        assert REFUSAL in update.text

    completed = stack.up()
    assert completed.code == 0, completed.text
    assert not faults.left()
    account.assert_holds_once(stack)
    assert stack.destroy().code == 0


@pytest.mark.parametrize(
    "type_",
    ["aws:s3/bucket:Bucket", "aws:lambda/function:Function", "aws:apigatewayv2/stage:Stage"],
    ids=["at the start", "in the middle", "at the end"],
)
def test_killed_cli_leaves_a_stack_that_the_next_update_completes(
    stack: Stack, faults: Faults, account: Account, type_: str
) -> None:
    """One create at a time: what was being made beside it could have been made without Pulumi's knowledge."""
    faults.ask("hang", [type_])
    with stack.start("up", "--yes", "--skip-preview", "--parallel=1") as running:
        faults.wait_until_hanging(type_)
        running.kill()

    locked = stack.up()
    assert locked.code != 0
    assert "locked" in locked.text
    assert stack.command("cancel", "--yes").code == 0
    completed = stack.up()

    assert completed.code == 0, completed.text
    account.assert_holds_once(stack)
    assert stack.destroy().code == 0


def test_what_was_made_without_pulumis_knowledge_is_named_by_the_next_update(
    stack: Stack, faults: Faults
) -> None:
    faults.ask("hang-after", ["aws:dynamodb/table:Table"])
    with stack.start("up", "--yes", "--skip-preview", "--parallel=1") as running:
        faults.wait_until_hanging("aws:dynamodb/table:Table")
        running.kill()
    assert stack.command("cancel", "--yes").code == 0

    completed = stack.up()

    assert completed.code == 0, completed.text
    assert "::bill-e-ledger-table, interrupted while creating" in completed.text
    assert stack.destroy().code == 0
    (table,) = inventory(stack.engine.aws)["aws:dynamodb/table:Table"]
    stack.engine.aws.client("dynamodb").delete_table(TableName=table)


def test_plugin_that_dies_is_named_with_its_resource_and_the_next_update_completes(
    stack: Stack, faults: Faults, account: Account
) -> None:
    """One create at a time: others would be cut off with the plugin, and made a second time."""
    faults.ask("die", ["aws:dynamodb/table:Table"])

    died = stack.up("--parallel=1")

    assert died.code != 0
    assert "Traceback" not in died.text
    assert "aws:dynamodb:Table bill-e-ledger-table **creating failed**" in died.text
    assert "pulumi-resource-aws exited prematurely" in died.text
    completed = stack.up()
    assert completed.code == 0, completed.text
    account.assert_holds_once(stack)
    assert stack.destroy().code == 0
