"""The embedded AWS answers queries of an index as ministack does, but looks at less of it."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import Mock

import pytest
from ministack.services import dynamodb

from local.emulator import ministack_indexes

KEYS = (("id", "HASH"), ("version", "RANGE"))
INDEX = (("shard", "HASH"), ("recorded", "RANGE"))
CONDITION = "#partition = :partition AND #recorded BETWEEN :lower AND :upper"


@contextmanager
def ledger() -> Iterator[None]:
    """Have a table with an index in this process."""
    asked(
        "CreateTable",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in (*KEYS, *INDEX)],
        KeySchema=schema(KEYS),
        GlobalSecondaryIndexes=[
            {"IndexName": "by_time", "KeySchema": schema(INDEX), "Projection": {"ProjectionType": "ALL"}}
        ],
    )
    try:
        yield
    finally:
        asked("DeleteTable")


def schema(keys: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    return [{"AttributeName": name, "KeyType": kind} for name, kind in keys]


def asked(action: str, **request: Any) -> Any:
    headers = {"x-amz-target": f"DynamoDB_20120810.{action}"}
    body = json.dumps({"TableName": "ledger", **request}).encode()
    status, _, answer = asyncio.run(dynamodb.handle_request("POST", "/", headers, body, {}))
    assert status == 200, answer
    return json.loads(answer)


def item(number: int, dice: random.Random) -> dict[str, Any]:
    """An item of one of two shards; some are recorded at the same time."""
    values = {
        "id": f"{number}",
        "version": "1",
        "shard": dice.choice("ab"),
        "recorded": f"{dice.randrange(40):02}",
    }
    return {name: {"S": value} for name, value in values.items()}


def walks(**options: Any) -> list[list[Any]]:
    """Change a table again and again, and walk through it after each change."""
    dice = random.Random(5)  # noqa: S311
    seen = []
    with ledger():
        for _ in range(5):
            for number in dice.sample(range(200), 100):
                asked("PutItem", Item=item(number, dice))
            for number in dice.sample(range(200), 20):
                asked("DeleteItem", Key={"id": {"S": str(number)}, "version": {"S": "1"}})
            seen.append(walk(**options))
    return seen


def walk(**options: Any) -> list[Any]:
    """Follow a query to its end, and return every page."""
    pages = []
    start: dict[str, Any] = {}
    while True:
        page = asked(
            "Query",
            IndexName="by_time",
            KeyConditionExpression=CONDITION,
            ExpressionAttributeNames={"#partition": "shard", "#recorded": "recorded"},
            ExpressionAttributeValues={
                ":partition": {"S": "a"},
                ":lower": {"S": "05"},
                ":upper": {"S": "30"},
            },
            **options,
            **start,
        )
        pages.append(page)
        if "LastEvaluatedKey" not in page:
            return pages
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize("limit", [{}, {"Limit": 1}, {"Limit": 7}])
def test_pages_are_those_of_ministack_while_items_come_and_go(
    monkeypatch: pytest.MonkeyPatch, limit: dict[str, int], forward: bool
) -> None:
    for name in ("_query", "_index_members", "_index_item"):
        monkeypatch.setattr(dynamodb, name, getattr(dynamodb, name))
    usual = walks(**limit, ScanIndexForward=forward)

    ministack_indexes.install()

    assert walks(**limit, ScanIndexForward=forward) == usual
    assert all(any(page["Items"] for page in pages) for pages in usual)


def test_a_page_looks_at_no_more_items_than_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_query", "_index_members", "_index_item"):
        monkeypatch.setattr(dynamodb, name, getattr(dynamodb, name))
    ministack_indexes.install()
    compared = Mock(wraps=dynamodb._evaluate_condition)
    monkeypatch.setattr(dynamodb, "_evaluate_condition", compared)
    with ledger():
        dice = random.Random(5)  # noqa: S311
        for number in range(200):
            asked("PutItem", Item=item(number, dice))

        pages = walk(Limit=7)

    # Besides its items, a page compares the place where it begins.
    assert compared.call_count == sum(len(page["Items"]) for page in pages) + len(pages) - 1
