"""Copying rejected object versions onto their own keys, so that the copies are judged by today's rules.

S3 sends an event about each copy, as about any upload. The first object version and its entry stay.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import starmap
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from cli.errors import BillEError, UnavailableError, explained
from cli.operator.consistency import NotAnEntryError, read_entry
from cli.operator.inventory import ledger_items
from cli.operator.pace import Counting, concurrently
from cli.operator.temporary_database import count_rows, temporary_database
from functions.contract.entry import Entry, Outcome, Reason, UploadLocation, format_time
from functions.reconciliation.inventory import Pace

if TYPE_CHECKING:
    from cli.operator.resources import StackResources
    from functions.contract.schema import Item

COPIERS = 8
"""How many object versions are copied at the same time."""

COPIES_PER_SECOND = 100
"""As many new receipts as the processor can take beside its usual work."""

MOST_BYTES = 5 * 1024**3
"""The largest object that one CopyObject copies (Amazon S3 API Reference)."""

NOT_FOUND = frozenset({"404", "NoSuchKey", "NoSuchVersion"})
"""S3's errors for an object version that isn't there. A HeadObject that fails has only a status."""

KEPT = (
    *("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType"),
    *("Expires", "Metadata", "WebsiteRedirectLocation"),
)
"""What S3 knows about an object, and a copy gets. S3 refuses to copy an object onto itself without a change,
but takes the same values as a replacement."""

_TABLES = """
CREATE TABLE recorded (key TEXT, uploaded_at TEXT, fingerprint TEXT, size_bytes INTEGER);
CREATE TABLE rejected (
  key TEXT, version_id TEXT, uploaded_at TEXT, fingerprint TEXT, size_bytes INTEGER, reason TEXT
);
CREATE TABLE failure (key TEXT, version_id TEXT, detail TEXT);
"""

_CHOOSE = """
CREATE INDEX recorded_key ON recorded (key, uploaded_at);
CREATE TABLE chosen AS
  SELECT key, version_id, uploaded_at, size_bytes, reason FROM rejected WHERE NOT EXISTS (
    SELECT 1 FROM recorded WHERE recorded.key = rejected.key AND recorded.uploaded_at > rejected.uploaded_at
    AND ifnull(recorded.fingerprint = rejected.fingerprint, 1)
    AND ifnull(recorded.size_bytes = rejected.size_bytes, 1));
"""
"""A value that is unknown on one side is taken to be the same."""

_IN_ORDER = "chosen ORDER BY uploaded_at, key, version_id"


class ChosenVersion(NamedTuple):
    """A rejected object version that is to be copied."""

    key: str
    version_id: str
    uploaded_at: str
    size_bytes: int | None
    reason: str


@dataclass(frozen=True, kw_only=True)
class CopyFailure:
    """An object version that couldn't be copied, and why."""

    key: str
    version_id: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class CopyTotals:
    """How many of the chosen object versions were copied, were gone, or couldn't be copied."""

    copied: int = 0
    gone: int = 0
    failed: int = 0


class Resubmission:
    """The rejected object versions that are wanted, and those of them that are to be copied.

    One isn't copied if its key has a later object version with the same bytes, as far as the ledger knows:
    that was judged later.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        database.executescript(_TABLES)

    def load(self, entries: Iterable[Entry], wanted: Callable[[Entry], bool]) -> None:
        """Load a page of the ledger."""
        recorded, rejected = [], []
        for entry in entries:
            version = entry.upload.version
            time, content = format_time(entry.upload.uploaded_at), (entry.fingerprint, entry.size_bytes)
            recorded.append((version.key, time, *content))
            if wanted(entry):
                rejected.append((version.key, version.version_id, time, *content, entry.reason))
        self._database.executemany("INSERT INTO recorded VALUES (?, ?, ?, ?)", recorded)
        self._database.executemany("INSERT INTO rejected VALUES (?, ?, ?, ?, ?, ?)", rejected)

    def choose(self) -> None:
        """Choose what is to be copied, once the whole ledger is loaded."""
        self._database.executescript(_CHOOSE)

    def count_rejected(self) -> int:
        """Count the wanted object versions."""
        return count_rows(self._database, "rejected")

    def count_chosen(self) -> int:
        """Count those that are to be copied."""
        return count_rows(self._database, "chosen")

    def chosen(self) -> Iterator[ChosenVersion]:
        """Yield what is to be copied, oldest first."""
        columns = ", ".join(ChosenVersion._fields)
        return starmap(ChosenVersion, self._database.execute(f"SELECT {columns} FROM {_IN_ORDER}"))  # noqa: S608

    def fail(self, version: ChosenVersion, detail: str) -> None:
        """Keep why an object version couldn't be copied."""
        row = version.key, version.version_id, detail
        self._database.execute("INSERT INTO failure VALUES (?, ?, ?)", row)

    def failures(self) -> Iterator[CopyFailure]:
        """Yield what couldn't be copied."""
        for key, version_id, detail in self._database.execute("SELECT * FROM failure ORDER BY 1, 2"):
            yield CopyFailure(key=key, version_id=version_id, detail=detail)


