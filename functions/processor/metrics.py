"""The processor's metrics.

They are for monitoring, not for accounting. If a function is killed, the figures of its batch are lost, but
the ledger has every entry.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from functions.contract.metric_names import BYTES, OUTCOMES, REASONS, SECONDS
from functions.log import write_metrics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from functions.contract.entry import Entry
    from functions.ledger.store import Recorded

MAX_VALUES: Final = 100
"""How many values of a metric CloudWatch reads from one line."""


class ReceiptMetrics:
    """Collects what one invocation records, and writes it to stdout. Threads may share it.

    Every line has these ``dimensions`` and no others, so nothing about a receipt or its uploader.
    """

    def __init__(self, dimensions: Mapping[str, str]) -> None:
        self._dimensions = dimensions
        self._new: list[Entry] = []

    def add(self, recorded: Recorded) -> None:
        """Count an entry, unless an earlier delivery of the upload inserted it."""
        if recorded.is_new:
            self._new.append(recorded.entry)

    def write(self) -> None:
        """Write what was counted, in lines of up to `MAX_VALUES` entries each."""
        for start in range(0, len(self._new), MAX_VALUES):
            write_metrics(self._dimensions, _measure(self._new[start : start + MAX_VALUES]))


def _measure(entries: Sequence[Entry]) -> Mapping[str, int | Sequence[float]]:
    """Return the value of each metric that is a count, and all values of the others."""
    counts = Counter(OUTCOMES[entry.outcome] for entry in entries)
    counts.update(REASONS[entry.reason] for entry in entries if entry.reason is not None)
    sizes = [entry.size_bytes for entry in entries if entry.size_bytes is not None]
    seconds = [(entry.recorded_at - entry.upload.uploaded_at).total_seconds() for entry in entries]
    return {
        **counts,
        **({BYTES: sizes} if sizes else {}),
        # S3's times are in milliseconds, and its clock may be ahead of ours.
        SECONDS: [round(max(taken, 0.0), 3) for taken in seconds],
    }
