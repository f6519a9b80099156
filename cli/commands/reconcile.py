"""Compare every object version in the stack's bucket with the ledger, and every entry with what S3 knows.

The exit code is 0 only if each version older than --age has exactly one entry, and nothing is wrong with any
entry. Each of these makes it 1, except for versions in flight:

  missing       an object version without an entry
  in flight     the same, but younger than --age: its event may be on its way
  repeated      an object version with more than one entry, which must never happen
  differs       an entry with another size, time of upload or fingerprint than S3 has for the object version,
                or one that says object_missing of an object version that is in the bucket
  inconsistent  an entry that the processor can't have written, because its parts contradict each other: its
                key, its place in the time index, its times, its outcome and what goes with it, its receipt
  foreign       an entry about another bucket, or about a key that isn't below the stack's prefix; name places
                that the stack had before with --former-bucket and --former-prefix
  unknown       an entry, other than with object_missing, whose object version is not in the bucket: somebody
                deleted it for good, which the bucket's access log or CloudTrail shows, or invented the entry
  unbacked      a receipt that can't be shown any more: neither its object version nor any other with these
                bytes is in the bucket
  not an entry  an item of the ledger that isn't an entry, nor a note of the processor
  file differs  with --read: the bytes in the bucket don't have the fingerprint that the entry says
  unreadable    with --read: S3 doesn't return the bytes, because they are in an archive, or their key is gone
  unsealed      an entry that isn't in the log 15 minutes after it was recorded

S3 doesn't keep who uploaded, so uploaders aren't compared. Fingerprints are only compared with --checksums,
if S3 has the SHA-256 of the bytes, and with --read. With --prefix, entries of the stack about other keys
aren't judged.

--checksums asks S3 for the SHA-256 that it stored when the bytes arrived. --read has S3 return the bytes of
each object version in the bucket that an entry has a fingerprint of, and computes it anew. So --read also
covers uploads that came without a SHA-256, and proves that the bytes can still be read. It costs one GET
request for each object version, and the transfer of all bytes out of the region, unless you run it there; the
command says how many that is before it begins. The order is random. With --state, it goes on after an
interruption where it was, and later runs only read what is new; delete the file to read everything again.

The comparison uses a temporary file, which is deleted at the end. The file takes less than 1 kB for each
version with a key of usual length, in SQLITE_TMPDIR or else in the usual folder for temporary files.

--fix sends what is missing through the resend queue, so that the processor records it. Messages that turn out
to be unnecessary do no harm. What was just sent has no entry yet, so the exit code is still 1: run the
command again later, without --fix. No entry is ever changed or deleted.

It needs an operator's permissions: the stack's output operator_policy. --checksums and --read also need
s3:GetObjectVersion, which operators don't have, since it lets them read receipts.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import partial

from cli.commands import Audience, Command
from cli.errors import UsageError
from cli.operator.bucket_comparison import BucketComparison, Repeated
from cli.operator.checksums import ChecksumTotals, compare_checksums
from cli.operator.findings import Finding, State
from cli.operator.object_reading import ReadTotals, Sample, read_objects
from cli.operator.read_state import read_state
from cli.operator.reconciliation import FormerPlaces, ReconcileReport, compare_stack, judge
from cli.operator.resend import MakeEvent, event_maker, send_events
from cli.operator.resources import Queue, StackResources, open_resources
from cli.operator.temporary_database import NO_END
from cli.operator.unsealed import SealTotals
from cli.options import (
    add_json,
    add_key_prefix,
    minutes,
    named_path,
    positive_integer,
    positive_number,
    stack_of,
)
from cli.screen.terminal import ABSENT, Row, Terminal, second_of, size_text
from functions.contract.entry import format_time
from functions.reconciliation.inventory import StoredVersion

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
    parser.add_argument(
        "--checksums",
        action="store_true",
        help="also compare fingerprints with the SHA-256 that S3 stored: one request for each object version",
    )
    parser.add_argument(
        "--read",
        action="store_true",
        help="also read the objects, and compare their SHA-256 with the fingerprints",
    )
    parser.add_argument(
        "--sample",
        type=sample,
        metavar="N|P%",
        help="with --read: only N object versions, or P percent of them, by chance (default: all)",
    )
    parser.add_argument(
        "--seed",
        metavar="TEXT",
        help="with --read: repeat the choice of the run that wrote this seed (default: a new one)",
    )
    parser.add_argument(
        "--state",
        type=named_path,
        metavar="FILE",
        help="with --read: keep in FILE what has been read, and leave that out the next time",
    )
    parser.add_argument(
        "--former-bucket",
        action="append",
        default=[],
        metavar="NAME",
        help="a bucket that the stack had before: its entries aren't foreign; can be given several times",
    )
    parser.add_argument(
        "--former-prefix",
        action="append",
        default=[],
        metavar="PREFIX",
        help="the same for a prefix that the stack had before in its bucket",
    )
    parser.add_argument("--fix", action="store_true", help="send what is missing through the resend queue")
    parser.add_argument("--dry-run", action="store_true", help="with --fix: only say what would be sent")
    add_json(parser, "write one JSON document to stdout, with nothing left out")


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Compare, fix if asked to, and report; 0 only if the ledger is complete and nothing in it is wrong."""
    if options.dry_run and not options.fix:
        raise UsageError("--dry-run goes with --fix: without --fix, nothing is changed anyway")
    if (options.sample or options.seed or options.state) and not options.read:
        raise UsageError("--sample, --seed and --state go with --read")
    former = FormerPlaces(buckets=frozenset(options.former_bucket), prefixes=tuple(options.former_prefix))
    with (
        open_resources(stack_of(options), as_administrator=options.checksums or options.read) as resources,
        compare_stack(resources, options.prefix, terminal.counting, former) as compared,
    ):
        checksums = (
            compare_checksums(compared.comparison, resources, terminal.counting)
            if options.checksums
            else None
        )
        reading = _read(options, compared.comparison, resources, terminal) if options.read else None
        report = judge(compared, options.age)
        event_of = event_maker(resources, SOURCE) if options.fix else None
        sent = 0
        if event_of and not options.dry_run and report.totals.missing:
            sent = send_events(
                resources, map(event_of, report.missing()), report.totals.missing, terminal.counting
            )
        done = Reconciled(
            report=report,
            checksums=checksums,
            reading=reading,
            sent=sent,
            resends=resources.resend_queue(),
            dead_letters=resources.dead_letter_queue(),
        )
        if options.json:
            write_json(done, resources, event_of if options.dry_run else None, terminal)
        else:
            write_report(done, terminal)
            _write_next_step(done, options, terminal)
    return 0 if report.totals.complete and report.totals.confirmed else 1


