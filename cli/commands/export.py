"""Export an audit package: entries, the log that seals them, and if you want the receipts themselves.

`bill-e verify` checks the package without a network, and so do programs that others wrote. It has the entries
of a period, newest first, in CSV and in JSON Lines, and the whole log. What is too new to be sealed is left
out: the command says up to when the package goes.

If the command is interrupted, run it again: what is there already isn't fetched a second time.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cli.answers import ApiEntry
from cli.auditor import package as layout
from cli.auditor.rows import named_object
from cli.caller.api_client import EntryFilter
from cli.caller.connection import StackConnection, connect
from cli.caller.download import downloaded, give_name
from cli.caller.log_download import DownloadedLog, download_log, log_files
from cli.commands import Audience, Command
from cli.errors import BillEError, DeniedError, SignInError, UsageError
from cli.options import (
    add_time_range,
    named_path,
    positive_integer,
    refuse_empty_range,
    stack_of,
    token_of,
)
from cli.screen.progress import Advance
from cli.screen.terminal import Terminal
from cli.stack import StackAccess
from functions.contract.entry import Outcome, format_time
from functions.sealing.note import VerifierKey
from functions.sealing.proof import Proof
from functions.sealing.tree import Tree

MOST_PROOFS = 1_000
"""With more entries, a package has no proofs, and needs none: the log proves all of them."""

README = """\
An audit package of Bill-E
==========================

This folder has the entries of a ledger of receipts from {start} to {end}, and the log that seals them.
An entry says that a file arrived, when, from whom, with which SHA-256, and what became of it. The log was
signed while the entries were new, so nobody can change, add or remove one without this being found.

package.json     what this package has
entries.csv      the entries, for a spreadsheet; a cell that begins with an apostrophe is text
entries.jsonl    the same entries; the SHA-256 of each line without its line feed is in the log
log/             the log, as c2sp.org/tlog-tiles describes it
log.vkey         the key that verifies log/checkpoint
proofs/          a proof for each entry (c2sp.org/tlog-proof), if there are up to 1,000
files/           the receipts, each named by its SHA-256, if they were exported
SHA256SUMS       the SHA-256 of every file in here

To check all of it, without a network:

    bill-e verify FOLDER --key KEY

KEY is the key that you got when you first had to do with this ledger, not the one in log.vkey: whoever could
forge a log could forge that file as well. Keep log/checkpoint. With --since CHECKPOINT, the next package is
checked to go on from it.

