"""Restoring the ledger: checking that two tables belong together, comparing them, copying lost entries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, cast

from botocore.exceptions import ClientError

from cli.errors import BillEError, explained
from cli.operator.consistency import NotAnEntryError, contradictions, read_entry
from cli.operator.inventory import scanned_pages
from cli.operator.pace import Counting, concurrently
from cli.operator.resources import StackResources
from cli.operator.table_comparison import TableComparison
from cli.operator.temporary_database import temporary_database
from functions.contract import schema
from functions.reconciliation.inventory import Pace

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TableDescriptionTypeDef

    from functions.contract.entry import Entry
    from functions.contract.schema import Item

WRITERS = 4
"""How many entries are written at the same time."""

SHOWN_BUCKETS = 3

KEYS = {schema.FINGERPRINT: "HASH", schema.ENTRY: "RANGE"}


@dataclass(frozen=True, kw_only=True)
class Write:
    """An item that was inserted, unless `standing` was in its way, and the write units that this took."""

    item: Item
    standing: Item | None
    units: float


@contextmanager
def compare_tables(
    resources: StackResources, restored: str, former_buckets: Sequence[str], counting: Counting
) -> Iterator[TableComparison]:
    """Compare the table `restored`, which may have entries about the stack's former buckets, with the ledger.

    The ledger is read first: the restored table doesn't change, and if the ledger gets an entry in the
    meantime, the conditional write won't insert it again. Raise BillEError if the tables don't belong to one
    stack.
    """
    _refuse_other_tables(resources, restored)
    buckets, shards = {resources.bucket, *former_buckets}, resources.shards()
    with temporary_database() as database:
        comparison = TableComparison(database)
        _load_ledger(comparison, resources, buckets, counting)
        with counting("restored entries compared", None) as advance:
            for items in scanned_pages(resources.dynamodb, restored, f"table {restored}"):
                for item in items:
                    if not schema.is_note(item):
                        _refuse_wrong(item, restored, buckets, shards)
                        comparison.compare(item)
                advance(len(items))
        yield comparison


def copy_entries(
    comparison: TableComparison, resources: StackResources, units_per_second: int, counting: Counting
) -> int:
    """Insert the entries that the ledger lacks, and return how many; an error says how many were inserted.

    An entry that the ledger has got since it was read is compared like all others.
    """
    lacking, copied, pace = comparison.count_lacking(), 0, Pace(units_per_second)
    dynamodb, ledger = resources.dynamodb, resources.ledger_table
    with counting("copied", lacking) as advance:
        try:
            for write in concurrently(
                lambda item: _insert(dynamodb, ledger, item), comparison.lacking_items(), WRITERS
            ):
                if write.standing is None:
                    copied += 1
                else:
                    comparison.compare_with(write.item, write.standing)
                advance(1)
                pace.spend(write.units)
        except BillEError as error:
            raise BillEError(
                f"{error}; at least {copied:,} of {lacking:,} were copied. "
                "Run it again: it copies what is still missing"
            ) from error
    return copied


def _refuse_other_tables(resources: StackResources, restored: str) -> None:
    """Raise BillEError unless `restored` is a different table, can be read, and has the keys of a ledger."""
    ledger = resources.ledger_table
    described = _describe(resources.dynamodb, f"the ledger table {ledger}", ledger)
    if not _has_keys_of_a_ledger(described):
        raise BillEError(f"table {ledger} is not a ledger: are these the outputs of one stack?")
    if restored == ledger:
        raise BillEError(f"table {ledger} is the ledger itself: name the table that AWS restored from it")
    try:
        described = _describe(resources.dynamodb, f"table {restored}", restored)
    except BillEError as error:
        cause = error.__cause__
        if isinstance(cause, ClientError) and cause.response["Error"]["Code"] == "ResourceNotFoundException":
            raise BillEError(
                f"there is no table {restored} in {resources.region}: `aws dynamodb list-tables` lists "
                "the tables there"
            ) from error
        raise
    if not _has_keys_of_a_ledger(described):
        raise BillEError(
            f"table {restored} is not a ledger: its keys are not {' and '.join(KEYS)}. Nothing was changed"
        )
    if described["TableStatus"] == "CREATING":
        raise BillEError(
            f"table {restored} is still being restored: "
            f"`aws dynamodb wait table-exists --table-name {restored}` waits for it"
        )


def _load_ledger(
    comparison: TableComparison, resources: StackResources, buckets: Set[str], counting: Counting
) -> None:
    ledger, known = resources.ledger_table, set[str]()
    with counting("ledger entries read", None) as advance:
        for items in scanned_pages(resources.dynamodb, ledger, f"the ledger table {ledger}"):
            known.update(
                _read(item, f"ledger {ledger}").upload.version.bucket
                for item in items
                if not schema.is_note(item)
            )
            comparison.add_standing(items)
            advance(len(items))
    if known and not known & buckets:
        raise BillEError(
            f"ledger {ledger} has no entry about bucket {resources.bucket}, but some about "
            f"{', '.join(islice(sorted(known), SHOWN_BUCKETS))}: are these the outputs of one stack? "
            "Nothing was changed"
        )
    comparison.index()


def _insert(dynamodb: DynamoDBClient, ledger: str, item: Item) -> Write:
    with explained(f"writing to the ledger table {ledger} (dynamodb:PutItem)"):
        try:
            answer = dynamodb.put_item(
                TableName=ledger, Item=item, ReturnConsumedCapacity="INDEXES", **schema.IF_NEW
            )
        except dynamodb.exceptions.ConditionalCheckFailedException as refused:
            # An error doesn't say what it cost: one unit, unless the item is large.
            return Write(item=item, standing=cast("dict[str, Item]", refused.response)["Item"], units=1.0)
    used = answer.get("ConsumedCapacity", {})
    # Only the table's own: `ledgerMaxWriteUnits` limits the table and its index separately.
    return Write(item=item, standing=None, units=used.get("Table", used).get("CapacityUnits", 1.0))


def _describe(dynamodb: DynamoDBClient, what: str, table: str) -> TableDescriptionTypeDef:
    with explained(f"looking at {what} (dynamodb:DescribeTable)"):
        return dynamodb.describe_table(TableName=table)["Table"]


def _has_keys_of_a_ledger(table: TableDescriptionTypeDef) -> bool:
    keys = {key["AttributeName"]: key["KeyType"] for key in table["KeySchema"]}
    types = {one["AttributeName"]: one["AttributeType"] for one in table["AttributeDefinitions"]}
    return keys == KEYS and all(types[name] == "S" for name in KEYS)


def _refuse_wrong(item: Item, restored: str, buckets: Set[str], shards: int) -> None:
    """Raise BillEError for an item that this stack's processor can't have written."""
    entry = _read(item, f"table {restored}")
    bucket = entry.upload.version.bucket
    if bucket not in buckets:
        raise BillEError(
            f"table {restored} does not belong to this stack: it holds entries about bucket {bucket}. "
            f"If the stack had that bucket before, add --former-bucket {bucket}. Nothing was changed"
        )
    if wrong := contradictions(item, entry, shards):
        raise BillEError(
            f"the processor can't have written the item {_name(item)} of table {restored}: {wrong}. "
            "Delete the item from that table to restore the others. Nothing was changed"
        )


def _read(item: Item, table: str) -> Entry:
    """Read an entry; raise BillEError for an item that is not an entry."""
    try:
        return read_entry(item)
    except NotAnEntryError as error:
        raise BillEError(
            f"{table} is not a ledger: its item {_name(item)} is not an entry, since {error}. "
            "Nothing was changed"
        ) from error


def _name(item: Item) -> str:
    return " / ".join(item[key]["S"] for key in KEYS)
