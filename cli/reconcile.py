"""`bill-e reconcile`: the bucket's object versions against the ledger's entries."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from itertools import chain, islice
from typing import Any

from cli.command import Command
from cli.comparison import Comparison, Repeated
from cli.errors import UsageError
from cli.inventory import LedgerLine, StoredVersion
from cli.operations import Operator, Queue, operate
from cli.options import minutes, stack_of
from cli.resend import Events, events_of, send_with_progress
from cli.survey import Survey, survey
from cli.terminal import ABSENT, Row, Terminal, second_of, size_text
from functions.contract.entry import format_time

SOURCE = "bill-e:reconcile"
DEFAULT_AGE = timedelta(minutes=15)
SHOWN = 100
"""How many of a kind the table shows; --json has all."""

DESCRIPTION = """\
Compare every object version in the stack's bucket with the ledger. The exit code is 0 only when the ledger is
complete: each version that is older than --age has its one entry.

  missing    an object version without an entry: exit code 1
  repeated   an object version with more than one entry, which must never be: exit code 1
  in flight  an object version without an entry that is younger than --age: its event may be on its way
  unknown    an entry whose object version is not in the bucket any more, since somebody deleted it for good;
             the ledger is complete all the same. Entries with the reason object_missing say so themselves

Both sides are read as streams and compared in a temporary file, which is gone at the end: less than 1 kB for
each version with a key of usual length, in SQLITE_TMPDIR or else where temporary files go.

--fix sends what is missing through the queue, so that the processor records it as any upload; a message too
many does no harm. What was sent has no entry yet, so the exit code is 1: run it again, without --fix.

It needs an operator's rights: the stack's output operator_policy.
"""

EXAMPLES = """\
examples:
  bill-e reconcile --stack prod
  bill-e reconcile --fix --dry-run --stack prod
  bill-e reconcile --fix --stack prod
  bill-e reconcile --prefix 2026/11/ --age 60 --json --stack prod
"""


@dataclass(frozen=True, kw_only=True)
class Totals:
    """How many object versions there are: ``versions = recorded + missing + in_flight``.

    `repeated` of the recorded ones have more entries than one. `unknown` and `gone` count entries.
    """

    versions: int
    recorded: int
    missing: int
    in_flight: int
    repeated: int
    unknown: int
    gone: int

    @property
    def complete(self) -> bool:
        """Whether each object version that is old enough has its one entry."""
        return not self.missing and not self.repeated


@dataclass(frozen=True, kw_only=True)
class Report:
    """What was found. `judged_before` is the upload time from which on nothing is judged yet."""

    survey: Survey
    judged_before: str
    age: timedelta
    totals: Totals

    @property
    def comparison(self) -> Comparison:
        """What the single versions and entries are in."""
        return self.survey.comparison


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--prefix", default="", help="only keys that start so, after the stack's own prefix (default: all)"
    )
    parser.add_argument(
        "--age",
        type=minutes,
        default=DEFAULT_AGE,
        metavar="MINUTES",
        help="don't judge uploads that are younger, by S3's clock (default: 15; 0 judges all)",
    )
    parser.add_argument("--fix", action="store_true", help="send what is missing through the queue")
    parser.add_argument("--dry-run", action="store_true", help="with --fix: only say what would be sent")
    parser.add_argument("--json", action="store_true", help="write one JSON document, with all of them")


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Compare, fix where asked, and report; 0 only when the ledger is complete."""
    if options.dry_run and not options.fix:
        raise UsageError("--dry-run goes with --fix: without it, nothing is changed anyway")
    with (
        operate(stack_of(options)) as operator,
        survey(operator, options.prefix, terminal) as surveyed,
    ):
        report = judge(surveyed, options.age)
        events = events_of(operator, SOURCE) if options.fix else None
        sent = 0
        if events and not options.dry_run and report.totals.missing:
            sent = send_with_progress(
                operator, map(events.event, _missing(report)), report.totals.missing, terminal
            )
        dead_letters = operator.dead_letter_queue()
        if options.json:
            planned = events if options.dry_run else None
            write_json(report, operator, dead_letters, sent, planned, terminal)
        else:
            write_report(report, dead_letters, terminal)
            _write_next_step(report, options, sent, dead_letters, terminal)
    return 0 if report.totals.complete else 1


