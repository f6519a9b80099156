"""Whether the entries of a package, and the object versions of a listing, are those that were sealed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cli.auditor import package as layout
from cli.auditor.findings import Code, Report
from cli.auditor.listing import read_listing
from cli.auditor.matching import match_part, twice_in_part, without_leaf
from cli.auditor.package import UnusableError
from cli.auditor.rows import Block, blocks_of, named_object, rows_at, spill_block
from cli.auditor.spill import Spill

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from cli.auditor.log_reading import LogContext
    from cli.auditor.parallel import Run


@dataclass(kw_only=True)
class _EntryFile:
    """One of the package's files of entries, and what doesn't match the log: leaves, and places of rows.

    ``erased`` are the object ids of those leaves whose entry was erased, whole or in part.
    """

    name: str
    blocks: list[Block]
    leaves: dict[bytes, int] = field(default_factory=dict)
    places: set[int] = field(default_factory=set)
    erased: set[bytes] = field(default_factory=set)

    @classmethod
    def open(cls, path: Path) -> _EntryFile:
        try:
            return cls(name=path.name, blocks=[*blocks_of(path)])
        except (OSError, ValueError) as error:
            raise UnusableError(f"{path} isn't a file of entries: {error}") from None


def check_entries(
    package: Path, context: LogContext, erased: AbstractSet[bytes], report: Report, run: Run
) -> None:
    """Match each row with a leaf, and each leaf of the period with a row.

    An erased entry may have no row, or another one than was sealed.
    """
    files: list[_EntryFile] = []
    for name in (layout.JSON_LINES, layout.CSV):
        if (package / name).is_file():
            files.append(_EntryFile.open(package / name))
        else:
            report.add(Code.MISSING_FILE, name, "the package doesn't have it")
    folders = [context.leaf_rows.parent / file.name for file in files]
    for file, folder in zip(files, folders, strict=True):
        calls = ((block, folder, context.parts) for block in file.blocks)
        report.facts[file.name] = sum(run(spill_block, calls))
    parts = ((part, context.leaf_rows, folders) for part in range(context.parts))
    for result in run(match_part, parts):
        for file, unmatched in zip(files, result, strict=True):
            file.leaves |= {object_id: index for index, object_id in unmatched.leaves.items()}
            file.places |= unmatched.rows
            for _ in range(unmatched.repeated):
                report.add(Code.REPEATED, file.name, "a row is there more than once")
    for file in files:
        file.erased = erased & file.leaves.keys()
        _judge(file, report)
    gone = {object_id for file in files for object_id in file.erased}
    report.notes += [f"erased: object {object_id.hex()}, as was sealed" for object_id in sorted(gone)]


def _judge(file: _EntryFile, report: Report) -> None:
    """Say what is wrong with what doesn't match. An entry that is altered isn't missing as well."""
    for record in rows_at(file.blocks, file.places):
        try:
            object_id, key, recorded_at = named_object(record)
        except ValueError as error:
            report.add(Code.UNSEALED, file.name, str(error))
            continue
        about = f"{file.name}, key {key!r}, object {object_id.hex()}"
        if object_id in file.erased:
            continue
        if object_id in file.leaves:
            report.add(Code.ALTERED, about, f"it isn't what leaf {file.leaves.pop(object_id)} has sealed")
        else:
            report.add(Code.UNSEALED, about, f"recorded at {recorded_at}; no leaf has this record")
    for object_id, index in sorted(file.leaves.items(), key=lambda item: item[1]):
        if object_id not in file.erased:
            report.add(Code.MISSING_ENTRY, file.name, f"leaf {index}, object {object_id.hex()}")


def check_objects(context: LogContext, listing: Path | None, report: Report, run: Run) -> None:
    """Look for object versions with two leaves, and for those of the listing without one."""
    for twice in run(twice_in_part, ((part, context.object_rows) for part in range(context.parts))):
        for object_id in twice:
            report.add(Code.SEALED_TWICE, f"object {object_id.hex()}", "it has more than one leaf")
    if listing is None:
        report.not_checked.append("whether every upload has an entry: give a listing of S3 with --objects")
        return
    bucket, listed, count = context.manifest.bucket, context.leaf_rows.parent / "listed", 0
    spill = Spill(listed, context.parts)
    for version in read_listing(listing, bucket):
        count += 1
        spill.add(bytes.fromhex(version.object_id) + count.to_bytes(8, "big"))
    spill.flush()
    report.facts["objects"] = count
    calls = ((part, context.object_rows, listed) for part in range(context.parts))
    places = {place for result in run(without_leaf, calls) for place in result}
    for place, version in enumerate(read_listing(listing, bucket) if places else (), 1):
        if place in places:
            about = f"key {version.key!r}, version {version.version_id}"
            report.add(Code.UPLOAD_WITHOUT_ENTRY, about, "no leaf is about it")
