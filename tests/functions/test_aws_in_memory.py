"""The DynamoDB in memory answers the ledger's store as moto does."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from functions.contract.entry import Outcome, Reason
from functions.ledger.store import LedgerStore
from tests.functions.aws_in_memory import Table
from tests.functions.time_indexes import entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import boto3
    from botocore.awsrequest import AWSResponse

    from tests.functions.conftest import LedgerTable

SHARDS = 2
AT = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)


@pytest.fixture
def in_memory(aws: boto3.Session) -> Iterator[LedgerStore]:
    table = Table(lambda: AT, lag=timedelta(0))

    def answer(request: Any, event_name: str, **_: Any) -> AWSResponse:
        operation = {"PutItem": table.put_item, "Query": table.query}[event_name.rpartition(".")[2]]
        return operation(json.loads(request.body)).response(request.url)

    with contextlib.closing(aws.client("dynamodb")) as client:
        # The first answer counts. moto is asked as well, and knows no table of this name.
        client.meta.events.register_first("before-send", cast("Callable[..., None]", answer))
        yield LedgerStore(client, "ledger-in-memory", SHARDS)


def test_it_records_and_finds_what_moto_does(in_memory: LedgerStore, ledger_table: LedgerTable) -> None:
    in_moto = LedgerStore(ledger_table.client, ledger_table.name, SHARDS)
    entries = [entry(f"{number}.png", AT + timedelta(seconds=number)) for number in range(10)]
    same_bytes = [replace(entry(f"same {n}.png", AT), fingerprint="ab" * 32) for n in range(4)]
    rejected = replace(entry("empty.png", AT), outcome=Outcome.REJECTED, reason=Reason.EMPTY)

    for each in (*entries, *same_bytes, rejected, *same_bytes, rejected, entries[9]):
        assert in_memory.record(each) == in_moto.record(each)
    for each in (*entries, *same_bytes, rejected, entry("unknown.png", AT)):
        version = each.upload.version
        assert in_memory.note_missing(version, AT) == in_moto.note_missing(version, AT)
        later = AT + timedelta(days=1)
        assert in_memory.find(version, since=AT, until=later) == in_moto.find(version, since=AT, until=later)


def test_it_answers_a_refused_put_without_the_item_unless_asked(
    in_memory: LedgerStore, ledger_table: LedgerTable
) -> None:
    item = {"fingerprint": {"S": "a"}, "entry": {"S": "b"}}
    for store in (in_memory, LedgerStore(ledger_table.client, ledger_table.name, SHARDS)):
        client, table = store._client, store._table
        client.put_item(TableName=table, Item=item)
        client.put_item(TableName=table, Item={**item, "more": {"S": "overwritten"}})
        for asked, shown in (("NONE", None), ("ALL_OLD", {**item, "more": {"S": "overwritten"}})):
            with pytest.raises(client.exceptions.ConditionalCheckFailedException) as refused:
                client.put_item(
                    TableName=table,
                    Item=item,
                    ConditionExpression="attribute_not_exists(fingerprint)",
                    ReturnValuesOnConditionCheckFailure=cast("Any", asked),
                )
            assert refused.value.response.get("Item") == shown
