"""Upload files, and all files in folders, to the stack's bucket.

A file's key is its name, in Unicode normal form C; for a file in a folder, it is the path within that folder.
Hidden files (with a leading dot) and symbolic links in a folder are skipped, and listed with the reason; to
upload one, name it. Files that cannot be read or sent are listed at the end, and the exit code is then 1; the
others are still uploaded. Every upload gets an entry in the ledger, even an empty or unsupported file. --wait
shows each outcome.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cli.answers import ApiEntry
from cli.caller.connection import connect
from cli.caller.files import NotTaken, find_files
from cli.caller.outcomes import UploadTotals, summarise, wait_for_outcomes
from cli.caller.transfer import AlreadyAccepted, Failed, Result, Uploaded, require_distinct_keys, upload_files
from cli.commands import Command
from cli.options import add_json, named_path, positive_integer, positive_number, stack_of, token_of
from cli.screen.entries import detail_of
from cli.screen.progress import upload_bar
from cli.screen.terminal import ABSENT, Row, Terminal, second_of, size_text
from functions.contract.entry import format_time


@dataclass(frozen=True, kw_only=True)
class UploadReport:
    """How a run of the command ended. Each file is in `results` or in `skipped`, once."""

    results: Sequence[Result]
    outcomes: Mapping[Uploaded, ApiEntry]
    skipped: Sequence[NotTaken]
    waited: bool

    @property
    def totals(self) -> UploadTotals:
        """The number of files by how they ended."""
        return summarise(self.results, self.outcomes)

    @property
    def complete(self) -> bool:
        """Whether there were files, and all of them arrived and, after waiting, have their outcomes."""
        totals = self.totals
        return bool(self.results) and not totals.failed and not (self.waited and totals.pending)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("paths", metavar="FILE", nargs="+", type=named_path, help="a file or a folder")
    parser.add_argument(
        "--prefix",
        default="",
        help="put this before each key, such as 2026/, after the stack's own prefix (default: nothing)",
    )
    parser.add_argument("--wait", action="store_true", help="wait until each upload has its outcome")
    parser.add_argument(
        "--timeout",
        type=positive_number,
        default=300.0,
        metavar="SECONDS",
        help="with --wait: wait no longer than this; if an outcome is still missing then, the exit code is 1 "
        "(default: 300)",
    )
    parser.add_argument(
        "--concurrency", type=positive_integer, default=8, metavar="N", help="parallel uploads (default: 8)"
    )
    add_json(parser)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Upload, wait if asked to, and report; return 1 if a file failed or got no outcome in time."""
    access = stack_of(options)
    found = find_files(options.paths)
    with connect(
        access, token=token_of(options), prefix=options.prefix, concurrency=options.concurrency
    ) as stack:
        if stack.names_are_keys:
            require_distinct_keys(found)
        with upload_bar(terminal.err, len(found.files), found.size_bytes()) as (on_bytes, on_result):
            results = upload_files(
                found,
                stack.send_file,
                concurrency=options.concurrency,
                on_bytes=on_bytes,
                on_result=on_result,
            )
        outcomes: dict[Uploaded, ApiEntry] = {}
        report = UploadReport(results=results, outcomes=outcomes, skipped=found.skipped, waited=options.wait)
        try:
            if options.wait:
                uploads = [result for result in results if isinstance(result, Uploaded)]
                with terminal.counting("outcomes", len(uploads)) as advance:
                    for upload, entry in wait_for_outcomes(
                        stack.api, uploads, timeout_seconds=options.timeout
                    ):
                        outcomes[upload] = entry
                        advance(1)
        finally:
            # What was uploaded is reported even if waiting was interrupted or refused.
            if options.json:
                terminal.json(report_json(report))
            else:
                write_report(report, terminal)
    return 0 if report.complete else 1


def write_report(report: UploadReport, terminal: Terminal) -> None:
    """Write what arrived and the totals to stdout, the other files to stderr."""
    terminal.table(_row(result, report) for result in report.results if not isinstance(result, Failed))
    for skipped in report.skipped:
        terminal.complain(f"skipped: {skipped.path}: {skipped.reason}")
    for result in report.results:
        if isinstance(result, Failed):
            terminal.complain(f"not uploaded: {result.path}: {result.reason}", style="red")
    if report.results:
        terminal.write(totals_line(report))
    else:
        terminal.complain("nothing to upload")


def totals_line(report: UploadReport) -> str:
    """Such as ``3 uploads = 1 accepted + 1 duplicate + 1 rejected; 2 skipped``."""
    totals = report.totals
    uploads = totals.sentence() if report.waited else f"{totals.uploads} uploaded"
    besides = {
        "accepted before, not uploaded": totals.already_accepted,
        "skipped": len(report.skipped),
        "not uploaded": totals.failed,
    }
    return "; ".join([uploads, *(f"{count} {what}" for what, count in besides.items() if count)])


def report_json(report: UploadReport) -> dict[str, Any]:
    """Write the report as one JSON document."""
    by_kind: dict[type, list[dict[str, Any]]] = {Uploaded: [], AlreadyAccepted: [], Failed: []}
    for result in report.results:
        members = asdict(result) | {"path": str(result.path)}
        if isinstance(result, Uploaded):
            members["stored_at"] = format_time(result.stored_at) if result.stored_at else None
            members["entry"] = report.outcomes.get(result)
        by_kind[type(result)].append(members)
    return {
        "uploads": by_kind[Uploaded],
        "already_accepted": by_kind[AlreadyAccepted],
        "failed": by_kind[Failed],
        "skipped": [{"path": str(skipped.path), "reason": skipped.reason} for skipped in report.skipped],
        "totals": asdict(report.totals) | {"skipped": len(report.skipped)},
    }


def _row(result: Uploaded | AlreadyAccepted, report: UploadReport) -> Row:
    if isinstance(result, AlreadyAccepted):
        outcome, key, detail = "ACCEPTED BEFORE", ABSENT, f"on {second_of(result.recorded_at)}"
    elif entry := report.outcomes.get(result):
        outcome, key, detail = entry["outcome"], result.key, detail_of(entry)
    else:
        outcome, key = "NONE YET" if report.waited else "UPLOADED", result.key
        detail = f"version {result.version_id}" if result.version_id else ""
    return {
        "OUTCOME": outcome,
        "SIZE": size_text(result.size_bytes),
        "FILE": str(result.path),
        "KEY": key,
        "DETAIL": detail,
    }


COMMAND = Command(
    name="upload",
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
