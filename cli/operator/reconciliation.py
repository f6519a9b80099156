"""Comparing a stack's bucket with its ledger, and judging the differences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cli.errors import BillEError
from cli.operator.bucket_comparison import BucketComparison
from cli.operator.consistency import NotAnEntryError, contradictions, read_entry
from cli.operator.findings import Finding, State
from cli.operator.inventory import ledger_items, listed_versions
from cli.operator.pace import Counting
from cli.operator.resources import Queue, StackResources, queue_name
from cli.operator.temporary_database import NO_END, temporary_database
from cli.operator.unsealed import SealTotals, UnsealedEntries, log_leaves
from functions.contract import schema
from functions.contract.entry import Entry, ObjectVersion, UploadLocation, format_time
from functions.reconciliation.inventory import StoredVersion

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

    from functions.contract.schema import Item

SHOWN_BUCKETS = 3


@dataclass(frozen=True, kw_only=True)
class FormerPlaces:
    """Where a stack took its receipts before: other buckets, and other prefixes in its bucket."""

    buckets: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()

    def hold(self, version: ObjectVersion, bucket: str) -> bool:
        """Say whether an object version is in one of them; `bucket` is the stack's."""
        if version.bucket == bucket:
            return version.key.startswith(self.prefixes)
        return version.bucket in self.buckets


NONE_BEFORE = FormerPlaces()


@dataclass(frozen=True, kw_only=True)
class StackComparison:
    """A finished comparison of what is below `prefix`. By S3's clock, it began at `began_at`.

    `in_former` entries are about the stack's former places, so S3 wasn't asked about their object versions.
    `sealed` is None for a stack without a log.
    """

    prefix: str
    began_at: datetime
    queue: Queue
    comparison: BucketComparison
    in_former: int
    sealed: SealTotals | None


@dataclass(frozen=True, kw_only=True)
class ReconcileTotals:
    """How many object versions there are: ``versions = recorded + missing + in_flight``.

    `repeated` counts those of the recorded ones that have more than one entry. All after it count entries;
    `gone` and `former` are no findings.
    """

    versions: int
    recorded: int
    missing: int
    in_flight: int
    repeated: int
    differs: int
    inconsistent: int
    foreign: int
    unknown: int
    unbacked: int
    not_an_entry: int
    file_differs: int
    unreadable: int
    unsealed: int
    gone: int
    former: int

    @property
    def complete(self) -> bool:
        """Whether each object version that is old enough has its one entry."""
        return not self.missing and not self.repeated

    @property
    def confirmed(self) -> bool:
        """Whether nothing is wrong with any entry, as far as it was compared."""
        return not any(self.by_state().values())

    def by_state(self) -> dict[State, int]:
        """Return how many findings about entries there are of each state."""
        return {state: getattr(self, state.name.lower()) for state in State}


@dataclass(frozen=True, kw_only=True)
class ReconcileReport:
    """The findings. Only uploads before `judged_before` can be missing.

    Only entries of uploads before `known_before` can be unknown, and only receipts without any later upload
    can be unbacked: the others may have come after the listing.
    """

    compared: StackComparison
    judged_before: str
    known_before: str
    totals: ReconcileTotals

    def missing(self) -> Iterator[StoredVersion]:
        """Yield the object versions without an entry that are old enough to have one."""
        return self.compared.comparison.unrecorded(end=self.judged_before)

    def findings(self, state: State) -> Iterator[Finding]:
        """Yield what is wrong with entries."""
        end = self.known_before if state in {State.UNKNOWN, State.UNBACKED} else NO_END
        return self.compared.comparison.findings.all(state, end=end)


@contextmanager
def compare_stack(
    resources: StackResources, prefix: str, counting: Counting, former: FormerPlaces = NONE_BEFORE
) -> Iterator[StackComparison]:
    """Compare the object versions below the stack's own prefix and `prefix` with the ledger.

    The bucket is read first, so that an upload has time to get its entry before the ledger is read. Raise
    BillEError if the bucket, the queue and the ledger don't belong to one stack.
    """
    queue = resources.queue()
    if not queue.takes_events_of(resources.bucket):
        raise BillEError(
            f"queue {queue_name(queue.url)} takes no events from bucket {resources.bucket}: "
            "are these the outputs of one stack? Nothing was changed"
        )
    prefix = resources.upload_prefix + prefix
    with temporary_database() as database:
        comparison = BucketComparison(database, resources.bucket, prefix)
        began_at = _load_bucket(comparison, resources, prefix, counting)
        unsealed = None
        if resources.log_bucket:
            unsealed = UnsealedEntries(database, began_at)
            _load_log(unsealed, resources.s3, resources.log_bucket, counting)
        checks = _LedgerChecks(comparison, resources, former, unsealed)
        _load_ledger(checks, comparison, resources, counting)
        comparison.compare()
        yield StackComparison(
            prefix=prefix,
            began_at=began_at,
            queue=queue,
            comparison=comparison,
            in_former=checks.in_former,
            sealed=unsealed.totals() if unsealed else None,
        )


