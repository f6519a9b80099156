"""Whether the entries of a package, and the object versions of a listing, are those that were sealed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cli.auditor import package as layout
from cli.auditor.findings import Code, Report
from cli.auditor.listing import read_listing
from cli.auditor.matching import match_part, twice_in_part, without_leaf
from cli.auditor.package import UnusableError
from cli.auditor.rows import ROW, Block, blocks_of, named_object, rows_at, spill_block
from cli.auditor.spill import spill

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from cli.auditor.log_reading import LogContext
    from cli.auditor.parallel import Run


@dataclass(kw_only=True)
class _EntryFile:
    """One of the package's files of entries, and what doesn't match the log: leaves, and places of rows.

    ``erased`` are the object ids of those leaves whose entry was erased, whole or in part.
    """

    path: Path
    blocks: list[Block] = field(default_factory=list)
    leaves: dict[bytes, int] = field(default_factory=dict)
    places: set[int] = field(default_factory=set)
    erased: set[bytes] = field(default_factory=set)

    @property
    def name(self) -> str:
        return self.path.name

    def cut(self) -> Iterator[Block]:
        try:
            for block in blocks_of(self.path):
                self.blocks.append(block)
                yield block
        except (OSError, ValueError) as error:
            raise UnusableError(f"{self.path} isn't a file of entries: {error}") from None


def check_entries(
    package: Path, context: LogContext, erased: AbstractSet[bytes], report: Report, run: Run
) -> None:
    """Match each row with a leaf, and each leaf of the period with a row.

    An erased entry may have no row, or another one than was sealed.
    """
    files: list[_EntryFile] = []
    for name in (layout.JSON_LINES, layout.CSV):
        if (package / name).is_file():
            files.append(_EntryFile(path=package / name))
        else:
            report.add(Code.MISSING_FILE, name, "the package doesn't have it")
    folders = [context.folder / file.name for file in files]
    for file, folder in zip(files, folders, strict=True):
        calls = ((block, folder, context.parts) for block in file.cut())
        report.facts[file.name] = sum(run(spill_block, calls))
    parts = ((part, context, folders) for part in range(context.parts))
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
        if object_id in file.erased and file.leaves.pop(object_id, None) is not None:
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
    for twice in run(twice_in_part, ((part, context) for part in range(context.parts))):
        for object_id in twice:
            report.add(Code.SEALED_TWICE, f"object {object_id.hex()}", "it has more than one leaf")
    if listing is None:
        report.not_checked.append("whether every upload has an entry: give a listing of S3 with --objects")
        return
    bucket, listed = context.manifest.bucket, context.folder / "listed"
    versions = enumerate(read_listing(listing, bucket))
    listed_rows = (ROW.pack(bytes.fromhex(version.object_id), place) for place, version in versions)
    report.facts["objects"] = spill(listed_rows, listed, context.parts)
    calls = ((part, context, listed) for part in range(context.parts))
    places = {place for result in run(without_leaf, calls) for place in result}
    for place, version in enumerate(read_listing(listing, bucket) if places else ()):
        if place in places:
            about = f"key {version.key!r}, version {version.version_id}"
            report.add(Code.UPLOAD_WITHOUT_ENTRY, about, "no leaf is about it")
