"""What can be told from an entry by itself: whether the processor can have written it.

The processor writes entries with `schema.to_item` and never changes one, so an entry that contradicts itself
was written or changed by hand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from functions.contract import schema
from functions.contract.entry import (
    CLOCK_SKEW,
    MAX_DETAIL_CHARACTERS,
    NULL_VERSION,
    Entry,
    Outcome,
    Reason,
    format_time,
    parse_fingerprint,
)
from functions.contract.processing import ACCEPTABLE_TYPES

if TYPE_CHECKING:
    from functions.contract.entry import ObjectVersion
    from functions.contract.schema import Item

NO_BYTES = hashlib.sha256().hexdigest()

WITHOUT_CONTENT = frozenset({Reason.EMPTY, Reason.FOLDER_MARKER})
"""The reasons of objects that have no bytes."""

READ_TO_THE_END = frozenset({None, *WITHOUT_CONTENT, Reason.UNSUPPORTED_TYPE, Reason.DAMAGED})
"""The reasons of entries with a fingerprint, and None for entries that aren't rejected."""

UNKNOWN_SIZE = frozenset({Reason.OBJECT_MISSING, Reason.UNVERSIONED})
"""The reasons of entries that may have no size."""


MAX_BYTES = 2**63 - 1
"""What SQLite can hold, and far more than any object has."""


class NotAnEntryError(ValueError):
    """An item of the ledger isn't an entry. Says why not."""


def read_entry(item: Item) -> Entry:
    """Read an item of the ledger as an entry; raise NotAnEntryError if it can't be one."""
    try:
        _ = item[schema.MONTH_SHARD]["S"]
        entry = schema.from_item(item)
    except KeyError as error:
        raise NotAnEntryError(f"it has no {error}") from error
    except ValueError as error:
        raise NotAnEntryError(str(error)) from error
    if entry.size_bytes is not None and entry.size_bytes > MAX_BYTES:
        raise NotAnEntryError(f"its size is {entry.size_bytes}")
    return entry


def contradictions(item: Item, entry: Entry, shards: int) -> str:
    """Say in what an entry contradicts itself or the clock; empty if it doesn't.

    `item` is what `entry` was read from. `shards` is the stack's number of shards now, which can only have
    been smaller.
    """
    of_item = (*_of_place(item, entry, shards), *_of_time(item, entry))
    return "; ".join((*of_item, *_of_outcome(entry), *_of_content(entry)))


def _of_place(item: Item, entry: Entry, shards: int) -> Iterator[str]:
    version, recorded = entry.upload.version, item[schema.RECORDED]["S"]
    if (item[schema.FINGERPRINT]["S"], item[schema.ENTRY]["S"]) != (
        schema.partition_key(entry),
        schema.sort_key(entry),
    ):
        yield "its key is not that of its outcome and object version"
    month, _, shard = item[schema.MONTH_SHARD]["S"].partition("#")
    if recorded != schema.recorded_key(entry.recorded_at, version) or month != recorded[:7]:
        yield "its place in the time index is not that of its recorded time"
    if month < schema.FIRST_MONTH:
        yield f"its month is before the ledger's first, {schema.FIRST_MONTH}"
    if not _was_shard_of(version, shard, shards):
        yield f"it can't be in shard {shard}, with {shards} shards or fewer"


def _was_shard_of(version: ObjectVersion, shard: str, shards: int) -> bool:
    # Most entries were written with today's number.
    return any(shard == str(schema.shard_of(version, number)) for number in range(shards, 0, -1))


def _of_time(item: Item, entry: Entry) -> Iterator[str]:
    uploaded_at, recorded_at = entry.upload.uploaded_at, entry.recorded_at
    if item["uploaded_at"]["S"] != format_time(uploaded_at):
        yield "its time of upload isn't written as the ledger writes times"
    if recorded_at - datetime.now(UTC) > CLOCK_SKEW:
        yield "its recorded time is in the future"
    if uploaded_at - recorded_at > CLOCK_SKEW:
        yield "it was recorded before it was uploaded"


def _of_outcome(entry: Entry) -> Iterator[str]:
    outcome, reason, version = entry.outcome, entry.reason, entry.upload.version
    if (reason is not None) != (outcome is Outcome.REJECTED):
        yield f"it is {outcome} {'without a' if reason is None else 'with the'} reason {reason or ''}".strip()
    if (entry.duplicate_of is not None) != (outcome is Outcome.DUPLICATE):
        yield f"it is {outcome} {'without' if outcome is Outcome.DUPLICATE else 'with'} duplicate_of"
    if entry.restores and outcome is not Outcome.DUPLICATE:
        yield f"it is {outcome} with restores"
    if entry.findings and reason is not None:
        yield f"it is {reason}, but has findings"
    if reason is Reason.UNVERSIONED and version.version_id != NULL_VERSION:
        yield f"it is {reason}, but has a version"
    if reason is Reason.FOLDER_MARKER and not version.key.endswith("/"):
        yield f"it is {reason}, but its key doesn't end in a slash"


def _of_content(entry: Entry) -> Iterator[str]:
    reason, what = entry.reason, entry.reason or entry.outcome
    if not _is_fingerprint_for(reason, entry.fingerprint):
        yield f"its fingerprint is none that {what} allows"
    if not _is_size_for(reason, entry.size_bytes):
        yield f"its size is none that {what} allows"
    if not _is_media_type_for(reason, entry.media_type):
        yield f"its media type is none that {what} allows"
    if not _is_detail_for(reason, entry.detail):
        yield f"its detail is none that {what} allows"


def _is_fingerprint_for(reason: Reason | None, fingerprint: str | None) -> bool:
    if reason not in READ_TO_THE_END:
        return fingerprint is None
    try:
        return (parse_fingerprint(fingerprint) == NO_BYTES) == (reason in WITHOUT_CONTENT)
    except ValueError:
        return False


def _is_size_for(reason: Reason | None, size: int | None) -> bool:
    if size is None:
        return reason in UNKNOWN_SIZE
    if reason in {Reason.UNREADABLE, Reason.UNVERSIONED}:
        return size >= 0
    return size == 0 if reason in WITHOUT_CONTENT else size > 0 and reason is not Reason.OBJECT_MISSING


def _is_media_type_for(reason: Reason | None, media_type: str | None) -> bool:
    if reason is Reason.UNSUPPORTED_TYPE:
        return True
    return media_type in ACCEPTABLE_TYPES if reason in {None, Reason.DAMAGED} else media_type is None


def _is_detail_for(reason: Reason | None, detail: str | None) -> bool:
    if reason is not Reason.DAMAGED:
        return detail is None
    return detail is not None and 0 < len(detail) <= MAX_DETAIL_CHARACTERS and detail.isprintable()
