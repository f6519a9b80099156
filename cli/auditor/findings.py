"""What can be wrong with a package, by codes that stay the same in later releases."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

KEPT: Final = 1_000
"""How many findings with the same code are kept. All are counted."""


class Code(StrEnum):
    """What is wrong. `MEANINGS` has a sentence for each."""

    BAD_SIGNATURE = "bad_signature"
    BAD_ROOT = "bad_root"
    BAD_TILE = "bad_tile"
    SPLIT_VIEW = "split_view"
    TRUNCATED = "truncated"
    ALTERED = "altered"
    MISSING_ENTRY = "missing_entry"
    UNSEALED = "unsealed"
    REPEATED = "repeated"
    SEALED_TWICE = "sealed_twice"
    LATE = "late"
    OUT_OF_ORDER = "out_of_order"
    BAD_PROOF = "bad_proof"
    FILE_DIFFERS = "file_differs"
    MISSING_FILE = "missing_file"
    UPLOAD_WITHOUT_ENTRY = "upload_without_entry"


MEANINGS: Final = {
    Code.BAD_SIGNATURE: "a checkpoint isn't signed by the key that was given",
    Code.BAD_ROOT: "the leaves of the log don't lead to the root that was signed: the log was changed",
    Code.BAD_TILE: "a file of the log is missing, can't be read, or isn't what the leaves lead to",
    Code.SPLIT_VIEW: "the log doesn't continue an earlier checkpoint of it: it was rewritten and re-signed",
    Code.TRUNCATED: "the log is shorter than an earlier checkpoint of it: leaves were cut off",
    Code.ALTERED: "an entry differs from what was sealed: it was changed afterwards",
    Code.MISSING_ENTRY: "an entry that was sealed is missing, and no erasure of it was sealed",
    Code.UNSEALED: "an entry is not in the log: it was never sealed, or it was invented",
    Code.REPEATED: "the same entry is in a file of the package more than once",
    Code.SEALED_TWICE: "the log has two entries for the same object version",
    Code.LATE: "an entry was sealed later after its time of recording than is allowed: it may be back-dated",
    Code.OUT_OF_ORDER: "an entry was sealed before it was recorded, or before its predecessor in the log",
    Code.BAD_PROOF: "a proof doesn't show that its leaf is in this log",
    Code.FILE_DIFFERS: "a file isn't the one that its fingerprint, or SHA256SUMS, says",
    Code.MISSING_FILE: "a file that the package should have is missing",
    Code.UPLOAD_WITHOUT_ENTRY: "an object version of the listing has no entry in the log",
}


@dataclass(frozen=True, kw_only=True)
class AuditFinding:
    """Something wrong: its code, what it is about (such as a path or a key), and what was seen."""

    code: Code
    about: str
    detail: str


@dataclass(kw_only=True)
class Report:
    """The result of a verification: what is wrong, what was checked, and what could not be."""

    findings: list[AuditFinding] = field(default_factory=list)
    counts: Counter[Code] = field(default_factory=Counter)
    facts: dict[str, str | int | None] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    not_checked: list[str] = field(default_factory=list)

    def add(self, code: Code, about: str, detail: str) -> None:
        """Count a finding, and keep it unless there are very many with its code."""
        self.counts[code] += 1
        if self.counts[code] <= KEPT:
            self.findings.append(AuditFinding(code=code, about=about, detail=detail))
