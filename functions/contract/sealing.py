"""How the ledger is sealed: when, where the log is, and how its signer is named."""

from __future__ import annotations

import base64
import hashlib
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
CHECKPOINT_FOLDER: Final = "checkpoints/"
"""The keys of the newest checkpoint, and of the history: one object for each size that was signed."""

STAGING_FOLDER: Final = "staging/"
STAGING_DAYS: Final = 30
"""Where a batch waits between its commit and its publication, and when it expires."""

LOCK_KEY: Final = "id"
"""The partition key of the table whose one item says which tree is committed."""

SIGNING_ALGORITHM: Final = "ED25519_SHA_512"
MESSAGE_TYPE: Final = "RAW"
"""What KMS calls pure Ed25519 (AWS KMS Developer Guide, "ECC key specs")."""

_SPKI_PREFIX: Final = bytes.fromhex("302a300506032b6570032100")
"""What comes before the 32 bytes of an Ed25519 key in DER (RFC 8410, 10.1)."""

_ED25519: Final = b"\x01"


def key_id(name: str, key: bytes) -> bytes:
    """Return the four bytes that name a signer of notes (c2sp.org/signed-note, "Signatures")."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + key).digest()[:4]


def verifier_key(origin: str, spki: str) -> str:
    """Write a public key, DER in base64 as KMS returns it, as a verifier key (c2sp.org/signed-note)."""
    der = base64.b64decode(spki)
    key = der.removeprefix(_SPKI_PREFIX)
    if len(key) != len(der) - len(_SPKI_PREFIX) or len(key) != 32:
        raise ValueError("not an Ed25519 public key")
    return f"{origin}+{key_id(origin, key).hex()}+{base64.b64encode(_ED25519 + key).decode()}"
