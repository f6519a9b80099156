"""Upload files, and all files in folders, to the stack's bucket.

A file's key is its name, in Unicode normal form C; for a file in a folder, it is the path within that folder.
A file is not sent if its bytes have been accepted before, unless you give --again: after an interrupt, run
the same command again to send the rest. Every upload gets an entry in the ledger, even an empty or
unsupported file. --wait shows each outcome, and ends with exit code 3 if a file was rejected.

Hidden files (with a leading dot) and symbolic links in a folder are skipped, and listed with the reason; to
upload one, name it. What systems leave behind, such as Thumbs.db or an unfinished download, is always
skipped. Files that cannot be read or sent are listed at the end, and the exit code is then 1; the others are
still uploaded.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from cli.answers import ApiEntry
from cli.caller.connection import StackConnection, connect
from cli.caller.files import Found, find_files
from cli.caller.outcomes import UploadTotals, summarise, wait_for_outcomes
from cli.caller.transfer import AlreadyAccepted, Failed, NotSent, Result, Uploaded, require_distinct_keys
from cli.caller.upload_run import UploadRun, upload_files
from cli.commands import Audience, Command
from cli.errors import BillEError, UsageError
from cli.options import (
    add_json,
    completed_as_file,
    named_path,
    positive_integer,
    positive_number,
    stack_of,
    token_of,
)
from cli.screen.entries import detail_of
from cli.screen.progress import upload_bar
from cli.screen.terminal import ABSENT, Row, Terminal, size_text
from cli.stack import StackAccess
from functions.contract.entry import Outcome, Reason, format_time

TIMEOUT_SECONDS = 300.0
SETTLING_SECONDS = 10.0
"""How long an interrupted run waits for the entries of what it sent. The next run finds only what has one."""

EXIT_CODE_OF_OUTCOMES = 3

FAIL_ON = {"rejected": Outcome.REJECTED, "duplicate": Outcome.DUPLICATE}


@dataclass(frozen=True, kw_only=True)
class UploadReport:
    """How a run of the command ended. Each file is in `run.results` or in `found.skipped`, once."""

    access: StackAccess
    found: Found
    run: UploadRun
    outcomes: Mapping[Uploaded, ApiEntry]
    waited: bool

    @property
    def totals(self) -> UploadTotals:
        """The number of files by how they ended."""
        return summarise(self.run.results, self.outcomes)

    @property
    def stopped(self) -> str | None:
        """What ended the run early, if anything did."""
        stop = self.run.stopped_by
        return "interrupted" if isinstance(stop, KeyboardInterrupt) else str(stop) if stop else None

    def exit_code(self, fail_on: frozenset[Outcome]) -> int:
        """Return 1 unless there were files, and all arrived and, after waiting, have their outcomes."""
        totals = self.totals
        if not self.run.results or totals.failed or totals.not_sent or (self.waited and totals.pending):
            return 1
        outcomes = {entry["outcome"] for entry in self.outcomes.values()}
        outcomes |= {Outcome.DUPLICATE} if totals.already_accepted else set()
        return EXIT_CODE_OF_OUTCOMES if self.waited and outcomes & fail_on else 0


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    completed_as_file(
        parser.add_argument(
            "paths",
            metavar="FILE",
            nargs="+",
            type=named_path,
            help="a file, a folder, or a pattern: *.pdf",
        )
    )
    parser.add_argument(
        "--prefix",
        default="",
        help="put this before each key, such as 2026/, after the stack's own prefix (default: nothing)",
    )
    parser.add_argument(
        "--again",
        action="store_true",
        help="also send files whose bytes have been accepted before, for example because S3 has lost them",
    )
    parser.add_argument("--wait", action="store_true", help="wait until each upload has its outcome")
    parser.add_argument(
        "--timeout",
        type=positive_number,
        metavar="SECONDS",
        help="with --wait: wait no longer than this; if an outcome is still missing then, the exit code is 1 "
        f"(default: {TIMEOUT_SECONDS:.0f})",
    )
    parser.add_argument(
        "--fail-on",
        type=_outcomes,
        metavar="OUTCOMES",
        help="with --wait: the exit code is 3 if a file is one of these: rejected, duplicate (or accepted "
        "before), both with a comma between them, or none (default: rejected)",
    )
    parser.add_argument(
        "--concurrency", type=positive_integer, default=8, metavar="N", help="parallel uploads (default: 8)"
    )
    add_json(parser)


def _outcomes(text: str) -> frozenset[Outcome]:
    names = [] if text == "none" else text.split(",")
    if not FAIL_ON.keys() >= set(names):
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed: give rejected, duplicate, both, or none")
    return frozenset(FAIL_ON[name] for name in names)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Upload, wait if asked to, and report, also if something ended the run early."""
    for option in ("timeout", "fail_on"):
        if getattr(options, option) is not None and not options.wait:
            raise UsageError(f"--{option.replace('_', '-')} needs --wait: without it, no outcome is known")
    access = stack_of(options)
    found = find_files(options.paths)
    with connect(
        access,
        token=token_of(options),
        prefix=options.prefix,
        again=options.again,
        concurrency=options.concurrency,
    ) as stack:
        if stack.names_are_keys:
            require_distinct_keys(found)
        uploaded = _upload(found, stack, options, terminal)
        outcomes: dict[Uploaded, ApiEntry] = {}
        interrupted = isinstance(uploaded.stopped_by, KeyboardInterrupt)
        report = UploadReport(
            access=access,
            found=found,
            run=uploaded,
            outcomes=outcomes,
            waited=options.wait or interrupted,
        )
        try:
            if interrupted:
                _settle(stack, uploaded, outcomes, terminal)
            elif options.wait and not uploaded.stopped_by:
                _wait(stack, uploaded, outcomes, options.timeout or TIMEOUT_SECONDS, terminal)
        finally:
            # What was uploaded is reported even if waiting was interrupted or refused.
            if options.json:
                terminal.json(report_json(report))
            else:
                write_report(report, terminal)
    if uploaded.stopped_by:
        raise uploaded.stopped_by
    fail_on = frozenset({Outcome.REJECTED}) if options.fail_on is None else options.fail_on
    return report.exit_code(fail_on)