def judge(compared: StackComparison, age: timedelta) -> ReconcileReport:
    """Count the findings; uploads younger than `age` by S3's clock are not judged yet."""
    comparison = compared.comparison
    limit = format_time(compared.began_at - age) if age else NO_END
    known_before = format_time(compared.began_at - age)
    count = comparison.findings.count
    versions, unrecorded = comparison.count_versions(), comparison.count_unrecorded()
    missing = comparison.count_unrecorded(end=limit)
    totals = ReconcileTotals(
        versions=versions,
        recorded=versions - unrecorded,
        missing=missing,
        in_flight=unrecorded - missing,
        repeated=comparison.count_repeated(),
        differs=count(State.DIFFERS),
        inconsistent=count(State.INCONSISTENT),
        foreign=count(State.FOREIGN),
        unknown=count(State.UNKNOWN, end=known_before),
        unbacked=count(State.UNBACKED, end=known_before),
        not_an_entry=count(State.NOT_AN_ENTRY),
        file_differs=count(State.FILE_DIFFERS),
        unreadable=count(State.UNREADABLE),
        unsealed=count(State.UNSEALED),
        gone=comparison.count_gone(),
        former=compared.in_former,
    )
    return ReconcileReport(compared=compared, judged_before=limit, known_before=known_before, totals=totals)


def _load_bucket(
    comparison: BucketComparison, resources: StackResources, prefix: str, counting: Counting
) -> datetime:
    began_at: datetime | None = None
    with counting("object versions listed", None) as advance:
        for page in listed_versions(resources.s3, resources.bucket, prefix):
            began_at = began_at or page.listed_at
            comparison.add_versions(page.versions)
            advance(len(page.versions))
    if began_at is None:
        raise BillEError(f"bucket {resources.bucket} returned no listing")
    return began_at


def _load_log(unsealed: UnsealedEntries, s3: S3Client, bucket: str, counting: Counting) -> None:
    with counting("leaves of the log read", None) as advance:
        for leaves in log_leaves(s3, bucket):
            unsealed.add_leaves(leaves)
            advance(len(leaves))
    unsealed.index()


def _load_ledger(
    checks: _LedgerChecks, comparison: BucketComparison, resources: StackResources, counting: Counting
) -> None:
    """Load the ledger, and check each entry by itself."""
    with counting("ledger entries read", None) as advance:
        for items in ledger_items(resources.dynamodb, resources.ledger_table):
            entries = checks.entries_of(items)
            comparison.add_entries(entries)
            advance(len(entries))
    known = comparison.entries_by_bucket
    if known and not known.keys() & {resources.bucket, *checks.former.buckets}:
        others = ", ".join(name for name, _ in known.most_common(SHOWN_BUCKETS))
        raise BillEError(
            f"ledger {resources.ledger_table} has no entry about bucket {resources.bucket}, but "
            f"{known.total():,} about {others}: are these the outputs of one stack? Nothing was changed"
        )


class _LedgerChecks:
    """Finds what is wrong with the items of a ledger without asking S3."""

    def __init__(
        self,
        comparison: BucketComparison,
        resources: StackResources,
        former: FormerPlaces,
        unsealed: UnsealedEntries | None,
    ) -> None:
        self._comparison = comparison
        self._location = UploadLocation(bucket=resources.bucket, prefix=resources.upload_prefix)
        self._shards = resources.shards()
        self._unsealed = unsealed
        self.former = former
        self.in_former = 0

    def entries_of(self, items: list[Item]) -> list[Entry]:
        """Return the entries among a page of items, and keep what is wrong with any of the items."""
        entries = []
        for item in items:
            if schema.is_note(item):
                continue
            try:
                entry = read_entry(item)
            except NotAnEntryError as error:
                self._find_other_item(item, str(error))
                continue
            self._check(item, entry)
            entries.append(entry)
        return entries

    def _check(self, item: Item, entry: Entry) -> None:
        version, findings = entry.upload.version, self._comparison.findings
        if self._location.holds(version):
            if not self._comparison.covered.holds(version):
                return
        elif self.former.hold(version, self._location.bucket):
            self.in_former += 1
        else:
            findings.add_about(State.FOREIGN, entry, self._why_foreign(version))
        if wrong := contradictions(item, entry, self._shards):
            findings.add_about(State.INCONSISTENT, entry, wrong)
        if self._unsealed and self._unsealed.is_late(entry):
            detail = f"recorded at {format_time(entry.recorded_at)}, and not in the log"
            findings.add_about(State.UNSEALED, entry, detail)

    def _why_foreign(self, version: ObjectVersion) -> str:
        if version.bucket != self._location.bucket:
            return f"in another bucket, {version.bucket}"
        return f"not below the stack's prefix, {self._location.prefix}"

    def _find_other_item(self, item: Item, why: str) -> None:
        finding = Finding(
            fingerprint=item[schema.FINGERPRINT]["S"],
            detail=f"its sort key is {item[schema.ENTRY]['S']!r}, and {why}",
        )
        self._comparison.findings.add(State.NOT_AN_ENTRY, finding)
