"""What the bench's DynamoDB charges, by the rules of the DynamoDB Developer Guide.

"DynamoDB read and write operations" and "DynamoDB item sizes and formats". The embedded AWS is asked the
same in `tests.local.test_consumed_capacity`.
"""

from __future__ import annotations

from typing import Any

import pytest

from bench.simulated_aws.dynamodb import DynamoDb, Table
from bench.simulated_aws.units import item_bytes, read_units, write_units


@pytest.mark.parametrize(
    ("item", "size"),
    [
        ({"a": {"S": "receipt"}}, 8),
        ({"key": {"S": "é"}}, 5),
        ({"a": {"N": "1"}}, 3),
        ({"a": {"N": "1234"}}, 4),
        ({"a": {"N": "-12345.6"}}, 5),
        ({"a": {"N": "1000000"}}, 3),
        ({"a": {"BOOL": True}}, 2),
        ({"a": {"M": {"b": {"S": "cd"}}}}, 1 + 3 + 1 + 3),
    ],
)
def test_an_item_is_as_large_as_its_names_and_values(item: dict[str, Any], size: int) -> None:
    assert item_bytes(item) == size


@pytest.mark.parametrize(("size", "units"), [(0, 1), (1, 1), (1024, 1), (1025, 2), (4096, 4)])
def test_a_write_is_charged_by_the_kilobyte(size: int, units: float) -> None:
    assert write_units(size) == units


@pytest.mark.parametrize(("size", "units"), [(0, 1), (4096, 1), (4097, 2), (1024 * 1024, 256)])
def test_a_read_is_charged_by_four_kilobytes_and_half_where_it_may_be_stale(size: int, units: float) -> None:
    assert read_units(size, consistent=True) == units
    assert read_units(size, consistent=False) == units / 2


@pytest.fixture
def dynamodb() -> DynamoDb:
    return DynamoDb({"t": Table(keys=("id", "sort"), index_keys=("month", "time"))})


def put(dynamodb: DynamoDb, text: str = "", **request: Any) -> Any:
    item = {
        **{name: {"S": "x"} for name in ("id", "sort", "month", "time")},
        "text": {"S": text},
    }
    return dynamodb.call("PutItem", {"TableName": "t", "Item": item, **request})


def test_a_new_item_is_charged_for_the_table_and_its_index(dynamodb: DynamoDb) -> None:
    assert put(dynamodb).write_units == 2


def test_a_large_item_is_charged_twice_over(dynamodb: DynamoDb) -> None:
    assert put(dynamodb, "x" * 1500).write_units == 4


def test_a_refused_write_is_charged_for_the_table_only(dynamodb: DynamoDb) -> None:
    put(dynamodb)

    refused = put(dynamodb, ConditionExpression="attribute_not_exists(id)")

    assert refused.status == 400
    assert refused.write_units == 1


def test_a_query_is_charged_for_what_it_examines_and_not_for_what_it_finds(dynamodb: DynamoDb) -> None:
    for number in range(20):
        item = {name: {"S": f"{number:02}"} for name in ("id", "sort", "time")}
        dynamodb.load("t", [{**item, "month": {"S": "2026-11"}, "text": {"S": "x" * 1000}}])

    answer = dynamodb.call(
        "Query",
        {
            "TableName": "t",
            "IndexName": "by_time",
            "KeyConditionExpression": "#h = :h AND #r BETWEEN :a AND :b",
            "FilterExpression": "#t = :t",
            "ExpressionAttributeNames": {"#h": "month", "#r": "time", "#t": "text"},
            "ExpressionAttributeValues": {
                ":h": {"S": "2026-11"},
                ":a": {"S": "00"},
                ":b": {"S": "99"},
                ":t": {"S": "other"},
            },
            "Limit": 8,
        },
    )

    assert answer.body["Count"] == 0
    assert answer.body["ScannedCount"] == 8
    assert answer.read_units == 1.5
