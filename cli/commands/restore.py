"""Copy back entries that the ledger lost, from a table that AWS restored.

AWS restores that table from the ledger's continuous backup (`aws dynamodb restore-table-to-point-in-time`).
An entry is only inserted if the ledger has nothing under its key. Nothing is ever updated or deleted.

  copied   the ledger had nothing about the object version
  present  the ledger has the same entry
  differs  the ledger has other attributes under the key, or another entry about the object version, and
           keeps what it has: exit code 1

The whole table is read and checked before anything is written; a table that isn't a ledger of this stack, or
has an entry that the processor can't have written, is refused. Stop the processor first, so that it doesn't
record the same uploads again in the meantime. You can safely interrupt or repeat this command: the next run
copies what is still missing.

The comparison uses a temporary file, which is deleted at the end. The file takes about 1 kB for each entry of
the ledger and each entry to copy, in SQLITE_TMPDIR or else in the usual folder for temporary files.

Operators may not write to the ledger, so this needs an administrator's credentials: dynamodb:DescribeTable
and dynamodb:Scan on both tables, and dynamodb:PutItem on the ledger.
"""

from __future__ import annotations

import argparse
import re
from dataclasses import asdict, dataclass

from cli.commands import Audience, Command
from cli.operator.resources import StackResources, open_resources
from cli.operator.restoration import compare_tables, copy_entries
from cli.operator.table_comparison import LostEntry, TableComparison
from cli.options import add_json, positive_integer, stack_of
from cli.screen.terminal import Row, Terminal, second_of

WRITE_UNITS_PER_SECOND = 250
"""A quarter of the write throughput that a stack has by default (`ledgerMaxWriteUnits`)."""

TABLE_NAME = re.compile(r"[A-Za-z0-9_.-]{3,255}")
"""Amazon DynamoDB Developer Guide, "Naming rules"."""


@dataclass(frozen=True, kw_only=True)
class RestoreTotals:
    """How many entries: ``entries = lacking + present + differing``. `lacking` were copied, or would be."""

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
        help="also copy entries about this bucket, which the stack had before; can be given several times",
    )
    parser.add_argument(
        "--write-units",
        type=positive_integer,
        default=WRITE_UNITS_PER_SECOND,
        metavar="N",
        help=f"use at most this many write units of the ledger a second (default: {WRITE_UNITS_PER_SECOND})",
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what would be copied")
    add_json(parser)


def table_name(text: str) -> str:
    """Read the name of a table."""
    if not TABLE_NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not allowed: give the name of a table, 3 to 255 letters, digits, '.', '-' or '_'"
        )
    return text


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Copy what the ledger lacks, and report; 0 only if nothing differs."""
    with (
        open_resources(stack_of(options), as_administrator=True) as resources,
        compare_tables(resources, options.from_table, options.former_bucket, terminal.counting) as comparison,
    ):
        copied = 0
        if comparison.count_lacking() and not options.dry_run:
            copied = copy_entries(comparison, resources, options.write_units, terminal.counting)
        lacking = comparison.count_lacking() if options.dry_run else copied
        totals = RestoreTotals(
            entries=lacking + comparison.present + comparison.count_differing(),
            lacking=lacking,
            present=comparison.present,
            differing=comparison.count_differing(),
        )
        if options.json:
            write_json(comparison, totals, resources, options, terminal)
        else:
            write_report(comparison, totals, options, terminal)
    return 1 if totals.differing else 0


def write_report(
    comparison: TableComparison, totals: RestoreTotals, options: argparse.Namespace, terminal: Terminal
) -> None:
    """Write the first entries that differ or would be copied, then the totals."""
    kinds = [(totals.differing, map(_row, comparison.differing()), " that differ")]
    if options.dry_run:
        kinds.append((totals.lacking, map(_row, comparison.lacking()), " that would be copied"))
    terminal.excerpt(*kinds)
    action = "would be copied (dry run)" if options.dry_run else "copied"
    terminal.write(
        f"entries of {options.from_table}: {totals.entries:,} = {totals.lacking:,} {action} + "
        f"{totals.present:,} in the ledger already + {totals.differing:,} that differ"
    )
    if totals.differing:
        terminal.complain("entries that differ were left as they are in the ledger", style="red")


def write_json(
    comparison: TableComparison,
    totals: RestoreTotals,
    resources: StackResources,
    options: argparse.Namespace,
    terminal: Terminal,
) -> None:
    """Write everything as one JSON document; after a dry run also what would be copied."""
    members = {
        "from_table": options.from_table,
        "ledger_table": resources.ledger_table,
        "bucket": resources.bucket,
        "dry_run": options.dry_run,
        "totals": asdict(totals),
        "copied": 0 if options.dry_run else totals.lacking,
    }
    lists = {"differing": map(asdict, comparison.differing())}
    if options.dry_run:
        lists["to_copy"] = map(asdict, comparison.lacking())
    terminal.json_of_lists(members, lists)


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
    audience=Audience.ADMINISTRATORS,
    summary="copy back entries that the ledger lost",
    description=__doc__,
    examples=(
        "bill-e restore --from-table ledger-restored --dry-run --stack prod",
        "bill-e restore --from-table ledger-restored --stack prod",
        "bill-e restore --from-table ledger-restored --write-units 800 --json --stack prod",
    ),
    add_options=add_options,
    run=run,
)