Programs that others wrote can check the log, too: fsck of github.com/transparency-dev/tessera takes
-storage_url file:///PATH/log/ and -public_key log.vkey. And `sha256sum --check SHA256SUMS` shows whether the
package arrived as it was sent.
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("folder", metavar="DIR", type=named_path, help="where to put the package")
    add_time_range(parser)
    parser.add_argument(
        "--files", action="store_true", help="with the receipts themselves; this needs the right to files"
    )
    parser.add_argument(
        "--concurrency", type=positive_integer, default=8, metavar="N", help="parallel requests (default: 8)"
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Write the package, and say how to verify it."""
    refuse_empty_range(options)
    folder: Path = options.folder
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder")
    access = stack_of(options)
    with connect(access, token=token_of(options), concurrency=options.concurrency, as_auditor=True) as stack:
        manifest = export(
            stack,
            access,
            folder,
            start=options.start,
            end=options.end,
            with_files=options.files,
            concurrency=options.concurrency,
            terminal=terminal,
        )
    terminal.write(f"exported {manifest.entries:,} entries, recorded before {manifest.end}, to {folder}")
    terminal.write(
        f"the log has {manifest.log_size:,} entries; verify it with the key that you pinned, which should be:"
    )
    terminal.write(f"  bill-e verify {folder} --key {access.log_public_key}")
    return 0


def export(
    stack: StackConnection,
    access: StackAccess,
    folder: Path,
    *,
    start: datetime | None,
    end: datetime | None,
    with_files: bool,
    concurrency: int,
    terminal: Terminal,
) -> layout.Manifest:
    """Write a package. Its manifest comes last but for the sums, so that what has one is whole."""
    if access.log_public_key is None:
        raise BillEError("the stack has no output log_public_key: deploy the current program")
    key = VerifierKey.parse(access.log_public_key)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / layout.MANIFEST).unlink(missing_ok=True)
    for left in folder.rglob(".*.part"):
        left.unlink()
    with terminal.counting("files of the log") as advance:
        log = download_log(stack.api, folder / layout.LOG, concurrency=concurrency, on_file=advance)
    _forget_others(log)
    if log.checkpoint.origin != key.name:
        raise BillEError(f"the log is {log.checkpoint.origin}, but the stack's key is for {key.name}")
    sealed = _end_of_what_is_sealed(log, end)
    with terminal.counting("entries") as advance:
        count = layout.write_entries(folder, _entries(stack, EntryFilter(start=start, end=sealed), advance))
    missing = _save_files(stack, folder, terminal) if with_files else 0
    _write_proofs(folder, log, count)
    (folder / layout.KEY).write_text(f"{key}\n", encoding="utf-8")
    manifest = layout.Manifest(
        origin=key.name,
        bucket=access.uploads_bucket,
        start=format_time(start) if start else None,
        end=format_time(sealed),
        created_at=format_time(datetime.now(UTC)),
        entries=count,
        log_size=log.checkpoint.size,
        files=with_files,
    )
    readme = README.format(start=manifest.start or "its beginning", end=manifest.end)
    (folder / layout.README).write_text(readme, encoding="utf-8")
    manifest.write(folder)
    layout.write_sums(folder)
    if missing:
        raise BillEError(
            f"the package in {folder} is whole but for {missing:,} receipts: run the command again"
        )
    return manifest


def _end_of_what_is_sealed(log: DownloadedLog, wanted: datetime | None) -> datetime:
    last = log.last_recorded()
    if last is None:
        raise BillEError("the log has no entries yet: nothing could be verified")
    sealed = last + timedelta(microseconds=1)
    return sealed if wanted is None else min(sealed, wanted)


def _entries(stack: StackConnection, chosen: EntryFilter, advance: Advance) -> Iterator[ApiEntry]:
    for page in stack.api.pages(chosen):
        yield from page["entries"]
        advance(len(page["entries"]))


def _forget_others(log: DownloadedLog) -> None:
    """Remove the partial tiles of an earlier checkpoint, which an earlier run has left."""
    current = {path for path, _ in log_files(log.checkpoint.size)}
    for place in log.folder.rglob("*.p/*"):
        if place.is_file() and place.relative_to(log.folder).as_posix() not in current:
            place.unlink()


def _write_proofs(folder: Path, log: DownloadedLog, count: int) -> None:
    """Write a proof for each entry, from the log that was downloaded."""
    proofs = folder / layout.PROOFS
    proofs.mkdir(exist_ok=True)
    for old in proofs.glob(f"*{layout.PROOF_SUFFIX}"):
        old.unlink()
    if count > MOST_PROOFS:
        return
    with (folder / layout.JSON_LINES).open("rb") as lines:
        wanted = {named_object(line)[0].hex() for line in lines}
    tree = Tree(log.checkpoint.size, log.read_tile)
    for index, leaf in log.leaves():
        if (object_id := json.loads(leaf)["object_id"]) in wanted:
            path = tuple(tree.inclusion_proof(index))
            proof = Proof(leaf=leaf, index=index, path=path, checkpoint=log.note)
            (proofs / f"{object_id}{layout.PROOF_SUFFIX}").write_text(str(proof), encoding="utf-8")


def _save_files(stack: StackConnection, folder: Path, terminal: Terminal) -> int:
    """Save each receipt of the package, unless it is there; return how many can't be had. Each is named."""
    files = folder / layout.FILES
    missing = 0
    files.mkdir(exist_ok=True)
    with terminal.counting("receipts") as advance, (folder / layout.JSON_LINES).open("rb") as lines:
        for line in lines:
            members = json.loads(line)
            if members["outcome"] != Outcome.ACCEPTED:
                continue
            place = files / members["fingerprint"]
            if not (place.is_file() and layout.sha256_of(place) == place.name):
                missing += not _save_file(stack, place, terminal)
            advance(1)
    return missing


def _save_file(stack: StackConnection, place: Path, terminal: Terminal) -> bool:
    try:
        link = stack.api.file_link(place.name, None)
        with downloaded(stack.http, link, place.parent) as temporary:
            give_name(temporary, place, overwrite=True)
    except (SignInError, DeniedError):
        raise
    except BillEError as error:
        terminal.complain(f"not exported: {place.name}: {error}", style="red")
        return False
    return True


COMMAND = Command(
    name="export",
    audience=Audience.AUDITORS,
    summary="export entries and their log for an audit",
    description=__doc__,
    examples=(
        "bill-e export audit-2026 --from 2026-01-01 --to 2027-01-01 --stack prod",
        "bill-e export november --from 2026-11-01 --to 2026-12-01 --files --stack prod",
    ),
    add_options=add_options,
    run=run,
)
