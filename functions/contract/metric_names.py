"""The names of the processor's metrics in CloudWatch, which the dashboard shows."""

from __future__ import annotations

from typing import Final

from functions.contract.entry import Outcome, Reason

NAMESPACE: Final = "Bill-E"

STACK: Final = "stack"
SERVICE: Final = "service"
"""The dimensions of every metric: the stack, and the function in it."""

OUTCOMES: Final = {outcome: f"Receipts{outcome.capitalize()}" for outcome in Outcome}
REASONS: Final = {reason: f"Rejected{reason.title().replace('_', '')}" for reason in Reason}
"""How many uploads had each outcome and each reason. Each is a metric, so that few dimensions are needed."""

BYTES: Final = "ReceiptBytes"
SECONDS: Final = "SecondsToEntry"
"""The time from the upload, according to S3, to the entry."""
