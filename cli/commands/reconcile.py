"""Compare every object version in the stack's bucket with the ledger.

The exit code is 0 only if the ledger is complete: each version older than --age has exactly one entry.

  missing    an object version without an entry: exit code 1
  repeated   an object version with more than one entry, which must never happen: exit code 1
  in flight  an object version without an entry that is younger than --age: its event may be on its way
  unknown    an entry whose object version is no longer in the bucket, because somebody deleted it for good;
             the ledger is still complete. Entries with the reason object_missing are not listed

The comparison uses a temporary file, which is deleted at the end. The file takes less than 1 kB for each
version with a key of usual length, in SQLITE_TMPDIR or else in the usual folder for temporary files.

--fix sends what is missing through the queue, so that the processor records it like any upload. Messages that
turn out to be unnecessary do no harm. What was just sent has no entry yet, so the exit code is still 1: run
the command again later, without --fix.

It needs an operator's permissions: the stack's output operator_policy.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import asdict
from datetime import timedelta

from cli.commands import Command
from cli.errors import UsageError
from cli.operator.bucket_comparison import NO_END, Repeated
from cli.operator.inventory import LedgerLine, StoredVersion
from cli.operator.reconciliation import ReconcileReport, compare_stack, judge
from cli.operator.resend import MakeEvent, event_maker, send_events
from cli.operator.resources import Queue, StackResources, open_resources
from cli.options import add_json, add_key_prefix, minutes, stack_of
from cli.screen.terminal import ABSENT, Row, Terminal, second_of, size_text
from functions.contract.entry import format_time

SOURCE = "bill-e:reconcile"
DEFAULT_AGE = timedelta(minutes=15)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_key_prefix(parser)
    parser.add_argument(
        "--age",
        type=minutes,
        default=DEFAULT_AGE,
        metavar="MINUTES",
        help="don't judge uploads younger than this, by S3's clock (default: 15; 0 judges all)",
    )
    parser.add_argument("--fix", action="store_true", help="send what is missing through the queue")
    parser.add_argument("--dry-run", action="store_true", help="with --fix: only say what would be sent")
    add_json(parser, "write one JSON document to stdout, with nothing left out")


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Compare, fix if asked to, and report; 0 only if the ledger is complete."""
    if options.dry_run and not options.fix:
        raise UsageError("--dry-run goes with --fix: without --fix, nothing is changed anyway")
    with (
        open_resources(stack_of(options)) as resources,
        compare_stack(resources, options.prefix, terminal.counting) as compared,
    ):
        report = judge(compared, options.age)
        event_of = event_maker(resources, SOURCE) if options.fix else None
        sent = 0
        if event_of and not options.dry_run and report.totals.missing:
            sent = send_events(
                resources, map(event_of, report.missing()), report.totals.missing, terminal.counting
            )
        dead_letters = resources.dead_letter_queue()
        if options.json:
            planned = event_of if options.dry_run else None
            write_json(report, resources, dead_letters, sent, planned, terminal)
        else:
            write_report(report, dead_letters, terminal)
            _write_next_step(report, options, sent, dead_letters, terminal)
    return 0 if report.totals.complete else 1


def write_report(report: ReconcileReport, dead_letters: Queue, terminal: Terminal) -> None:
    """Write the first findings of each kind, the totals, and how many messages the queues hold."""
    comparison, totals = report.compared.comparison, report.totals
    unknown = comparison.unknown(end=report.judged_before)
    terminal.excerpt(
        (totals.missing, map(_missing_row, report.missing()), " that are missing"),
        (totals.repeated, map(_repeated_row, comparison.repeated()), " that are repeated"),
        (totals.unknown, map(_unknown_row, unknown), " that are unknown"),
    )
    line = (
        f"object versions: {totals.versions:,} = {totals.recorded:,} recorded + {totals.missing:,} missing + "
        f"{totals.in_flight:,} in flight"
    )
    besides = {
        "recorded more than once": totals.repeated,
        "unknown": totals.unknown,
        "gone before it was read": totals.gone,
    }
    terminal.write("; ".join([line, *(f"{count:,} {what}" for what, count in besides.items() if count)]))
    queue = report.compared.queue
    terminal.write(
        f"about {queue.waiting:,} messages waiting in the queue, {queue.in_work:,} being processed, "
        f"{dead_letters.messages:,} dead letters"
    )


def write_json(
    report: ReconcileReport,
    resources: StackResources,
    dead_letters: Queue,
    sent: int,
    planned: MakeEvent | None,
    terminal: Terminal,
) -> None:
    """Write everything as one JSON document; with `planned`, also the messages that would be sent."""
    compared, end = report.compared, report.judged_before
    comparison, queue = compared.comparison, compared.queue
    members = {
        "complete": report.totals.complete,
        "bucket": resources.bucket,
        "prefix": compared.prefix,
        "began_at": format_time(compared.began_at),
        "judged_before": None if end == NO_END else end,
        "totals": asdict(report.totals),
        "sent": sent,
        "queue": {"waiting": queue.waiting, "in_work": queue.in_work},
        "dead_letters": dead_letters.messages,
    }
    lists: dict[str, Iterable[object]] = {
        "missing": map(asdict, report.missing()),
        "in_flight": map(asdict, comparison.unrecorded(start=end)),
        "repeated": map(asdict, comparison.repeated()),
        "unknown": map(asdict, comparison.unknown(end=end)),
    }
    if planned:
        lists["messages"] = map(planned, report.missing())
    terminal.json_of_lists(members, lists)


def _write_next_step(
    report: ReconcileReport, options: argparse.Namespace, sent: int, dead_letters: Queue, terminal: Terminal
) -> None:
    totals = report.totals
    if sent:
        terminal.write(
            f"{sent:,} sent through the queue: when they have been processed, run this again without --fix"
        )
    elif options.dry_run:
        terminal.write(f"dry run: {totals.missing:,} would be sent through the queue; nothing was sent")
    elif totals.missing and dead_letters.waiting:
        terminal.complain(
            "look at the dead letters first (`bill-e dead-letters`): they may be the missing uploads"
        )
    elif totals.missing:
        terminal.complain("`bill-e reconcile --fix` sends what is missing through the queue")
    if totals.repeated:
        terminal.complain("an object version has more than one entry: the ledger is wrong there", style="red")


def _missing_row(version: StoredVersion) -> Row:
    return _row("missing", version.key, version.version_id, version.modified, size_text(version.size_bytes))


def _repeated_row(repeated: Repeated) -> Row:
    return _row("repeated", repeated.key, repeated.version_id, "", f"{repeated.entries} entries")


def _unknown_row(line: LedgerLine) -> Row:
    return _row("unknown", line.key, line.version_id, line.uploaded_at, "not in the bucket")


def _row(state: str, key: str, version_id: str, uploaded_at: str, detail: str) -> Row:
    uploaded = second_of(uploaded_at) or ABSENT
    return {"STATE": state, "UPLOADED": uploaded, "VERSION": version_id, "KEY": key, "DETAIL": detail}


COMMAND = Command(
    name="reconcile",
    summary="compare the bucket with the ledger, and repair what is missing",
    description=__doc__,
    examples=(
        "bill-e reconcile --stack prod",
        "bill-e reconcile --fix --dry-run --stack prod",
        "bill-e reconcile --fix --stack prod",
        "bill-e reconcile --prefix 2026/11/ --age 60 --json --stack prod",
    ),
    add_options=add_options,
    run=run,
)