def is_rejected(entry: Entry, *, subject: str | None, reason: Reason | None) -> bool:
    """Say whether an entry is about a rejected upload with a key or a fingerprint, or with a reason.

    What was gone before it was read can't be copied.
    """
    if entry.outcome is not Outcome.REJECTED or entry.reason is Reason.OBJECT_MISSING:
        return False
    if subject is None:
        return entry.reason is reason
    return entry.upload.version.key == subject or entry.fingerprint == subject.lower()


@contextmanager
def choose_rejected(
    resources: StackResources, wanted: Callable[[Entry], bool], counting: Counting
) -> Iterator[Resubmission]:
    """Read the ledger, and choose the object versions in the stack's bucket that are to be copied."""
    location = UploadLocation(bucket=resources.bucket, prefix=resources.upload_prefix)
    with temporary_database() as database:
        resubmission = Resubmission(database)
        with counting("ledger entries read", None) as advance:
            for items in ledger_items(resources.dynamodb, resources.ledger_table):
                entries = [entry for entry in _entries(items) if location.holds(entry.upload.version)]
                resubmission.load(entries, wanted)
                advance(len(items))
        resubmission.choose()
        yield resubmission


def copy_chosen(resubmission: Resubmission, resources: StackResources, counting: Counting) -> CopyTotals:
    """Copy each chosen object version onto its own key, and keep what fails."""
    copied, gone, failed, pace = 0, 0, 0, Pace(COPIES_PER_SECOND)
    copy = partial(_copy, resources)
    with counting("copied", resubmission.count_chosen()) as advance:
        try:
            # The list of the chosen ones is read from the database while failures are written to it.
            for version, detail in concurrently(copy, resubmission.chosen(), COPIERS):
                copied += detail is None
                gone += detail == ""
                if detail:
                    failed += 1
                    resubmission.fail(version, detail)
                advance(1)
                pace.spend(1)
        except UnavailableError as error:
            raise BillEError(
                f"{error}; at least {copied:,} were copied. Run it again: it copies the rest"
            ) from error
    return CopyTotals(copied=copied, gone=gone, failed=failed)


def _entries(items: Iterable[Item]) -> Iterator[Entry]:
    """Yield the entries among items. `bill-e reconcile` reports what is neither an entry nor a note."""
    for item in items:
        with suppress(NotAnEntryError):
            yield read_entry(item)


def _copy(resources: StackResources, version: ChosenVersion) -> tuple[ChosenVersion, str | None]:
    """Copy an object version. Return it with None, with why it failed, or with "" if it is gone."""
    which: dict[str, Any] = {"Bucket": resources.bucket, "Key": version.key}
    source: Any = {**which, "VersionId": version.version_id}
    try:
        with explained("looking at an object version (s3:GetObjectVersion)"):
            head: Any = resources.s3.head_object(**source)
        if head["ContentLength"] > MOST_BYTES:
            return version, f"S3 copies at most {MOST_BYTES:,} bytes at once"
        kept = {name: head[name] for name in KEPT if name in head}
        with explained("copying an object version (s3:GetObjectVersion, s3:PutObject)"):
            resources.s3.copy_object(
                **which, CopySource=source, MetadataDirective="REPLACE", ChecksumAlgorithm="SHA256", **kept
            )
    except UnavailableError:
        raise
    except BillEError as error:
        cause = error.__cause__
        if isinstance(cause, ClientError) and cause.response["Error"]["Code"] in NOT_FOUND:
            return version, ""
        return version, str(error)
    return version, None
