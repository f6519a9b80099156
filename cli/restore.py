"""`bill-e restore`: entries that the ledger lost, copied back from a table that AWS restored."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Set
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, cast

from botocore.exceptions import ClientError

from cli.command import Command
from cli.errors import BillEError
from cli.inventory import scanned_pages
from cli.lost_entries import LostEntries, LostEntry, empty_lost_entries, is_note, read_entry
from cli.operations import Operator, explained, operate
from cli.options import positive_integer, stack_of
from cli.pace import Pace
from cli.progress import count_bar, tally
from cli.terminal import Row, Terminal, second_of
from functions.contract import schema

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TableDescriptionTypeDef

    from functions.contract.schema import Item

WRITERS = 4
"""How many entries are written at the same time."""

WRITE_UNITS_PER_SECOND = 250
"""A quarter of the write throughput that a stack has by default (`ledgerMaxWriteUnits`)."""

SHOWN = 100
"""How many of a kind the table shows; --json has all."""

TABLE_NAME = re.compile(r"[A-Za-z0-9_.-]{3,255}")
"""Amazon DynamoDB Developer Guide, "Naming rules"."""

SHOWN_BUCKETS = 3

KEYS = {schema.FINGERPRINT: "HASH", schema.ENTRY: "RANGE"}

DESCRIPTION = """\
Copy entries that the ledger lost back from a table that AWS restored from the ledger's continuous backup
(`aws dynamodb restore-table-to-point-in-time`). Each is inserted under the condition that the ledger has
nothing under its key. Nothing is ever updated or deleted.

  copied   the ledger had nothing about the object version
  present  the ledger has the same entry
  differs  the ledger has the key with other attributes, or another entry about the object version, and keeps
           what it has: exit code 1

The whole table is read and checked before anything is written; one that isn't a ledger of this stack is
refused. Stop the processor first, so that it doesn't record the same uploads anew in the meantime. It is safe
to interrupt this, and to repeat it: the next run copies what is still missing.

The tables are compared in a temporary file, which is gone at the end: about 1 kB for each entry of the ledger
and each entry to copy, in SQLITE_TMPDIR or else where temporary files go.

Operators may not write to the ledger, so this takes an administrator's credentials: dynamodb:DescribeTable
and dynamodb:Scan on both tables, and dynamodb:PutItem on the ledger.
"""

EXAMPLES = """\
examples:
  bill-e restore --from-table ledger-restored --dry-run --stack prod
  bill-e restore --from-table ledger-restored --stack prod
  bill-e restore --from-table ledger-restored --write-units 800 --json --stack prod
"""


@dataclass(frozen=True, kw_only=True)
class Totals:
    """What was found, and done: ``entries = lacking + present + differing``.

    Without a dry run, `lacking` were copied.
    """

    entries: int
    lacking: int
    present: int
    differing: int


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--from-table", type=table_name, required=True, metavar="NAME", help="the table to copy entries from"
    )
    parser.add_argument(
        "--former-bucket",
        action="append",
        default=[],
        metavar="NAME",
        help="a bucket that the stack had before: take entries about it too; may be given several times",
    )
    parser.add_argument(
        "--write-units",
        type=positive_integer,
        default=WRITE_UNITS_PER_SECOND,
        metavar="N",
        help=f"use at most so many write units of the ledger a second (default: {WRITE_UNITS_PER_SECOND})",
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what would be copied")
    parser.add_argument("--json", action="store_true", help="write one JSON document to stdout")


def table_name(text: str) -> str:
    """Read the name of a table."""
    if not TABLE_NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not allowed: give the name of a table, of 3 to 255 letters, digits, '.', '-', '_'"
        )
    return text


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Copy what the ledger lacks, and report; 0 only when it has nothing otherwise."""
    with (
        operate(stack_of(options), as_administrator=True) as administrator,
        empty_lost_entries() as lost,
    ):
        refuse_other_tables(administrator, options.from_table)
        buckets = {administrator.bucket, *options.former_bucket}
        compare(lost, administrator, options.from_table, buckets, terminal)
        copied = 0
        if lost.count_lacking() and not options.dry_run:
            copied = copy_with_progress(lost, administrator, options.write_units, terminal)
        lacking = lost.count_lacking() if options.dry_run else copied
        totals = Totals(
            entries=lacking + lost.present + lost.count_differing(),
            lacking=lacking,
            present=lost.present,
            differing=lost.count_differing(),
        )
        if options.json:
            write_json(lost, totals, administrator, options, terminal)
        else:
            write_report(lost, totals, options, terminal)
    return 1 if totals.differing else 0


