"""The names of the functions' metrics in CloudWatch, which alarms watch and the dashboard shows."""

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

MISSING: Final = "MissingUploads"
UNBACKED: Final = "UnbackedReceipts"
"""What a complete round of the reconciler found: object versions without an entry, and receipts without any
object version."""

ROUND_AGE: Final = "SecondsSinceRound"
"""How long ago the last complete round of the reconciler began."""

CHANGED_CONFIGURATION: Final = "ChangedConfiguration"
"""How many parts of the bucket's configuration aren't as they were deployed."""

UNSEALED_AGE: Final = "SecondsUnsealed"
"""How long ago the oldest entry was recorded that the log should hold and doesn't; 0 if it holds all."""

SEALED: Final = "SealedEntries"
QUARANTINED: Final = "QuarantinedItems"
"""How many entries a run of the sealer has sealed, and how many items of the ledger it couldn't. They have a
value only if there were any."""
