from __future__ import annotations

from typing import Any

import pulumi
import pytest

from components.ledger import LedgerArgs, refuse_fewer_shards
from components.validation import InvalidInputError
from tests.components.mocks import Graph, Registered, run
from tests.components.programs import new_ledger, stack_args


def graph(**changes: Any) -> Graph:
    return run(lambda: new_ledger(**changes))


def table(**changes: Any) -> Registered:
    return graph(**changes).only("aws:dynamodb/table:Table")


def test_table_has_its_keys_and_one_index_with_whole_entries() -> None:
    inputs = table().inputs
    assert (inputs["hashKey"], inputs["rangeKey"]) == ("fingerprint", "entry")
    attributes = ("fingerprint", "entry", "month_shard", "recorded")
    assert {a["name"]: a["type"] for a in inputs["attributes"]} == dict.fromkeys(attributes, "S")
    (index,) = inputs["globalSecondaryIndexes"]
    assert index["name"] == "by_recorded_time"
    assert index["projectionType"] == "ALL"
    assert [(k["attributeName"], k["keyType"]) for k in index["keySchemas"]] == [
        ("month_shard", "HASH"),
        ("recorded", "RANGE"),
    ]


def test_table_is_on_demand_up_to_a_maximum_and_recoverable() -> None:
    inputs = table(ledger_max_read_units=7, ledger_max_write_units=5).inputs
    maximum = {"maxReadRequestUnits": 7, "maxWriteRequestUnits": 5}
    assert inputs["billingMode"] == "PAY_PER_REQUEST"
    assert inputs["onDemandThroughput"] == maximum
    assert inputs["globalSecondaryIndexes"][0]["onDemandThroughput"] == maximum
    assert inputs["pointInTimeRecovery"] == {"enabled": True}


def test_table_is_encrypted_with_a_key_that_aws_owns_or_with_the_customers() -> None:
    key = "arn:aws:kms:eu-central-1:123456789012:key/k"
    assert table().inputs["serverSideEncryption"] == {"enabled": False}
    assert table(stack=stack_args(key_arn=key)).inputs["serverSideEncryption"] == {
        "enabled": True,
        "kmsKeyArn": key,
    }


@pytest.mark.parametrize("protect", [True, False])
def test_table_is_protected_in_dynamodb_and_in_pulumi_as_asked(protect: bool) -> None:
    found = table(stack=stack_args(protect_data=protect))
    assert found.inputs["deletionProtectionEnabled"] is protect
    assert found.protect is protect


@pytest.mark.parametrize(
    ("argument", "most"),
    [("ledger_shards", 64), ("ledger_max_read_units", 40_000), ("ledger_max_write_units", 40_000)],
)
def test_number_out_of_bounds_is_refused(argument: str, most: int) -> None:
    for number in (0, most + 1):
        message = f"LedgerArgs:\n  - {argument} is {number}; allowed: a whole number from 1 to {most:,}"
        with pytest.raises(InvalidInputError, match=message):
            LedgerArgs(stack=stack_args(), **{argument: number})


def _function(shards: str | None) -> dict[str, Any]:
    return {"environment": {"variables": {} if shards is None else {"LEDGER_SHARDS": shards}}}


def _table(shards: str | None) -> dict[str, Any]:
    return {"tags": {} if shards is None else {"ledger-shards": shards}}


def _change(before: dict[str, Any] | None, after: dict[str, Any]) -> pulumi.ResourceHookArgs:
    return pulumi.ResourceHookArgs(
        urn="urn", id="reader", name="reader", type="function", old_inputs=before, new_inputs=after
    )


def test_fewer_shards_are_refused_with_the_number_that_is_allowed() -> None:
    for of in (_function, _table):
        with pytest.raises(InvalidInputError, match="ledgerShards is 4; allowed: 8 or more"):
            refuse_fewer_shards(_change(of("8"), of("4")))


@pytest.mark.parametrize(
    ("before", "after"),
    [("4", "4"), ("4", "8"), (None, "4"), ("4", None), ("4", "an unknown value, in a preview")],
)
def test_other_changes_of_shards_are_let_through(before: str | None, after: str | None) -> None:
    for of in (_function, _table):
        refuse_fewer_shards(_change(of(before), of(after)))
        refuse_fewer_shards(_change(None, of(after)))


def test_table_remembers_its_shards() -> None:
    assert table(ledger_shards=8).inputs["tags"]["ledger-shards"] == "8"
