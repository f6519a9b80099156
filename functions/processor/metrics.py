"""The processor's metrics, as log lines that CloudWatch reads metrics from (embedded metric format, EMF).

They are for watching, not for counting: a function that is killed takes the figures of its batch with it,
while the ledger has every entry.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from functions.ledger.entry import Outcome, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from functions.ledger.entry import Entry
    from functions.ledger.store import Recorded

NAMESPACE: Final = "Bill-E"

OUTCOMES: Final = {outcome: f"Receipts{outcome.capitalize()}" for outcome in Outcome}
REASONS: Final = {reason: f"Rejected{reason.title().replace('_', '')}" for reason in Reason}
"""How many receipts had an outcome, and a reason: one metric for each, so that few dimensions are needed."""

BYTES: Final = "ReceiptBytes"
SECONDS: Final = "SecondsToEntry"
"""From the upload, as S3 timed it, to the entry."""


class ReceiptMetrics:
    """What one invocation recorded, until it is written to stdout. Threads may share it.

    The only dimensions are ``stack`` and ``service``, from the environment (``STACK_NAME`` and Powertools'
    ``POWERTOOLS_SERVICE_NAME``): nothing of a receipt or its uploader is in a line.
    """

    def __init__(self) -> None:
        self._stack = os.environ["STACK_NAME"]
        self._new: list[Entry] = []

    def add(self, recorded: Recorded) -> None:
        """Count an entry, unless an earlier delivery of the same upload made it."""
        if recorded.is_new:
            self._new.append(recorded.entry)

    def write(self) -> None:
        """Write what was counted, if anything was: one line for every 100 values of a metric."""
        if not self._new:
            return
        metrics = EphemeralMetrics(namespace=NAMESPACE)
        metrics.add_dimension("stack", self._stack)
        for entry in self._new:
            for name, unit, value in _measure(entry):
                metrics.add_metric(name, unit, value)
        if metrics.metric_set:
            metrics.flush_metrics()


def _measure(entry: Entry) -> Iterator[tuple[str, MetricUnit, float]]:
    yield OUTCOMES[entry.outcome], MetricUnit.Count, 1
    if entry.reason is not None:
        yield REASONS[entry.reason], MetricUnit.Count, 1
    if entry.size_bytes is not None:
        yield BYTES, MetricUnit.Bytes, entry.size_bytes
    # S3's clock may be ahead of ours.
    seconds = (entry.recorded_at - entry.upload.uploaded_at).total_seconds()
    yield SECONDS, MetricUnit.Seconds, max(seconds, 0.0)
