"""``python -m local demo``: the whole pipeline, on real files."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from cli.answers import ApiEntry
from cli.auditor.findings import Report
from cli.auditor.package import Manifest
from cli.auditor.verification import Given, verify
from cli.caller.api_client import EntryFilter
from cli.caller.connection import connect
from cli.caller.files import find_files
from cli.caller.outcomes import UploadTotals, summarise, wait_for_outcomes
from cli.caller.transfer import Failed, Result, Uploaded
from cli.caller.upload_run import upload_files
from cli.commands.export import export
from cli.errors import BillEError
from cli.screen.entries import entry_row
from cli.screen.progress import upload_bar
from cli.screen.terminal import Terminal
from cli.stack import parse_access
from functions.contract import schema
from functions.contract.sealing import SETTLED_AFTER_SECONDS
from functions.sealing.note import VerifierKey
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
        try:
            audit = audited(stack, terminal)
        except BillEError as error:
            raise LocalError(f"the audit of the demo failed: {error}") from error
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
    for line in audit:
        terminal.write(line)
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


def audited(stack: EmbeddedStack, terminal: Terminal) -> list[str]:
    """Have the ledger sealed and verify it; then change an entry behind its back, and verify it again."""
    invoked = stack.administrator.client("lambda").invoke(
        FunctionName=stack.outputs["sealer"], Payload=json.dumps({SETTLED_AFTER_SECONDS: 0}).encode()
    )
    if "FunctionError" in invoked:
        raise LocalError(f"the sealer failed: {invoked['Payload'].read().decode()}")
    access = parse_access(stack.description(), "the embedded AWS")
    key = VerifierKey.parse(str(access.log_public_key))
    with tempfile.TemporaryDirectory() as folder, connect(access, as_auditor=True) as connected:

        def verified() -> tuple[Manifest, Report]:
            package = Path(folder)
            manifest = export(
                connected,
                access,
                package,
                start=None,
                end=None,
                with_files=True,
                concurrency=CONCURRENCY,
                terminal=terminal,
            )
            return manifest, verify(Given(package=package, key=key))

        manifest, whole = verified()
        if whole.findings:
            raise LocalError(f"a ledger that nobody changed doesn't verify: {whole.findings[0]}")
        _change_an_entry(stack)
        _, changed = verified()
    checkpoint = f"{manifest.log_size} entries, root {whole.facts['log_root']}"
    return [
        f"The log, signed by {key.name}: {checkpoint}",
        "  exported and verified: nothing is wrong",
        "  after somebody changed a size in the table:",
        *(f"    {found.code}: {found.about}: {found.detail}" for found in changed.findings[:1]),
    ]


def _change_an_entry(stack: EmbeddedStack) -> None:
    dynamodb, table = stack.administrator.client("dynamodb"), stack.outputs["ledger_table"]
    items = dynamodb.scan(TableName=table)["Items"]
    receipt = next(item for item in items if item[schema.ENTRY]["S"] == schema.RECEIPT)
    dynamodb.update_item(
        TableName=table,
        Key={name: receipt[name] for name in (schema.FINGERPRINT, schema.ENTRY)},
        UpdateExpression="SET size_bytes = :size",
        ExpressionAttributeValues={":size": {"N": "1"}},
    )


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
