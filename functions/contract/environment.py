"""The environment variables that a stack gives its functions."""

from __future__ import annotations

from typing import Final

LEDGER_TABLE: Final = "LEDGER_TABLE"

LEDGER_SHARDS: Final = "LEDGER_SHARDS"
"""The partitions of a month in the ledger's time index."""

SERVICE_NAME: Final = "SERVICE_NAME"
STACK_NAME: Final = "STACK_NAME"
"""The values of the metrics' dimensions."""

ACCEPTED_TYPES: Final = "ACCEPTED_TYPES"
"""Media types, separated by commas."""

MAX_RECEIPT_BYTES: Final = "MAX_RECEIPT_BYTES"

UPLOADS_BUCKET: Final = "UPLOADS_BUCKET"

FORM_PREFIX: Final = "FORM_PREFIX"
"""The folder for what is uploaded with a form; it ends in a slash."""

FORM_LIFETIME_SECONDS: Final = "FORM_LIFETIME_SECONDS"
