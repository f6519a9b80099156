"""The layout of an audit package.

A package is a folder: `package.json` (`Manifest`), the entries of a period in two formats, the whole log in
the layout of c2sp.org/tlog-tiles, and, if they were asked for, proofs and the receipts themselves. A line of
`entries.jsonl` without its line feed is a record: its SHA-256 is what was sealed.
"""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Final

from cli.screen.entries import CSV_COLUMNS, csv_row
from functions.sealing.leaf import record_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cli.answers import ApiEntry

FORMAT: Final = 1

README: Final = "README.txt"
SUMS: Final = "SHA256SUMS"
MANIFEST: Final = "package.json"
KEY: Final = "log.vkey"
JSON_LINES: Final = "entries.jsonl"
CSV: Final = "entries.csv"
LOG: Final = "log"
CHECKPOINTS: Final = "log/checkpoints"
PROOFS: Final = "proofs"
FILES: Final = "files"

PROOF_SUFFIX: Final = ".tlog-proof"


class UnusableError(Exception):
    """What was given isn't a package, a key, a checkpoint or a listing, so nothing can be said about it."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a package is about. Nothing of it is signed, so a report says it again.

    It has the entries recorded from ``start`` to before ``end``, as `format_time` writes them; ``None`` is no
    limit. ``bucket`` is where the stack's receipts are.
    """

    format: int = FORMAT
    origin: str
    bucket: str
    start: str | None
    end: str | None
    created_at: str
    entries: int
    log_size: int
    files: bool = False

    @classmethod
    def read(cls, package: Path) -> Manifest:
        """Read a package's manifest, or raise UnusableError."""
        try:
            members = json.loads((package / MANIFEST).read_bytes())
            if members["format"] != FORMAT:
                raise UnusableError(
                    f"{package / MANIFEST} has format {members['format']!r}; this release reads {FORMAT}"
                )
            members |= {"start": members["from"], "end": members["to"]}
            return cls(**{each.name: members[each.name] for each in fields(cls)})
        except OSError as error:
            raise UnusableError(
                f"{package} isn't a package: {MANIFEST} can't be read: {error.strerror}"
            ) from None
        except (ValueError, KeyError, TypeError) as error:
            raise UnusableError(f"{package / MANIFEST} isn't the manifest of a package: {error!r}") from None

    def write(self, package: Path) -> None:
        """Write the manifest into a package."""
        members = {
            {"start": "from", "end": "to"}.get(name, name): value for name, value in asdict(self).items()
        }
        (package / MANIFEST).write_text(f"{json.dumps(members, indent=2)}\n", encoding="utf-8")

    @property
    def period(self) -> tuple[str, str]:
        """The first time that it covers, and the first that it doesn't. Text order is time order."""
        return self.start or "", self.end or "~"


def write_entries(package: Path, entries: Iterable[ApiEntry]) -> int:
    """Write entries in both formats as they come, and return how many there were."""
    count = 0
    with (
        (package / JSON_LINES).open("wb") as lines,
        (package / CSV).open("w", encoding="utf-8", newline="") as cells,
    ):
        writer = csv.writer(cells, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
        writer.writerow(CSV_COLUMNS)
        for entry in entries:
            lines.write(record_of(entry) + b"\n")
            writer.writerow(csv_row(entry))
            count += 1
    return count


def sha256_of(path: Path) -> str:
    """Return the hash of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_sums(package: Path) -> None:
    """Write `SHA256SUMS` about all other files, as the program sha256sum reads it."""
    paths = sorted(path for path in package.rglob("*") if path.is_file() and path.name != SUMS)
    with (package / SUMS).open("w", encoding="utf-8", newline="\n") as sums:
        for path in paths:
            sums.write(f"{sha256_of(path)}  {path.relative_to(package).as_posix()}\n")