def sample(text: str) -> Sample:
    """Read a number of object versions, or a percentage of them."""
    if not text.endswith("%"):
        return Sample(most=positive_integer(text))
    percent = positive_number(text[:-1])
    if percent > 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed: give at most 100%")
    return Sample(share=percent / 100)


def _read(
    options: argparse.Namespace, comparison: BucketComparison, resources: StackResources, terminal: Terminal
) -> ReadTotals:
    def announce(objects: int, size_bytes: int) -> None:
        terminal.complain(
            f"reading {objects:,} object versions: {objects:,} GET requests, {size_text(size_bytes)}; "
            f"seed {state.seed}"
        )

    stack = resources.bucket, resources.ledger_table
    with read_state(options.state, *stack, options.seed) as state:
        return read_objects(
            comparison,
            resources,
            options.sample or Sample(),
            state,
            announce,
            terminal.counting_bytes,
        )


@dataclass(frozen=True, kw_only=True)
class Reconciled:
    """What a run found and did. `checksums` and `reading` are None unless they were asked for."""

    report: ReconcileReport
    checksums: ChecksumTotals | None
    reading: ReadTotals | None
    sent: int
    resends: Queue
    dead_letters: Queue


def write_report(done: Reconciled, terminal: Terminal) -> None:
    """Write the first findings of each kind, the totals, and how many messages the queues hold."""
    report, totals = done.report, done.report.totals
    comparison = report.compared.comparison
    terminal.excerpt(
        (totals.missing, map(_missing_row, report.missing()), " that are missing"),
        (totals.repeated, map(_repeated_row, comparison.repeated()), " that are repeated"),
        *(
            (count, map(partial(_finding_row, state), report.findings(state)), f" ({state})")
            for state, count in totals.by_state().items()
        ),
    )
    line = (
        f"object versions: {totals.versions:,} = {totals.recorded:,} recorded + {totals.missing:,} missing + "
        f"{totals.in_flight:,} in flight"
    )
    besides = (
        (totals.repeated, "recorded more than once"),
        *((count, state) for state, count in totals.by_state().items()),
        (totals.gone, "gone before it was read"),
    )
    terminal.write("; ".join([line, *(f"{count:,} {what}" for count, what in besides if count)]))
    if totals.former:
        terminal.write(f"entries about former places, not compared with S3: {totals.former:,}")
    terminal.write(_seal_line(report.compared.sealed))
    if done.checksums:
        terminal.write(
            f"fingerprints: {done.checksums.compared:,} compared with S3's, "
            f"{done.checksums.without:,} of which S3 has no SHA-256"
        )
    if done.reading:
        read = done.reading
        terminal.write(
            f"object versions read: {read.read:,}, {size_text(read.bytes)}; left out, as read by earlier "
            f"runs: {read.read_before:,}; seed {read.seed}"
        )
    if not (done.checksums or done.reading):
        terminal.write("fingerprints were not compared: --checksums and --read do that")
    queue = report.compared.queue
    terminal.write(
        f"about {queue.waiting:,} messages waiting in the queue, {queue.in_work:,} being processed, "
        f"{done.dead_letters.messages:,} dead letters"
    )
    terminal.write(
        f"about {done.resends.waiting:,} messages waiting in the resend queue, "
        f"{done.resends.in_work:,} being processed"
    )


