"""Whether the files of a package are those that it says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cli.auditor import package as layout
from cli.auditor.findings import Code, Report
from cli.auditor.rows import named_object
from functions.contract.entry import Outcome, parse_fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from cli.auditor.package import Manifest


def check_files(package: Path, manifest: Manifest, erased: AbstractSet[bytes], report: Report) -> None:
    """Hash every receipt, and compare it with its name. Look for the one of each accepted entry.

    ``erased`` are the object ids of entries whose receipts may be gone.
    """
    folder = package / layout.FILES
    if not manifest.files and not folder.is_dir():
        report.not_checked.append("the receipts themselves: the package has none (export --files)")
        return
    if not manifest.files:
        report.not_checked.append(
            "whether each receipt has its file: the package doesn't say that it has all"
        )
    whole = 0
    for path in folder.iterdir() if folder.is_dir() else ():
        try:
            fingerprint = parse_fingerprint(path.name)
        except ValueError:
            report.add(Code.FILE_DIFFERS, f"{layout.FILES}/{path.name}", "its name isn't a fingerprint")
            continue
        if layout.sha256_of(path) == fingerprint:
            whole += 1
        else:
            report.add(Code.FILE_DIFFERS, f"{layout.FILES}/{path.name}", "its bytes have another fingerprint")
    for fingerprint, object_id in _receipts(package):
        if (folder / fingerprint).is_file():
            whole -= 1
        elif manifest.files and object_id not in erased:
            about = f"{layout.FILES}/{fingerprint}"
            report.add(Code.MISSING_FILE, about, "an entry was accepted with this fingerprint")
    if manifest.files and whole > 0:
        report.notes.append(f"{whole:,} files are of no accepted entry in the package")


def _receipts(package: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the fingerprints and the object ids of accepted entries. What is no row has been found before."""
    path = package / layout.JSON_LINES
    if not path.is_file():
        return
    with path.open("rb") as lines:
        for line in lines:
            try:
                entry = json.loads(line)
                if entry["outcome"] == Outcome.ACCEPTED:
                    yield parse_fingerprint(entry["fingerprint"]), named_object(line)[0]
            except (ValueError, KeyError, TypeError):
                continue


def check_sums(package: Path, report: Report) -> None:
    """Compare every file with `SHA256SUMS`, but for the receipts, whose names say the same."""
    sums = package / layout.SUMS
    if not sums.is_file():
        report.not_checked.append(f"{layout.SUMS}: the package has none")
        return
    with sums.open(encoding="utf-8") as lines:
        for line in lines:
            expected, _, name = line.rstrip("\n").partition("  ")
            path = package / name
            if not path.resolve().is_relative_to(package.resolve()) or not path.is_file():
                report.add(Code.MISSING_FILE, name, f"{layout.SUMS} lists it, but it isn't there")
            elif name.startswith(f"{layout.FILES}/"):
                continue
            elif layout.sha256_of(path) != expected:
                report.add(Code.FILE_DIFFERS, name, f"{layout.SUMS} has another hash of it")