def judge(surveyed: Survey, age: timedelta) -> Report:
    """Count what was found, leaving uploads alone that are younger than `age` by S3's clock."""
    comparison = surveyed.comparison
    limit = format_time(surveyed.began_at - age) if age else "~"
    versions, unrecorded = comparison.count_versions(), comparison.count_unrecorded()
    missing = comparison.count_unrecorded(end=limit)
    totals = Totals(
        versions=versions,
        recorded=versions - unrecorded,
        missing=missing,
        in_flight=unrecorded - missing,
        repeated=comparison.count_repeated(),
        unknown=comparison.count_unknown(end=limit),
        gone=comparison.count_gone(),
    )
    return Report(survey=surveyed, judged_before=limit, age=age, totals=totals)


def write_report(report: Report, dead_letters: Queue, terminal: Terminal) -> None:
    """Write what needs a look, at most `SHOWN` of a kind, then the totals and what the queues hold."""
    comparison, totals, end = report.comparison, report.totals, report.judged_before
    terminal.table(
        chain(
            map(_missing_row, islice(_missing(report), SHOWN)),
            map(_repeated_row, islice(comparison.repeated(), SHOWN)),
            map(_unknown_row, islice(comparison.unknown(end=end), SHOWN)),
        )
    )
    for kind in ("missing", "repeated", "unknown"):
        if (more := getattr(totals, kind) - SHOWN) > 0:
            terminal.complain(f"and {more:,} more that are {kind}: --json lists all")
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
    queue = report.survey.queue
    terminal.write(
        f"messages, about: {queue.waiting:,} waiting in the queue, {queue.hidden:,} in work, "
        f"{dead_letters.waiting + dead_letters.hidden:,} dead letters"
    )


def write_json(
    report: Report,
    operator: Operator,
    dead_letters: Queue,
    sent: int,
    planned: Events | None,
    terminal: Terminal,
) -> None:
    """Write everything as one JSON document; with `planned`, also the messages that would be sent."""
    comparison, end, queue = report.comparison, report.judged_before, report.survey.queue
    members = {
        "complete": report.totals.complete,
        "bucket": operator.bucket,
        "prefix": report.survey.prefix,
        "began_at": format_time(report.survey.began_at),
        "judged_before": None if end == "~" else end,
        "totals": asdict(report.totals),
        "sent": sent,
        "queue": {"waiting": queue.waiting, "in_work": queue.hidden},
        "dead_letters": dead_letters.waiting + dead_letters.hidden,
    }
    lists: dict[str, Iterable[object]] = {
        "missing": map(asdict, _missing(report)),
        "in_flight": map(asdict, comparison.unrecorded(start=end)),
        "repeated": map(asdict, comparison.repeated()),
        "unknown": map(asdict, comparison.unknown(end=end)),
    }
    if planned:
        lists["messages"] = map(planned.event, _missing(report))
    terminal.json_of_lists(members, lists)


def _missing(report: Report) -> Iterator[StoredVersion]:
    return report.comparison.unrecorded(end=report.judged_before)


def _write_next_step(
    report: Report, options: argparse.Namespace, sent: int, dead_letters: Queue, terminal: Terminal
) -> None:
    totals = report.totals
    if sent:
        terminal.write(
            f"{sent:,} sent through the queue: run it again, without --fix, when they are processed"
        )
    elif options.dry_run:
        terminal.write(f"dry run: {totals.missing:,} would be sent through the queue, nothing was")
    elif totals.missing and dead_letters.waiting:
        terminal.complain(
            "look at the dead letters first (`bill-e dead-letters`): they may be what is missing"
        )
    elif totals.missing:
        terminal.complain("`bill-e reconcile --fix` sends what is missing through the queue")
    if totals.repeated:
        terminal.complain("more than one entry for an object version: the ledger is wrong there", style="red")


def _missing_row(version: StoredVersion) -> Row:
    return _row("missing", version.key, version.version_id, version.modified, size_text(version.size_bytes))


def _repeated_row(repeated: Repeated) -> Row:
    return _row("repeated", repeated.key, repeated.version_id, "", f"{repeated.entries} entries")


def _unknown_row(line: LedgerLine) -> Row:
    return _row("unknown", line.key, line.version_id, line.uploaded_at, "not in the bucket")


def _row(state: str, key: str, version_id: str, uploaded_at: str, detail: str) -> dict[str, Any]:
    uploaded = second_of(uploaded_at) or ABSENT
    return {"STATE": state, "UPLOADED": uploaded, "VERSION": version_id, "KEY": key, "DETAIL": detail}


COMMAND = Command(
    name="reconcile",
    summary="compare the bucket with the ledger, and repair what is missing",
    description=DESCRIPTION,
    examples=EXAMPLES,
    add_options=add_options,
    run=run,
)
