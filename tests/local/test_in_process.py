"""AWS in this process: DynamoDB charges by AWS's rules and answers as the emulator does; S3 has versions.

The rules are in the DynamoDB Developer Guide, "DynamoDB read and write operations" and "DynamoDB item sizes
and formats".
"""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from functions.contract import schema
from functions.contract.entry import ObjectVersion, Outcome, Reason
from functions.ledger.store import LedgerStore
from local.in_process import dynamodb
from local.in_process.answers import Answer
from local.in_process.aws import InProcessAws
from local.in_process.dynamodb import Table, ledger_table
from local.in_process.s3 import StoredObject
from local.in_process.units import item_bytes, read_units, write_units
from tests.functions.examples import entry
from tests.local.stack import DeployedStack

AT = datetime(2026, 11, 30, 12, tzinfo=UTC)
SHARDS = 2


@pytest.mark.parametrize(
    ("item", "size"),
    [
        ({"a": {"S": "receipt"}}, 8),
        ({"key": {"S": "é"}}, 5),
        ({"a": {"N": "1"}}, 3),
        ({"a": {"N": "1234"}}, 4),
        ({"a": {"N": "-12345.6"}}, 5),
        ({"a": {"N": "1000000"}}, 3),
        ({"a": {"M": {"b": {"S": "cd"}}}}, 1 + 3 + 1 + 3),
        ({"a": {"SS": ["b", "cd"]}}, 1 + 3 + 2 + 3),
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
def table() -> Table:
    return Table(keys=("id", "sort"), index_keys=("month", "time"))


def asked(table: Table, operation: str, **request: Any) -> Answer:
    return dynamodb.call({"t": table}, operation, {"TableName": "t", **request})


def put(table: Table, text: str = "", **request: Any) -> Answer:
    item = {name: {"S": "x"} for name in ("id", "sort", "month", "time")}
    return asked(table, "PutItem", Item={**item, "text": {"S": text}}, **request)


def test_a_new_item_is_charged_for_the_table_and_its_index(table: Table) -> None:
    assert put(table).write_units == 2


def test_a_large_item_is_charged_twice_over(table: Table) -> None:
    assert put(table, "x" * 1500).write_units == 4


def test_a_refused_write_is_charged_for_the_table_only(table: Table) -> None:
    put(table)

    refused = put(table, ConditionExpression="attribute_not_exists(id)")

    assert refused.status == 400
    assert refused.write_units == 1


def test_a_query_is_charged_for_what_it_examines_and_not_for_what_it_finds(table: Table) -> None:
    for number in range(20):
        item = {name: {"S": f"{number:02}"} for name in ("id", "sort", "time")}
        table.put({**item, "month": {"S": "2026-11"}, "text": {"S": "x" * 1000}})

    answer = asked(
        table,
        "Query",
        IndexName="by_time",
        KeyConditionExpression="#h = :h AND #r BETWEEN :a AND :b",
        FilterExpression="#t = :t",
        ExpressionAttributeNames={"#h": "month", "#r": "time", "#t": "text"},
        ExpressionAttributeValues={
            ":h": {"S": "2026-11"},
            ":a": {"S": "00"},
            ":b": {"S": "99"},
            ":t": {"S": "other"},
        },
        Limit=8,
    )

    body = json.loads(answer.body)
    assert (body["Count"], body["ScannedCount"]) == (0, 8)
    assert answer.read_units == 1.5


@pytest.mark.parametrize(
    "expression",
    ["size(#a) > :b", "#a <> :b", "(attribute_exists(#a) OR #a = :b) AND #a = :b", "NOT #a = :b"],
)
def test_an_expression_that_is_not_known_is_refused(expression: str, table: Table) -> None:
    with pytest.raises(NotImplementedError):
        put(
            table,
            ConditionExpression=expression,
            ExpressionAttributeNames={"#a": "a"},
            ExpressionAttributeValues={":b": {"S": "b"}},
        )


@pytest.fixture
def emulated(stack: DeployedStack) -> Iterator[LedgerStore]:
    """A ledger on the emulator, with the keys and the index of the deployed one."""
    client, name = stack.administrator.client("dynamodb"), f"in-process-{uuid.uuid4().hex[:8]}"
    ledger = client.describe_table(TableName=str(stack.outputs["ledger_table"]))["Table"]
    (index,) = ledger["GlobalSecondaryIndexes"]
    request: Any = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": ledger["AttributeDefinitions"],
        "KeySchema": ledger["KeySchema"],
        "GlobalSecondaryIndexes": [{key: index[key] for key in ("IndexName", "KeySchema", "Projection")}],
    }
    client.create_table(**request)
    yield LedgerStore(client, name, SHARDS)
    client.delete_table(TableName=name)


@pytest.fixture
def aws() -> InProcessAws:
    return InProcessAws({"ledger": ledger_table(page_items=3)})


@pytest.fixture
def session(aws: InProcessAws) -> boto3.Session:
    with aws.in_place_of_the_network():
        return boto3.Session("AKIAEXAMPLE", "example", region_name="us-east-1")


@pytest.fixture
def in_process(session: boto3.Session) -> Iterator[LedgerStore]:
    with contextlib.closing(session.client("dynamodb")) as client:
        yield LedgerStore(client, "ledger", SHARDS)


@pytest.mark.parametrize("outcome", Outcome)
@pytest.mark.parametrize("key", ["lunch.png", "k" * 300, "é" * 512])
def test_a_new_entry_costs_what_it_costs_on_the_emulator(
    emulated: LedgerStore, outcome: Outcome, key: str
) -> None:
    item = schema.to_item(entry(key, AT, outcome), 4)

    answered = emulated._client.put_item(TableName=emulated._table, Item=item, ReturnConsumedCapacity="TOTAL")

    answer = asked(ledger_table(), "PutItem", Item=item)
    assert answer.write_units == answered["ConsumedCapacity"]["CapacityUnits"]


def test_the_store_records_and_finds_what_it_does_on_the_emulator(
    in_process: LedgerStore, emulated: LedgerStore
) -> None:
    entries = [entry(f"{number}.png", AT + timedelta(seconds=number)) for number in range(10)]
    same_bytes = [entry(f"same {n}.png", AT, fingerprint="ab" * 32) for n in range(4)]
    rejected = entry("empty.png", AT, Outcome.REJECTED, reason=Reason.EMPTY)

    for each in (*entries, *same_bytes, rejected, *same_bytes, rejected, entries[9]):
        assert in_process.record(each) == emulated.record(each)
    for each in (*entries, *same_bytes, rejected, entry("unknown.png", AT)):
        version = each.upload.version
        assert in_process.note_missing(version, AT) == emulated.note_missing(version, AT)
        found = [
            store.find(version, since=AT, until=AT + timedelta(days=1)) for store in (in_process, emulated)
        ]
        assert found[0] == found[1]
        assert (found[0] is None) == (each not in (*entries, rejected) and each.fingerprint != "ab" * 32)


def test_a_refused_put_shows_the_item_only_if_that_is_asked_for(
    in_process: LedgerStore, emulated: LedgerStore
) -> None:
    item = {"fingerprint": {"S": "a"}, "entry": {"S": "b"}}
    more = {**item, "more": {"S": "overwritten"}}
    for store in (in_process, emulated):
        client: Any = store._client
        client.put_item(TableName=store._table, Item=item)
        client.put_item(TableName=store._table, Item=more)
        for asked, shown in (("NONE", None), ("ALL_OLD", more)):
            with pytest.raises(client.exceptions.ConditionalCheckFailedException) as refused:
                client.put_item(
                    TableName=store._table,
                    Item=item,
                    ConditionExpression="attribute_not_exists(fingerprint)",
                    ReturnValuesOnConditionCheckFailure=asked,
                )
            assert refused.value.response.get("Item") == shown


def test_the_index_lags_behind_the_table() -> None:
    now = [AT]
    table = ledger_table(index_lag=timedelta(seconds=30), now=lambda: now[0])
    item = schema.to_item(entry("lunch.png", AT), 1)
    table.put(item)

    def indexed() -> list[Any]:
        return table.indexed(item[schema.MONTH_SHARD]["S"], "", "\U0010ffff")

    assert indexed() == []
    now[0] += timedelta(seconds=30)
    assert indexed() == [table.key_of(item)]


@pytest.mark.parametrize("checksum", ["CRC32", "SHA256"])
def test_an_object_is_read_by_version_and_in_pieces_of_any_size(
    aws: InProcessAws, session: boto3.Session, checksum: Any
) -> None:
    for version_id, piece in (("v1", b"old"), ("v2", b"newest+")):
        version = ObjectVersion(bucket="uploads", key="a +é.png", version_id=version_id)
        aws.objects[version] = StoredObject(piece=piece, repeats=1000, checksum=checksum)

    with contextlib.closing(session.client("s3")) as client:
        named: Any = {"Bucket": "uploads", "Key": "a +é.png", "ChecksumMode": "ENABLED"}
        old = client.get_object(**named, VersionId="v1")["Body"]
        assert b"".join(old.iter_chunks(11)) == b"old" * 1000
        assert client.get_object(**named)["Body"].read() == b"newest+" * 1000
        with pytest.raises(client.exceptions.ClientError) as missing:
            client.get_object(**named, VersionId="v3")

    assert missing.value.response["Error"]["Code"] == "NoSuchVersion"


def test_calls_are_counted_with_what_they_consume(aws: InProcessAws, in_process: LedgerStore) -> None:
    with aws.metered() as usage:
        in_process.record(entry("lunch.png", AT))
        in_process.find(entry("lunch.png", AT).upload.version, since=AT, until=AT)

    assert usage.calls["PutItem"] == 1
    assert (usage.write_units, usage.read_units) == (2, usage.calls["Query"] / 2)
    assert usage.most_at_once == 1