def write_json(
    done: Reconciled, resources: StackResources, planned: MakeEvent | None, terminal: Terminal
) -> None:
    """Write everything as one JSON document; with `planned`, also the messages that would be sent."""
    report, compared = done.report, done.report.compared
    comparison, end = compared.comparison, report.judged_before
    members = {
        "complete": report.totals.complete,
        "confirmed": report.totals.confirmed,
        "bucket": resources.bucket,
        "prefix": compared.prefix,
        "began_at": format_time(compared.began_at),
        "judged_before": None if end == NO_END else end,
        "totals": asdict(report.totals),
        "log": compared.sealed and asdict(compared.sealed),
        "checksums": done.checksums and asdict(done.checksums),
        "read": done.reading and asdict(done.reading),
        "sent": done.sent,
        "queue": _messages(compared.queue),
        "resend_queue": _messages(done.resends),
        "dead_letters": done.dead_letters.messages,
    }
    lists: dict[str, Iterable[object]] = {
        "missing": map(asdict, report.missing()),
        "in_flight": map(asdict, comparison.unrecorded(start=end)),
        "repeated": map(asdict, comparison.repeated()),
    }
    lists |= {state.name.lower(): map(asdict, report.findings(state)) for state in State}
    if planned:
        lists["messages"] = map(planned, report.missing())
    terminal.json_of_lists(members, lists)


def _seal_line(sealed: SealTotals | None) -> str:
    if sealed is None:
        return "the stack has no log yet that seals its entries: deploy the current program"
    since = f", the oldest recorded at {second_of(sealed.since)}" if sealed.since else ""
    return f"log: {sealed.leaves:,} entries sealed, {sealed.unsealed:,} not sealed yet{since}"


def _messages(queue: Queue) -> dict[str, int]:
    return {"waiting": queue.waiting, "in_work": queue.in_work}


def _write_next_step(done: Reconciled, options: argparse.Namespace, terminal: Terminal) -> None:
    totals = done.report.totals
    if done.sent:
        terminal.write(
            f"{done.sent:,} sent through the resend queue: when they have been processed, run this again "
            "without --fix"
        )
    elif options.dry_run:
        terminal.write(
            f"dry run: {totals.missing:,} would be sent through the resend queue; nothing was sent"
        )
    elif totals.missing and done.dead_letters.waiting:
        terminal.complain(
            "look at the dead letters first (`bill-e dead-letters`): they may be the missing uploads"
        )
    elif totals.missing:
        terminal.complain("`bill-e reconcile --fix` sends what is missing through the resend queue")
    if totals.repeated:
        terminal.complain("an object version has more than one entry: the ledger is wrong there", style="red")
    if totals.unknown:
        terminal.complain(
            "unknown: somebody deleted the object version for good, or invented the entry; the bucket's "
            "access log or CloudTrail tells which"
        )
    if totals.unbacked:
        terminal.complain(
            "unbacked: no object version of a receipt is left: if you have the file, upload it with --again"
        )
    if totals.unsealed:
        terminal.complain(
            "unsealed: if the sealer has an alarm, docs/operations.md says what to do; otherwise run it by "
            "hand"
        )
    if not totals.confirmed:
        terminal.complain("S3 doesn't confirm every entry: docs/operations.md says what to do", style="red")


def _missing_row(version: StoredVersion) -> Row:
    return _row("missing", version.key, version.version_id, version.modified, size_text(version.size_bytes))


def _repeated_row(repeated: Repeated) -> Row:
    return _row("repeated", repeated.key, repeated.version_id, "", f"{repeated.entries} entries")


def _finding_row(state: State, finding: Finding) -> Row:
    return _row(state, finding.key or ABSENT, finding.version_id, finding.uploaded_at, finding.detail)


def _row(state: str, key: str, version_id: str, uploaded_at: str, detail: str) -> Row:
    uploaded = second_of(uploaded_at) or ABSENT
    return {"STATE": state, "UPLOADED": uploaded, "VERSION": version_id, "KEY": key, "DETAIL": detail}


COMMAND = Command(
    name="reconcile",
    audience=Audience.OPERATORS,
    summary="compare the bucket with the ledger, and repair",
    description=__doc__,
    examples=(
        "bill-e reconcile --stack prod",
        "bill-e reconcile --checksums --former-prefix scans/ --stack prod",
        "bill-e reconcile --read --sample 1% --stack prod",
        "bill-e reconcile --read --state read.state --stack prod",
        "bill-e reconcile --fix --dry-run --stack prod",
        "bill-e reconcile --fix --stack prod",
        "bill-e reconcile --prefix 2026/11/ --age 60 --json --stack prod",
    ),
    add_options=add_options,
    run=run,
)