def refuse_other_tables(administrator: Operator, restored: str) -> None:
    """Raise BillEError unless `restored` is another table than the ledger, can be read, and has its keys."""
    ledger = administrator.ledger_table
    described = _describe(administrator.dynamodb, f"the ledger table {ledger}", ledger)
    if not _has_keys_of_a_ledger(described):
        raise BillEError(f"table {ledger} is no ledger: are these the outputs of one stack?")
    if restored == ledger:
        raise BillEError(f"table {ledger} is the ledger itself: name the table that AWS restored from it")
    try:
        described = _describe(administrator.dynamodb, f"table {restored}", restored)
    except BillEError as error:
        cause = error.__cause__
        if isinstance(cause, ClientError) and cause.response["Error"]["Code"] == "ResourceNotFoundException":
            raise BillEError(
                f"there is no table {restored} in {administrator.region}: `aws dynamodb list-tables` lists "
                "those that there are"
            ) from error
        raise
    if not _has_keys_of_a_ledger(described):
        raise BillEError(
            f"table {restored} is no ledger: its keys are not {' and '.join(KEYS)}. Nothing was changed"
        )
    if described["TableStatus"] == "CREATING":
        raise BillEError(
            f"table {restored} is not restored yet: "
            f"`aws dynamodb wait table-exists --table-name {restored}` waits for it"
        )


def compare(
    lost: LostEntries, administrator: Operator, restored: str, buckets: Set[str], terminal: Terminal
) -> None:
    """Read the ledger, then the restored table; raise BillEError where they are not of one stack.

    In this order, since what the ledger got in between is then refused by the condition of the write, whereas
    the restored table doesn't change.
    """
    ledger = administrator.ledger_table
    known: set[str] = set()
    with tally(terminal.err, "ledger entries read") as advance:
        for items in scanned_pages(administrator.dynamodb, ledger, f"the ledger table {ledger}"):
            known.update(_bucket(item, f"ledger {ledger}") for item in items if not is_note(item))
            lost.add_standing(items)
            advance(len(items))
    if known and not known & buckets:
        raise BillEError(
            f"ledger {ledger} knows nothing of bucket {administrator.bucket}, but of "
            f"{', '.join(islice(sorted(known), SHOWN_BUCKETS))}: are these the outputs of one stack? "
            "Nothing was changed"
        )
    lost.index()
    with tally(terminal.err, "restored entries compared") as advance:
        for items in scanned_pages(administrator.dynamodb, restored, f"table {restored}"):
            for item in items:
                if not is_note(item):
                    _refuse_foreign(item, restored, buckets)
                    lost.judge(item)
            advance(len(items))


def copy_with_progress(
    lost: LostEntries, administrator: Operator, units_per_second: int, terminal: Terminal
) -> int:
    """Insert what the ledger lacks and return how many that were; raise BillEError, saying how many were.

    What the ledger got since it was read is compared, as everything else was.
    """
    lacking, copied = lost.count_lacking(), 0
    with count_bar(terminal.err, "copied", lacking) as advance:
        try:
            for item, standing in insert(administrator, lost.lacking_items(), Pace(units_per_second)):
                if standing is None:
                    copied += 1
                else:
                    lost.compare(item, standing)
                advance(1)
        except BillEError as error:
            raise BillEError(
                f"{error}; at least {copied:,} of {lacking:,} were copied. "
                "Run it again: it copies what is still missing by then"
            ) from error
    return copied


def insert(administrator: Operator, items: Iterator[Item], pace: Pace) -> Iterator[tuple[Item, Item | None]]:
    """Insert items, a few at a time; yield each with what is in its way in the ledger, None for nothing."""
    with ThreadPoolExecutor(WRITERS) as pool:
        writing: set[Future[_Written]] = set()
        while True:
            writing |= {
                pool.submit(_insert, administrator.dynamodb, administrator.ledger_table, item)
                for item in islice(items, WRITERS - len(writing))
            }
            if not writing:
                return
            done, writing = wait(writing, return_when=FIRST_COMPLETED)
            for future in done:
                written = future.result()
                yield written.item, written.standing
                pace.spend(written.units)


@dataclass(frozen=True, kw_only=True)
class _Written:
    """An item that was inserted, unless `standing` was in its way; and the write units that it took."""

    item: Item
    standing: Item | None
    units: float


