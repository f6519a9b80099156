"""What is sealed: for each entry a leaf, which names the entry and has a hash of its record."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import rfc8785

from functions.contract.entry import FINGERPRINT_PATTERN, format_time, parse_time
from functions.contract.entry_json import entry_to_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from functions.contract.entry import Entry

VERSION: Final = 1

_HASH = re.compile(FINGERPRINT_PATTERN)


class Kind(StrEnum):
    """What a leaf is about."""

    ENTRY = "entry"
    ERASURE = "erasure"


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """One leaf of the log.

    ``sealed_at`` is when the batch was sealed; it is never lower than that of the leaf before. A leaf has no
    personal data: without the salt in the record, nobody can guess a record from its hash.
    """

    kind: Kind
    object_id: str
    fingerprint: str | None
    recorded_at: datetime
    sealed_at: datetime
    record_sha256: str

    def encode(self) -> bytes:
        """Write the leaf as canonical JSON (RFC 8785)."""
        return rfc8785.dumps(
            {
                "v": VERSION,
                "kind": str(self.kind),
                "object_id": self.object_id,
                "fingerprint": self.fingerprint,
                "recorded_at": format_time(self.recorded_at),
                "sealed_at": format_time(self.sealed_at),
                "record_sha256": self.record_sha256,
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> Leaf:
        """Read a leaf, or raise a ValueError that says what is wrong."""
        try:
            members = json.loads(data)
            leaf = cls(
                kind=Kind(members["kind"]),
                object_id=_hash(members["object_id"]),
                fingerprint=None if members["fingerprint"] is None else _hash(members["fingerprint"]),
                recorded_at=parse_time(members["recorded_at"]),
                sealed_at=parse_time(members["sealed_at"]),
                record_sha256=_hash(members["record_sha256"]),
            )
        except (KeyError, TypeError, RecursionError) as error:
            raise ValueError(f"not a leaf: {error!r}") from None
        if members.get("v") != VERSION or leaf.encode() != data:
            raise ValueError(f"not a leaf of version {VERSION} in canonical JSON")
        return leaf


def leaf_of(entry: Entry, sealed_at: datetime) -> Leaf:
    """Make the leaf of an entry."""
    return Leaf(
        kind=Kind.ENTRY,
        object_id=entry.upload.version.object_id,
        fingerprint=entry.fingerprint,
        recorded_at=entry.recorded_at,
        sealed_at=sealed_at,
        record_sha256=record_sha256(record_of(entry_to_json(entry))),
    )


def record_of(members: Mapping[str, Any]) -> bytes:
    """Write an entry, as the API has it, as the bytes whose hash is sealed: canonical JSON (RFC 8785).

    Members that are null, false or empty are left out. So the record of an entry stays the same when a later
    release adds a member that this entry doesn't have.
    """
    return rfc8785.dumps(_without_absent(members))


def record_sha256(record: bytes) -> str:
    """Return the hash of a record in hex."""
    return hashlib.sha256(record).hexdigest()


def _without_absent(members: Mapping[str, Any]) -> dict[str, Any]:
    kept = {
        name: _without_absent(value) if isinstance(value, dict) else value for name, value in members.items()
    }
    # A number is never left out: a file of no bytes isn't one of unknown size.
    return {
        name: value if not isinstance(value, tuple) else [*value]
        for name, value in kept.items()
        if value is not None and value is not False and value not in ({}, [], (), "")
    }


def _hash(text: object) -> str:
    if isinstance(text, str) and _HASH.fullmatch(text):
        return text
    raise ValueError(f"not a leaf: {text!r} is not 64 hexadecimal digits, lower-case")
