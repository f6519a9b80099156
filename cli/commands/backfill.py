"""Send object versions without an entry through the resend queue, oldest first, so that they are recorded.

Use it for a bucket that had receipts in it before the pipeline existed. --from is inclusive, --to is
exclusive; both select by the time of upload.

You can safely interrupt or repeat it: object versions that have an entry by then are not sent, so none gets a
second outcome, even if the stack's settings have changed since then. New receipts have a queue of their own
and don't wait behind these. When everything has been processed, run `bill-e reconcile` to see whether
anything is missing. The entries say that they were resent, and don't say who uploaded.

It needs an operator's permissions: the stack's output operator_policy.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from cli.commands import Audience, Command
from cli.operator.reconciliation import compare_stack
from cli.operator.resend import event_maker, send_events
from cli.operator.resources import open_resources
from cli.operator.temporary_database import NO_END
from cli.options import add_json, add_key_prefix, add_time_range, refuse_empty_range, stack_of
from cli.screen.terminal import Terminal, second_of, size_text
from functions.contract.entry import format_time
from functions.reconciliation.inventory import StoredVersion

SOURCE = "bill-e:backfill"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_key_prefix(parser)
    add_time_range(parser)
    parser.add_argument("--dry-run", action="store_true", help="only say what would be sent")
    add_json(parser)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Send the object versions that have no entry, and report how many those were."""
    refuse_empty_range(options)
    start = format_time(options.start) if options.start else ""
    end = format_time(options.end) if options.end else NO_END
    with (
        open_resources(stack_of(options)) as resources,
        compare_stack(resources, options.prefix, terminal.counting) as compared,
    ):
        comparison, event_of = compared.comparison, event_maker(resources, SOURCE)
        versions = comparison.count_versions(start=start, end=end)
        without = comparison.count_unrecorded(start=start, end=end)

        def chosen() -> Iterator[StoredVersion]:
            return comparison.unrecorded(start=start, end=end)

        sent = 0
        if without and not options.dry_run:
            sent = send_events(resources, map(event_of, chosen()), without, terminal.counting)
        if options.json:
            members = {
                "bucket": resources.bucket,
                "prefix": compared.prefix,
                "from": start or None,
                "to": None if end == NO_END else end,
                "totals": {"versions": versions, "recorded_before": versions - without, "to_send": without},
                "sent": sent,
            }
            terminal.json_of_lists(members, {"messages": map(event_of, chosen())} if options.dry_run else {})
            return 0
        if options.dry_run:
            terminal.excerpt((without, map(_row, chosen()), ""))
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
    audience=Audience.OPERATORS,
    summary="record what was in the bucket before the stack",
    description=__doc__,
    examples=(
        "bill-e backfill --dry-run --stack prod",
        "bill-e backfill --from 2025-01-01 --to 2026-01-01 --stack prod",
        "bill-e backfill --prefix scans/ --json --stack prod",
    ),
    add_options=add_options,
    run=run,
)
