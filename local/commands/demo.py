"""``python -m local demo``: the whole pipeline, on real files."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence

from cli.answers import ApiEntry
from cli.caller.api_client import EntryFilter
from cli.caller.connection import connect
from cli.caller.files import find_files
from cli.caller.outcomes import UploadTotals, summarise, wait_for_outcomes
from cli.caller.transfer import Failed, Result, Uploaded
from cli.caller.upload_run import upload_files
from cli.errors import BillEError
from cli.screen.entries import entry_row
from cli.screen.progress import upload_bar
from cli.screen.terminal import Terminal
from cli.stack import parse_access
from local import REPOSITORY, LocalError
from local.dashboard import Figure, count_receipts, dashboard_figures, extract_metrics, read_logs
from local.embedded_stack import EmbeddedStack, running_stack

SAMPLES = REPOSITORY / "samples"
SAMPLE_FOLDERS = (SAMPLES / "good", SAMPLES / "bad")
CONCURRENCY = 4
OUTCOME_TIMEOUT_SECONDS = 120.0
LOG_TIMEOUT_SECONDS, LOG_PAUSE_SECONDS = 10.0, 0.2


def demo() -> None:
    """Deploy, upload the samples, wait for their outcomes, and print the ledger, totals and dashboard.

    Raises:
        LocalError: something cannot be started, uploaded or read, or the totals don't add up.

    """
    terminal = Terminal.over(sys.stdout, sys.stderr)
    terminal.complain("starting an embedded AWS, and deploying the program on it")
    with running_stack() as stack:
        terminal.complain(f"deployed on {stack.emulator.endpoint_url}; uploading {SAMPLES.name}/")
        try:
            results, outcomes, ledger = _run(stack, terminal)
        except BillEError as error:
            raise LocalError(f"the demo failed: {error}") from error
        figures = _dashboard(stack, len(ledger))
    terminal.table(entry_row(entry, full_fingerprint=False) for entry in ledger)
    totals = summarise(results, outcomes)
    terminal.write(totals.sentence())
    for failed in results:
        if isinstance(failed, Failed):
            terminal.complain(f"not uploaded: {failed.path}: {failed.reason}")
    width = max((len(figure.title) for figure in figures), default=0)
    terminal.write("The dashboard, as far as it can be read from the functions' logs:")
    for figure in figures:
        terminal.write(f"  {figure.title:{width}}  {figure}")
    if mismatch := find_mismatch(totals, ledger):
        raise LocalError(f"the demo does not add up: {mismatch}")


def _run(
    stack: EmbeddedStack, terminal: Terminal
) -> tuple[Sequence[Result], Mapping[Uploaded, ApiEntry], Sequence[ApiEntry]]:
    """Use the stack as `bill-e` does; return the uploads, their outcomes, and the whole ledger."""
    access = parse_access(stack.description(), "the embedded AWS")
    with connect(access, concurrency=CONCURRENCY) as connected:
        found = find_files(SAMPLE_FOLDERS)
        with upload_bar(terminal.err, len(found.files), found.size_bytes()) as (on_bytes, on_files):
            run = upload_files(
                found,
                connected.send_file,
                look_up=connected.look_up,
                concurrency=CONCURRENCY,
                on_bytes=on_bytes,
                on_result=lambda _: on_files(1),
            )
        if run.stopped_by:
            raise run.stopped_by
        outcomes: dict[Uploaded, ApiEntry] = {}
        with terminal.counting("outcomes", len(run.uploads)) as advance:
            for upload, entry in wait_for_outcomes(
                connected.api, run.uploads, timeout_seconds=OUTCOME_TIMEOUT_SECONDS
            ):
                outcomes[upload] = entry
                advance(1)
        ledger = [entry for page in connected.api.pages(EntryFilter()) for entry in page["entries"]]
        return run.results, outcomes, ledger


def _dashboard(stack: EmbeddedStack, receipts: int) -> list[Figure]:
    """Read the dashboard's figures once the logs have them: a function writes its metrics when it ends."""
    deadline = time.monotonic() + LOG_TIMEOUT_SECONDS
    while count_receipts(lines := read_logs(stack.administrator)) < receipts and time.monotonic() < deadline:
        time.sleep(LOG_PAUSE_SECONDS)
    extract_metrics(stack.administrator, lines)
    return dashboard_figures(stack.administrator, stack.outputs["dashboard"])


def find_mismatch(totals: UploadTotals, ledger: Sequence[ApiEntry]) -> str | None:
    """Say what is wrong, unless every upload has exactly one entry and every outcome has occurred."""
    if totals.failed:
        return f"{totals.failed} files were not uploaded"
    if totals.pending:
        return f"{totals.pending} uploads have no outcome after {OUTCOME_TIMEOUT_SECONDS:.0f} s"
    if len(ledger) != totals.uploads:
        return f"the ledger has {len(ledger)} entries for {totals.uploads} uploads"
    entries = Counter(str(entry["outcome"]) for entry in ledger)
    for outcome in ("accepted", "duplicate", "rejected"):
        uploads = getattr(totals, outcome)
        if not uploads:
            return f"no upload is {outcome}, though the samples have some that should be"
        if uploads != entries[outcome.upper()]:
            return f"{uploads} uploads are {outcome}, and {entries[outcome.upper()]} entries"
    return None
