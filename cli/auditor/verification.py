"""Verifying a package: without the network, and without trusting any of its parts but the key."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cli.auditor import package as layout
from cli.auditor.claims import earlier_claims, judge_claims, proof_claims, signed_checkpoint
from cli.auditor.entries import check_entries, check_objects
from cli.auditor.files import check_files, check_sums
from cli.auditor.findings import Report
from cli.auditor.log_check import check_log, history_size
from cli.auditor.log_reading import LogContext, read_stretch
from cli.auditor.package import Manifest
from cli.auditor.parallel import in_processes
from cli.auditor.spill import parts_for
from functions.contract.sealing import CHECKPOINT

if TYPE_CHECKING:
    from functions.sealing.note import VerifierKey

MAX_DELAY: Final = timedelta(minutes=15)

_LARGE: Final = 50_000
"""From so many leaves on, several processes are faster, although they have to be started."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """What an auditor has. ``since`` are checkpoints that were kept, and ``objects`` a listing of S3."""

    package: Path
    key: VerifierKey
    since: tuple[Path, ...] = ()
    objects: Path | None = None
    max_delay: timedelta = MAX_DELAY


def verify(given: Given) -> Report:
    """Verify a package. Raise UnusableError if it can't even be read."""
    report, manifest = Report(), Manifest.read(given.package)
    log = given.package / layout.LOG
    head = signed_checkpoint(log / CHECKPOINT, given.key, report)
    if head is None:
        report.not_checked.append("everything else, since nothing can be compared with what was signed")
        return report
    report.facts |= {
        "origin": head.origin,
        "from": manifest.start,
        "to": manifest.end,
        "log_size": head.size,
        "log_root": head.root.hex(),
    }
    claims = [
        *earlier_claims(given.package, given.key, given.since, report),
        *proof_claims(given.package, given.key, report),
    ]
    history = history_size(log, head.size, given.max_delay)
    if history:
        report.notes.append(f"{history:,} entries were recorded before the log began, and sealed with it")
    is_large = head.size >= _LARGE
    with (
        tempfile.TemporaryDirectory(prefix="bill-e-verify-") as folder,
        in_processes(worth_it=is_large) as run,
    ):
        context = LogContext(
            log=log,
            size=head.size,
            manifest=manifest,
            max_delay=given.max_delay,
            history=history,
            folder=Path(folder),
            parts=parts_for(head.size),
        )
        sizes = {head.size, *(claim.checkpoint.size for claim in claims)}
        checked = check_log(context, sizes, report, partial(run, read_stretch))
        judge_claims(head, claims, checked.roots, report)
        check_entries(given.package, context, checked.erased, report, run)
        check_objects(context, given.objects, report, run)
    check_files(given.package, manifest, checked.erased, report)
    check_sums(given.package, report)
    return report