def _upload(
    found: Found, stack: StackConnection, options: argparse.Namespace, terminal: Terminal
) -> UploadRun:
    with upload_bar(terminal.err, len(found.files), found.size_bytes()) as (count_bytes, count_files):

        def on_result(result: Result) -> None:
            if isinstance(result, Uploaded | AlreadyAccepted):
                count_files(1)
            if isinstance(result, AlreadyAccepted):
                count_bytes(result.size_bytes)

        return upload_files(
            found,
            stack.send_file,
            look_up=stack.look_up,
            concurrency=options.concurrency,
            on_bytes=count_bytes,
            on_result=on_result,
        )


def _wait(
    stack: StackConnection,
    uploaded: UploadRun,
    outcomes: dict[Uploaded, ApiEntry],
    seconds: float,
    terminal: Terminal,
) -> None:
    with terminal.counting("outcomes", len(uploaded.uploads)) as advance:
        for upload, entry in wait_for_outcomes(stack.api, uploaded.uploads, timeout_seconds=seconds):
            outcomes[upload] = entry
            advance(1)


def _settle(
    stack: StackConnection, uploaded: UploadRun, outcomes: dict[Uploaded, ApiEntry], terminal: Terminal
) -> None:
    """Wait for the entries of what was sent before an interrupt, as long as nobody interrupts that."""
    if uploaded.uploads:
        terminal.complain(
            f"stopped; waiting up to {SETTLING_SECONDS:.0f} s for the outcomes of what was sent "
            "(Ctrl-C ends this)"
        )
        with suppress(BillEError, KeyboardInterrupt):
            _wait(stack, uploaded, outcomes, SETTLING_SECONDS, terminal)


