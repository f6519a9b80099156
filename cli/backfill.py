"""`bill-e backfill`: what was in the bucket before the pipeline, through the queue."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import islice

from cli.command import Command
from cli.errors import UsageError
from cli.inventory import StoredVersion
from cli.operations import operate
from cli.options import moment, stack_of
from cli.resend import events_of, send_with_progress
from cli.survey import survey
from cli.terminal import Terminal, second_of, size_text
from functions.contract.entry import format_time

SOURCE = "bill-e:backfill"
SHOWN = 100
"""How many the table of a dry run shows; --json has all."""

DESCRIPTION = """\
Send object versions that have no entry in the ledger through the queue, oldest first, so that the processor
records them as any upload: for a bucket that had receipts before the pipeline. --from is inclusive, --to
exclusive; both are about the time of upload.

It is safe to repeat, and to interrupt: what has an entry by then isn't sent, so no object version gets a
second outcome, whatever the stack's settings are by now. A large bucket is best sent in slices of time, since
new receipts wait behind it in the same queue. When all is processed, `bill-e reconcile` says whether all
of it arrived.

It needs an operator's rights: the stack's output operator_policy.
"""

EXAMPLES = """\
examples:
  bill-e backfill --dry-run --stack prod
  bill-e backfill --from 2025-01-01 --to 2026-01-01 --stack prod
  bill-e backfill --prefix scans/ --json --stack prod
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--prefix", default="", help="only keys that start so, after the stack's own prefix (default: all)"
    )
    parser.add_argument(
        "--from",
        dest="start",
        type=moment,
        metavar="TIME",
        help="RFC 3339, or YYYY-MM-DD for its midnight in UTC",
    )
    parser.add_argument("--to", dest="end", type=moment, metavar="TIME", help="likewise")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be sent")
    parser.add_argument("--json", action="store_true", help="write one JSON document to stdout")


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Send what has no entry, and say how much it was."""
    if options.start and options.end and options.start >= options.end:
        raise UsageError("--from must be before --to")
    start = format_time(options.start) if options.start else ""
    end = format_time(options.end) if options.end else "~"
    with (
        operate(stack_of(options)) as operator,
        survey(operator, options.prefix, terminal) as surveyed,
    ):
        comparison, events = surveyed.comparison, events_of(operator, SOURCE)
        versions = comparison.count_versions(start=start, end=end)
        without = comparison.count_unrecorded(start=start, end=end)

        def chosen() -> Iterator[StoredVersion]:
            return comparison.unrecorded(start=start, end=end)

        sent = 0
        if without and not options.dry_run:
            sent = send_with_progress(operator, map(events.event, chosen()), without, terminal)
        if options.json:
            members = {
                "bucket": operator.bucket,
                "prefix": surveyed.prefix,
                "from": start or None,
                "to": None if end == "~" else end,
                "totals": {"versions": versions, "recorded_before": versions - without, "to_send": without},
                "sent": sent,
            }
            terminal.json_of_lists(
                members, {"messages": map(events.event, chosen())} if options.dry_run else {}
            )
            return 0
        if options.dry_run:
            terminal.table(map(_row, islice(chosen(), SHOWN)))
            if without > SHOWN:
                terminal.complain(f"and {without - SHOWN:,} more: --json lists all")
        action = f"{without:,} would be sent (dry run)" if options.dry_run else f"{sent:,} sent"
        terminal.write(f"object versions: {versions:,} = {versions - without:,} recorded before + {action}")
    return 0


def _row(version: StoredVersion) -> dict[str, str]:
    return {
        "UPLOADED": second_of(version.modified),
        "SIZE": size_text(version.size_bytes),
        "VERSION": version.version_id,
        "KEY": version.key,
    }


COMMAND = Command(
    name="backfill",
    summary="send what was in the bucket before the pipeline through the queue",
    description=DESCRIPTION,
    examples=EXAMPLES,
    add_options=add_options,
    run=run,
)
