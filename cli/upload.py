"""`bill-e upload`: files and folders to the stack, and what became of them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cli.api import Entry, LedgerApi, rfc3339
from cli.command import Command
from cli.files import Found, NotTaken, find_files, size_of
from cli.options import named_path, positive_integer, positive_number, stack_of, token_of
from cli.outcomes import Totals, summarise, wait_for_outcomes
from cli.progress import count_bar, upload_bar
from cli.session import connect
from cli.terminal import ABSENT, Row, Terminal, detail_of, size_text
from cli.transfer import AlreadyAccepted, Failed, Result, SendFile, Uploaded, upload_files

DESCRIPTION = """\
Upload files, and all files below folders, to the stack's bucket.

A file's key is its name; below a folder, its path from there. Below a folder, hidden names (with a leading
dot) and symbolic links are skipped; named themselves, they are taken. Whatever is skipped is printed with its
reason. A file that cannot be read or sent is listed at the end, and the exit code is then 1; the others are
uploaded all the same. Every upload gets its entry in the ledger, also an empty or unsupported file: --wait
shows what became of each.
"""

EXAMPLES = """\
examples:
  bill-e upload receipt.png --stack dev
  bill-e upload scans/ invoice.pdf --wait --stack dev
  bill-e upload scans/ --prefix 2026/ --wait --json --outputs outputs.json
"""


@dataclass(frozen=True, kw_only=True)
class Report:
    """How a run of the command ended: each file once, either in `results` or in `skipped`."""

    results: Sequence[Result]
    outcomes: Mapping[Uploaded, Entry]
    skipped: Sequence[NotTaken]
    waited: bool

    @property
    def totals(self) -> Totals:
        """The sums of it."""
        return summarise(self.results, self.outcomes)

    @property
    def complete(self) -> bool:
        """Whether there was a file, every file arrived and, where that was asked for, has its outcome."""
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
        help="with --wait: the longest wait; what has no outcome then is listed, exit code 1 (default: 300)",
    )
    parser.add_argument(
        "--concurrency", type=positive_integer, default=8, metavar="N", help="uploads at a time (default: 8)"
    )
    parser.add_argument("--json", action="store_true", help="write one JSON document to stdout")


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Upload, wait where asked, and report; 1 when a file failed or has no outcome in time."""
    access = stack_of(options)
    found = find_files(options.paths)
    with connect(
        access, token=token_of(options), prefix=options.prefix, concurrency=options.concurrency
    ) as stack:
        results = upload_with_progress(found, stack.send_file, options.concurrency, terminal)
        outcomes: dict[Uploaded, Entry] = {}
        report = Report(results=results, outcomes=outcomes, skipped=found.skipped, waited=options.wait)
        try:
            if options.wait:
                uploads = [result for result in results if isinstance(result, Uploaded)]
                outcomes.update(wait_with_progress(stack.api, uploads, options.timeout, terminal))
        finally:
            # Also when waiting was interrupted or refused: what was uploaded has to be told.
            if options.json:
                terminal.json(report_json(report))
            else:
                write_report(report, terminal)
    return 0 if report.complete else 1


def upload_with_progress(
    found: Found, send_file: SendFile, concurrency: int, terminal: Terminal
) -> list[Result]:
    """Upload what was found, showing progress; what could not be read is among the results as failed."""
    with upload_bar(terminal.err, len(found.files), sum(map(size_of, found.files))) as (add_bytes, add_files):
        results = upload_files(
            found.files,
            send_file,
            concurrency=concurrency,
            on_bytes=add_bytes,
            on_result=lambda _: add_files(1),
        )
    return results + [Failed(path=missed.path, reason=missed.reason) for missed in found.unreadable]


def wait_with_progress(
    api: LedgerApi, uploads: Sequence[Uploaded], timeout_seconds: float, terminal: Terminal
) -> Iterator[tuple[Uploaded, Entry]]:
    """Wait for outcomes as `wait_for_outcomes` does, showing progress."""
    with count_bar(terminal.err, "outcomes", len(uploads)) as advance:
        for found in wait_for_outcomes(api, uploads, timeout_seconds=timeout_seconds):
            advance(1)
            yield found


def write_report(report: Report, terminal: Terminal) -> None:
    """Write what became of each file: what arrived to stdout, what didn't to stderr, and the totals."""
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


def totals_line(report: Report) -> str:
    """Such as ``3 uploads = 1 accepted + 1 duplicate + 1 rejected; 2 skipped``."""
    totals = report.totals
    uploads = totals.sentence() if report.waited else f"{totals.uploads} uploaded"
    besides = {
        "accepted before, not uploaded": totals.already_accepted,
        "skipped": len(report.skipped),
        "not uploaded": totals.failed,
    }
    return "; ".join([uploads, *(f"{count} {what}" for what, count in besides.items() if count)])


def report_json(report: Report) -> dict[str, Any]:
    """Write the report as one JSON document."""
    by_kind: dict[type, list[dict[str, Any]]] = {Uploaded: [], AlreadyAccepted: [], Failed: []}
    for result in report.results:
        members = asdict(result) | {"path": str(result.path)}
        if isinstance(result, Uploaded):
            members["stored_at"] = rfc3339(result.stored_at) if result.stored_at else None
            members["entry"] = report.outcomes.get(result)
        by_kind[type(result)].append(members)
    return {
        "uploads": by_kind[Uploaded],
        "already_accepted": by_kind[AlreadyAccepted],
        "failed": by_kind[Failed],
        "skipped": [{"path": str(skipped.path), "reason": skipped.reason} for skipped in report.skipped],
        "totals": asdict(report.totals) | {"skipped": len(report.skipped)},
    }


def _row(result: Uploaded | AlreadyAccepted, report: Report) -> Row:
    if isinstance(result, AlreadyAccepted):
        outcome, key, detail = "ACCEPTED BEFORE", ABSENT, f"as {result.receipt['key']}"
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
    description=DESCRIPTION,
    examples=EXAMPLES,
    add_options=add_options,
    run=run,
)
