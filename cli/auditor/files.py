"""Whether the files of a package are those that it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.auditor import package as layout
from cli.auditor.findings import Code, Report
from functions.contract.entry import parse_fingerprint

if TYPE_CHECKING:
    from pathlib import Path

    from cli.auditor.package import Manifest


def check_files(package: Path, manifest: Manifest, report: Report) -> None:
    """Hash every file, and compare it with its name and with SHA256SUMS."""
    folder = package / layout.FILES
    if not manifest.files and not folder.is_dir():
        report.not_checked.append("the receipts themselves: the package has none (export --files)")
    else:
        report.not_checked.append("whether each receipt has its file: only those of the package are checked")
    for path in folder.iterdir() if folder.is_dir() else ():
        try:
            fingerprint = parse_fingerprint(path.name)
        except ValueError:
            report.add(Code.FILE_DIFFERS, f"{layout.FILES}/{path.name}", "its name isn't a fingerprint")
            continue
        if layout.sha256_of(path) != fingerprint:
            report.add(Code.FILE_DIFFERS, f"{layout.FILES}/{path.name}", "its bytes have another fingerprint")
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
