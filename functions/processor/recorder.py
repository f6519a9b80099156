"""From one upload to its entry in the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.contract.entry import Entry, Outcome, Reason, Upload
from functions.ledger.store import LedgerStore, Recorded
from functions.processor.examination import Examination, Rules, examine
from functions.processor.objects import ObjectMissingError, S3Objects

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from functions.processor.deadline import Deadline


SETTLING_INVOCATIONS = 2
"""How many function time-outs after an object was noticed to be gone its entry, if it has one, can be found.

One is for deliveries that had read it before to end, one for the time index to catch up and for clocks to
differ. The queue's visibility time-out is six, so that the next delivery of the message comes after it.
"""


class MissingTooRecentlyError(Exception):
    """The object is gone, and it is too early to say that nobody has read it; the message must come back."""


class Recorder:
    """Records uploads: reads each once, judges it and inserts its entry. Safe to use from several threads."""

    def __init__(
        self, *, objects: S3Objects, ledger: LedgerStore, rules: Rules, now: Callable[[], datetime]
    ) -> None:
        self._objects = objects
        self._ledger = ledger
        self._rules = rules
        self._now = now

    def record(self, upload: Upload, *, deadline: Deadline) -> Recorded:
        """Give an upload its one entry, and return it; the one it has where it was delivered before.

        Raise MissingTooRecentlyError, DamagedReadError, OutOfTimeError or a storage error where the upload
        has no entry yet and has to be tried again.
        """
        try:
            with self._objects.open(upload.version) as stored:
                examination = examine(stored, self._rules, deadline.allow_read)
        except ObjectMissingError:
            return self._record_missing(upload, deadline)
        deadline.allow_call()
        return self._ledger.record(_entry(upload, examination, self._now()))

    def _record_missing(self, upload: Upload, deadline: Deadline) -> Recorded:
        """Record that an object is gone, unless an earlier or a concurrent delivery got its entry in.

        That entry is under a fingerprint that nobody can tell any more, so the time index has to have it. At
        first it may be too early for that. How often the message was received says nothing about it: earlier
        deliveries may have failed for other reasons, while the object was still there.
        """
        now = self._now()
        found = self._ledger.find(
            upload.version, since=upload.uploaded_at, until=now, before_page=deadline.allow_call
        )
        if found is not None:
            return Recorded(entry=found, is_new=False)
        settling = SETTLING_INVOCATIONS * deadline.allotted
        missing_for = now - self._ledger.note_missing(upload.version, now)
        if missing_for < settling:
            raise MissingTooRecentlyError(
                f"the object is not there and has no entry; known for {missing_for}, {settling} needed"
            )
        return self._ledger.record(_missing(upload, now))


def _entry(upload: Upload, examination: Examination, recorded_at: datetime) -> Entry:
    return Entry(
        outcome=Outcome.ACCEPTED if examination.reason is None else Outcome.REJECTED,
        upload=upload,
        recorded_at=recorded_at,
        fingerprint=examination.fingerprint,
        size_bytes=examination.size_bytes,
        media_type=examination.media_type,
        reason=examination.reason,
    )


def _missing(upload: Upload, recorded_at: datetime) -> Entry:
    return Entry(
        outcome=Outcome.REJECTED,
        upload=upload,
        recorded_at=recorded_at,
        fingerprint=None,
        size_bytes=None,
        media_type=None,
        reason=Reason.OBJECT_MISSING,
    )