def write_report(report: UploadReport, terminal: Terminal) -> None:
    """Write what arrived, what is left to send and the totals to stdout, the other files to stderr."""
    results, totals = report.run.results, report.totals
    terminal.table(_row(result, report) for result in results if not isinstance(result, Failed))
    for skipped in report.found.skipped:
        terminal.complain(f"skipped: {skipped.path}: {skipped.reason}")
    for result in results:
        if isinstance(result, Failed):
            terminal.complain(f"not uploaded: {result.path}: {result.reason}", style="red")
    if report.run.look_up_failure and report.run.uploads:
        terminal.complain(
            "what had been accepted before was sent again, since it couldn't be looked up: "
            f"{report.run.look_up_failure}"
        )
    if results:
        terminal.write(totals_line(report))
    else:
        terminal.complain("nothing to upload")
    if report.stopped and totals.pending:
        terminal.complain(
            f"{totals.pending:,} of the uploads have no entry yet: until they do, the same command would "
            "send them again, as duplicates"
        )


def totals_line(report: UploadReport) -> str:
    """Such as ``3 uploads = 1 accepted + 1 duplicate + 1 rejected; 2 skipped``."""
    totals = report.totals
    uploads = totals.sentence() if report.waited else f"{totals.uploads:,} uploaded"
    besides = {
        "accepted before, not uploaded": totals.already_accepted,
        "skipped": len(report.found.skipped),
        "not uploaded": totals.failed,
        "not sent: the same command sends the rest": totals.not_sent,
    }
    return "; ".join([uploads, *(f"{count:,} {what}" for what, count in besides.items() if count)])


def report_json(report: UploadReport) -> dict[str, Any]:
    """Write the report as one JSON document."""
    by_kind: dict[type, list[dict[str, Any]]] = {Uploaded: [], AlreadyAccepted: [], Failed: [], NotSent: []}
    for result in report.run.results:
        members = asdict(result) | {"path": str(result.path)}
        if isinstance(result, Uploaded):
            members["stored_at"] = format_time(result.stored_at) if result.stored_at else None
            members["entry"] = report.outcomes.get(result)
        by_kind[type(result)].append(members)
    skipped = [{"path": str(each.path), "reason": each.reason} for each in report.found.skipped]
    return {
        "uploads": by_kind[Uploaded],
        "already_accepted": by_kind[AlreadyAccepted],
        "failed": by_kind[Failed],
        "not_sent": by_kind[NotSent],
        "skipped": skipped,
        "stopped": report.stopped,
        "look_up_failure": report.run.look_up_failure,
        "totals": asdict(report.totals) | {"skipped": len(skipped)},
    }


def _row(result: Uploaded | AlreadyAccepted | NotSent, report: UploadReport) -> Row:
    size = key = version = ABSENT
    detail = ""
    match result:
        case NotSent():
            outcome = "NOT SENT"
        case AlreadyAccepted():
            outcome, size = "ACCEPTED BEFORE", size_text(result.size_bytes)
            key, detail = result.key or ABSENT, f"on {result.recorded_at[:10]}"
        case Uploaded():
            size, key = size_text(result.size_bytes), result.key
            version = result.version_id or ABSENT
            if entry := report.outcomes.get(result):
                outcome = entry["outcome"]
                detail = detail_of(entry) + _what_is_accepted(entry.get("reason"), report.access)
            else:
                outcome = "NONE YET" if report.waited else "UPLOADED"
    return {
        "OUTCOME": outcome,
        "SIZE": size,
        "FILE": str(result.path),
        "KEY": key,
        "VERSION": version,
        "DETAIL": detail,
    }


def _what_is_accepted(reason: str | None, access: StackAccess) -> str:
    """Say what the stack accepts by its settings of today, if that explains a rejection."""
    if reason == Reason.TOO_LARGE and access.max_receipt_bytes:
        return f": accepted are up to {access.max_receipt_bytes:,} bytes"
    if reason == Reason.UNSUPPORTED_TYPE and access.accepted_types:
        return f": accepted are {', '.join(access.accepted_types)}"
    return ""


COMMAND = Command(
    name="upload",
    audience=Audience.CALLERS,
    summary="upload files and folders",
    description=__doc__,
    examples=(
        "bill-e upload receipt.png --stack dev",
        "bill-e upload scans/ invoice.pdf --wait --stack dev",
        "bill-e upload scans/ --prefix 2026/ --wait --json --outputs outputs.json",
    ),
    add_options=add_options,
    run=run,
)
