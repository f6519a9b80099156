"""The bench's DynamoDB and the embedded one charge the same for what the ledger writes."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from bench.contestants import LEDGER, empty_tables
from bench.simulated_aws.dynamodb import DynamoDb
from functions.contract import schema
from functions.contract.entry import Outcome
from tests.functions.examples import entry
from tests.local.stack import DeployedStack

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.fixture
def table(stack: DeployedStack) -> Iterator[str]:
    """A table with the keys and the index of the ledger."""
    aws, name = stack.administrator.client("dynamodb"), f"capacity-{uuid.uuid4().hex[:8]}"
    ledger = aws.describe_table(TableName=str(stack.outputs["ledger_table"]))["Table"]
    (index,) = ledger["GlobalSecondaryIndexes"]
    request: Any = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": ledger["AttributeDefinitions"],
        "KeySchema": ledger["KeySchema"],
        "GlobalSecondaryIndexes": [{key: index[key] for key in ("IndexName", "KeySchema", "Projection")}],
    }
    aws.create_table(**request)
    yield name
    aws.delete_table(TableName=name)


@pytest.mark.parametrize("outcome", Outcome)
@pytest.mark.parametrize("key", ["lunch.png", "k" * 300, "é" * 512])
def test_a_new_entry_costs_the_same(stack: DeployedStack, table: str, outcome: Outcome, key: str) -> None:
    item = schema.to_item(entry(key, NOW, outcome), 4)

    answered = stack.administrator.client("dynamodb").put_item(
        TableName=table, Item=item, ReturnConsumedCapacity="TOTAL"
    )
    simulated = DynamoDb(empty_tables()).call("PutItem", {"TableName": LEDGER, "Item": item})

    assert simulated.write_units == answered["ConsumedCapacity"]["CapacityUnits"]
