"""Loading a comparison of a stack's bucket with its ledger, and refusing one of things that don't match."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from cli.comparison import Comparison, empty_comparison
from cli.errors import BillEError
from cli.inventory import ledger_lines, listed_versions
from cli.operations import Operator, Queue
from cli.progress import tally
from cli.terminal import Terminal

SHOWN_BUCKETS = 3


@dataclass(frozen=True, kw_only=True)
class Survey:
    """A finished comparison of what is below `prefix`, begun at `began_at` by S3's clock."""

    prefix: str
    began_at: datetime
    queue: Queue
    comparison: Comparison


@contextmanager
def survey(operator: Operator, prefix: str, terminal: Terminal) -> Iterator[Survey]:
    """Compare the object versions below the stack's prefix and `prefix` with the ledger.

    The bucket comes first: what has no entry once the ledger is read had all the time in between to get it.
    Raise BillEError where bucket, queue and ledger are not of one stack.
    """
    queue = operator.queue()
    if not queue.takes_events_of(operator.bucket):
        raise BillEError(
            f"queue {queue.url.rpartition('/')[2]} takes no events of bucket {operator.bucket}: "
            "are these the outputs of one stack? Nothing was changed"
        )
    prefix = operator.upload_prefix + prefix
    with empty_comparison(operator.bucket, prefix) as comparison:
        began_at = _load_bucket(comparison, operator, prefix, terminal)
        _load_ledger(comparison, operator, terminal)
        comparison.compare()
        yield Survey(prefix=prefix, began_at=began_at, queue=queue, comparison=comparison)


def _load_bucket(comparison: Comparison, operator: Operator, prefix: str, terminal: Terminal) -> datetime:
    began_at: datetime | None = None
    with tally(terminal.err, "object versions listed") as advance:
        for page in listed_versions(operator.s3, operator.bucket, prefix):
            began_at = began_at or page.listed_at
            comparison.add_versions(page.versions)
            advance(len(page.versions))
    if began_at is None:
        raise BillEError(f"bucket {operator.bucket} gave no listing")
    return began_at


def _load_ledger(comparison: Comparison, operator: Operator, terminal: Terminal) -> None:
    with tally(terminal.err, "ledger entries read") as advance:
        for lines in ledger_lines(operator.dynamodb, operator.ledger_table):
            comparison.add_lines(lines)
            advance(len(lines))
    known = comparison.entries_by_bucket
    if known and operator.bucket not in known:
        others = ", ".join(name for name, _ in known.most_common(SHOWN_BUCKETS))
        raise BillEError(
            f"ledger {operator.ledger_table} knows nothing of bucket {operator.bucket}, but of {others} "
            f"({known.total():,} entries in all): are these the outputs of one stack? Nothing was changed"
        )
