"""How the ledger is sealed: when, how, and where the log keeps what isn't a part of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

EVERY_MINUTES: Final = 1
"""How often the sealer is invoked."""

TIMEOUT_SECONDS: Final = 15 * 60
RUN_SECONDS: Final = 45
"""The function's time-out, and how long after its start a run may begin another batch or another sweep, so
that it has usually ended before the next one begins."""

SETTLING: Final = timedelta(seconds=30)
"""How old an entry is before it is sealed, so that the time index has it, and everything before it."""

SETTLED_AFTER_SECONDS: Final = "settled_after_seconds"
"""The member of an event with which a person has entries sealed sooner or later than after `SETTLING`."""

MAX_DELAY: Final = timedelta(minutes=15)
"""How long after it was recorded an entry is sealed at the latest. After that, an alarm goes off, and the
entry is told as late for good."""

CHECKPOINT: Final = "checkpoint"
TILE_FOLDER: Final = "tile/"
"""Where the newest checkpoint is, and the tiles and bundles (c2sp.org/tlog-tiles)."""

CHECKPOINT_FOLDER: Final = "checkpoints/"
"""Where the history of checkpoints is: one object for each size that was signed."""

STAGING_FOLDER: Final = "staging/"
STAGING_DAYS: Final = 30
"""Where a batch waits between its commit and its publication, and when it expires."""

LOCK_KEY: Final = "id"
"""The partition key of the table whose one item says which tree is committed."""

SIGNING_ALGORITHM: Final = "ED25519_SHA_512"
MESSAGE_TYPE: Final = "RAW"
"""What KMS calls pure Ed25519 (AWS KMS Developer Guide, "ECC key specs")."""