def _insert(dynamodb: DynamoDBClient, ledger: str, item: Item) -> _Written:
    with explained(f"writing to the ledger table {ledger} (dynamodb:PutItem)"):
        try:
            answer = dynamodb.put_item(
                TableName=ledger,
                Item=item,
                ConditionExpression="attribute_not_exists(#fingerprint)",
                ExpressionAttributeNames={"#fingerprint": schema.FINGERPRINT},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                ReturnConsumedCapacity="INDEXES",
            )
        except dynamodb.exceptions.ConditionalCheckFailedException as refused:
            # An error doesn't say what it took: a unit, unless the item is large.
            return _Written(item=item, standing=cast("dict[str, Item]", refused.response)["Item"], units=1.0)
    used = answer.get("ConsumedCapacity", {})
    # The table's own: `ledgerMaxWriteUnits` is the limit of the table and of its index, each.
    return _Written(item=item, standing=None, units=used.get("Table", used).get("CapacityUnits", 1.0))


def write_report(lost: LostEntries, totals: Totals, options: argparse.Namespace, terminal: Terminal) -> None:
    """Write what needs a look, at most `SHOWN` of a kind, then the totals."""
    shown = [map(_row, islice(lost.differing(), SHOWN))]
    counts = {"differ": totals.differing}
    if options.dry_run:
        shown.append(map(_row, islice(lost.lacking(), SHOWN)))
        counts["would be copied"] = totals.lacking
    terminal.table(chain.from_iterable(shown))
    for kind, count in counts.items():
        if count > SHOWN:
            terminal.complain(f"and {count - SHOWN:,} more that {kind}: --json lists all")
    action = "would be copied (dry run)" if options.dry_run else "copied"
    terminal.write(
        f"entries of {options.from_table}: {totals.entries:,} = {totals.lacking:,} {action} + "
        f"{totals.present:,} in the ledger already + {totals.differing:,} that differ"
    )
    if totals.differing:
        terminal.complain("where they differ, the ledger's entries stay as they are", style="red")


def write_json(
    lost: LostEntries,
    totals: Totals,
    administrator: Operator,
    options: argparse.Namespace,
    terminal: Terminal,
) -> None:
    """Write everything as one JSON document; after a dry run also what would be copied."""
    members = {
        "from_table": options.from_table,
        "ledger_table": administrator.ledger_table,
        "bucket": administrator.bucket,
        "dry_run": options.dry_run,
        "totals": asdict(totals),
        "copied": 0 if options.dry_run else totals.lacking,
    }
    lists = {"differing": map(asdict, lost.differing())}
    if options.dry_run:
        lists["to_copy"] = map(asdict, lost.lacking())
    terminal.json_of_lists(members, lists)


def _describe(dynamodb: DynamoDBClient, what: str, table: str) -> TableDescriptionTypeDef:
    with explained(f"looking at {what} (dynamodb:DescribeTable)"):
        return dynamodb.describe_table(TableName=table)["Table"]


def _has_keys_of_a_ledger(table: TableDescriptionTypeDef) -> bool:
    keys = {key["AttributeName"]: key["KeyType"] for key in table["KeySchema"]}
    types = {one["AttributeName"]: one["AttributeType"] for one in table["AttributeDefinitions"]}
    return keys == KEYS and all(types[name] == "S" for name in KEYS)


def _refuse_foreign(item: Item, restored: str, buckets: Set[str]) -> None:
    """Raise BillEError for an item that this stack's ledger can't have held."""
    bucket = _bucket(item, f"table {restored}")
    if bucket not in buckets:
        raise BillEError(
            f"table {restored} is not of this stack: it holds entries about bucket {bucket}. If the stack "
            f"had that bucket before, add --former-bucket {bucket}. Nothing was changed"
        )


def _bucket(item: Item, table: str) -> str:
    """Return the bucket that an entry is about; raise BillEError for an item that is no entry."""
    try:
        return read_entry(item).upload.version.bucket
    except ValueError as error:
        name = " / ".join(item[key]["S"] for key in KEYS)
        raise BillEError(
            f"{table} is no ledger: its item {name} is no entry, as {error}. Nothing was changed"
        ) from error


def _row(lost: LostEntry) -> Row:
    return {
        "STATE": "differs" if lost.detail else "copy",
        "RECORDED": second_of(lost.recorded_at),
        "VERSION": lost.version_id,
        "KEY": lost.key,
        "DETAIL": lost.detail or "not in the ledger",
    }


COMMAND = Command(
    name="restore",
    summary="copy entries that the ledger lost back from a table that AWS restored",
    description=DESCRIPTION,
    examples=EXAMPLES,
    add_options=add_options,
    run=run,
)
