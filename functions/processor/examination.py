"""Examines an uploaded object: takes its fingerprint, reads its structure, and decides what becomes of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from functions.contract.entry import Reason
from functions.processor.formats.inspector import Inspector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from functions.contract.entry import ContentFinding
    from functions.processor.formats.inspector import Inspection


class ReadableObject(Protocol):
    """An uploaded object that is open and can be read once."""

    @property
    def size_bytes(self) -> int:
        """The number of bytes, according to the storage."""

    @property
    def is_readable(self) -> bool:
        """Whether the storage returns the bytes."""

    @property
    def sha256(self) -> str | None:
        """The SHA-256 of all bytes in hex, if the storage has it from the upload."""

    def chunks(self) -> Iterator[bytes]:
        """Read all bytes once, in pieces of bounded size."""


class DamagedReadError(Exception):
    """The bytes that arrived aren't the bytes in the storage. Reading them again may help."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The media types and the largest size that are accepted."""

    accepted_types: frozenset[str]
    max_bytes: int


@dataclass(frozen=True, kw_only=True)
class Examination:
    """What an object is. ``reason`` says why it is rejected, and is ``None`` if it is accepted.

    ``fingerprint`` is ``None`` if the object wasn't read. ``media_type`` is ``None`` then, too, and if its
    type is unknown. ``detail`` says how it is damaged, if that is the reason. ``findings`` are only given if
    it is accepted.
    """

    fingerprint: str | None
    size_bytes: int
    media_type: str | None
    reason: Reason | None
    detail: str | None = None
    findings: tuple[ContentFinding, ...] = ()


def examine(
    stored: ReadableObject, rules: Rules, keep_going: Callable[[], None] = lambda: None
) -> Examination:
    """Read an object to its end, once and in constant memory, and decide what it is.

    An object that isn't readable, or is too large, isn't read. ``keep_going`` is called for every piece, and
    may raise to give up. Raise DamagedReadError if the bytes don't match the stored size or SHA-256.
    """
    if not stored.is_readable:
        return unread(stored, Reason.UNREADABLE)
    if stored.size_bytes > rules.max_bytes:
        return unread(stored, Reason.TOO_LARGE)
    digest, inspector, size = hashlib.sha256(), Inspector(), 0
    for chunk in stored.chunks():
        keep_going()
        digest.update(chunk)
        inspector.feed(chunk)
        size += len(chunk)
        if size > stored.size_bytes:
            break
    fingerprint = digest.hexdigest()
    if size != stored.size_bytes:
        raise DamagedReadError(f"read {size} bytes or more of an object of {stored.size_bytes} bytes")
    if stored.sha256 not in (None, fingerprint):
        raise DamagedReadError(
            f"read bytes with SHA-256 {fingerprint} of an object with SHA-256 {stored.sha256}"
        )
    inspection = inspector.finish()
    reason = _why_rejected(size, inspection, rules)
    return Examination(
        fingerprint=fingerprint,
        size_bytes=size,
        media_type=inspection.media_type,
        reason=reason,
        detail=inspection.damage if reason is Reason.DAMAGED else None,
        findings=inspection.findings if reason is None else (),
    )


def unread(stored: ReadableObject, reason: Reason) -> Examination:
    """Reject an object without reading it."""
    return Examination(fingerprint=None, size_bytes=stored.size_bytes, media_type=None, reason=reason)


def _why_rejected(size: int, inspection: Inspection, rules: Rules) -> Reason | None:
    if size == 0:
        return Reason.EMPTY
    if inspection.media_type not in rules.accepted_types:
        return Reason.UNSUPPORTED_TYPE
    if inspection.damage is not None:
        return Reason.DAMAGED
    return None
