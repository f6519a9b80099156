"""Comparing a stack's bucket with its ledger, and judging the differences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from cli.errors import BillEError
from cli.operator.bucket_comparison import NO_END, BucketComparison
from cli.operator.inventory import StoredVersion, ledger_lines, listed_versions
from cli.operator.pace import Counting
from cli.operator.resources import Queue, StackResources, queue_name
from cli.operator.temporary_database import temporary_database
from functions.contract.entry import format_time

SHOWN_BUCKETS = 3


@dataclass(frozen=True, kw_only=True)
class StackComparison:
    """A finished comparison of what is below `prefix`. By S3's clock, it began at `began_at`."""

    prefix: str
    began_at: datetime
    queue: Queue
    comparison: BucketComparison


@dataclass(frozen=True, kw_only=True)
class ReconcileTotals:
    """How many object versions there are: ``versions = recorded + missing + in_flight``.

    `repeated` counts those of the recorded ones that have more than one entry. `unknown` and `gone` count
    entries.
    """

    versions: int
    recorded: int
    missing: int
    in_flight: int
    repeated: int
    unknown: int
    gone: int

    @property
    def complete(self) -> bool:
        """Whether each object version that is old enough has its one entry."""
        return not self.missing and not self.repeated


@dataclass(frozen=True, kw_only=True)
class ReconcileReport:
    """The findings. Only uploads before `judged_before` can be missing or unknown."""

    compared: StackComparison
    judged_before: str
    totals: ReconcileTotals

    def missing(self) -> Iterator[StoredVersion]:
        """Yield the object versions without an entry that are old enough to have one."""
        return self.compared.comparison.unrecorded(end=self.judged_before)


@contextmanager
def compare_stack(resources: StackResources, prefix: str, counting: Counting) -> Iterator[StackComparison]:
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
        _load_ledger(comparison, resources, counting)
        comparison.compare()
        yield StackComparison(prefix=prefix, began_at=began_at, queue=queue, comparison=comparison)


def judge(compared: StackComparison, age: timedelta) -> ReconcileReport:
    """Count the findings; uploads younger than `age` by S3's clock are not judged yet."""
    comparison = compared.comparison
    limit = format_time(compared.began_at - age) if age else NO_END
    versions, unrecorded = comparison.count_versions(), comparison.count_unrecorded()
    missing = comparison.count_unrecorded(end=limit)
    totals = ReconcileTotals(
        versions=versions,
        recorded=versions - unrecorded,
        missing=missing,
        in_flight=unrecorded - missing,
        repeated=comparison.count_repeated(),
        unknown=comparison.count_unknown(end=limit),
        gone=comparison.count_gone(),
    )
    return ReconcileReport(compared=compared, judged_before=limit, totals=totals)


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


def _load_ledger(comparison: BucketComparison, resources: StackResources, counting: Counting) -> None:
    with counting("ledger entries read", None) as advance:
        for lines in ledger_lines(resources.dynamodb, resources.ledger_table):
            comparison.add_lines(lines)
            advance(len(lines))
    known = comparison.entries_by_bucket
    if known and resources.bucket not in known:
        others = ", ".join(name for name, _ in known.most_common(SHOWN_BUCKETS))
        raise BillEError(
            f"ledger {resources.ledger_table} has no entry about bucket {resources.bucket}, but "
            f"{known.total():,} about {others}: are these the outputs of one stack? Nothing was changed"
        )
