"""Records one upload: reads it, decides its outcome, and inserts its entry."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from functions.contract.entry import (
    NULL_VERSION,
    SALT_BYTES,
    Entry,
    ObjectVersion,
    Outcome,
    Reason,
    Upload,
    Uploader,
    UploadLocation,
    Via,
)
from functions.contract.form_metadata import read_caller
from functions.ledger.store import LedgerStore, Recorded
from functions.processor.examination import Examination, Rules, examine, unread
from functions.processor.objects import ObjectMissingError, S3Objects

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from functions.processor.invocation import Deadline


SETTLING_INVOCATIONS = 2
"""How many function time-outs to wait, after an object is found to be gone, before giving it up.

The first is for earlier deliveries that have read the object and may still write its entry. The second is for
the time index to catch up, and for differences between clocks. The queue's visibility time-out is six
function time-outs, so the message comes back after that.
"""


class MissingTooRecentlyError(Exception):
    """The object is gone, but somebody may have read it just before. The message must come back."""


class ForeignUploadError(Exception):
    """The object version isn't in the stack's bucket and upload prefix."""


class Recorder:
    """Records the uploads of one location, and reads each only once. Safe to use from several threads.

    ``form_signer`` is the unique id of the role that signs forms. Only S3's event can tell that an upload was
    made with one: anybody else can write the same metadata, and choose the same name for a session.
    """

    def __init__(
        self,
        *,
        location: UploadLocation,
        form_signer: str | None,
        objects: S3Objects,
        ledger: LedgerStore,
        rules: Rules,
        now: Callable[[], datetime],
    ) -> None:
        self._location = location
        self._form_signer = form_signer
        self._objects = objects
        self._ledger = ledger
        self._rules = rules
        self._now = now

    def record(self, upload: Upload, *, deadline: Deadline) -> Recorded:
        """Insert an upload's entry, or find the one from an earlier delivery, and return it.

        Raise MissingTooRecentlyError, DamagedReadError, OutOfTimeError or a storage error if the upload has
        no entry yet and has to be tried again. Raise ForeignUploadError, and ObjectMissingError if it was
        resent and isn't there, if it never gets one.
        """
        if not self._location.holds(upload.version):
            raise ForeignUploadError(
                f"the object version is in bucket {upload.version.bucket}, but this ledger is for objects "
                f"below {self._location.prefix or 'any prefix'} in {self._location.bucket}"
            )
        if upload.resent:
            return self._record_resent(upload.version, deadline)
        if self._is_by_form(upload.uploader):
            upload = _uploaded(upload, via=Via.FORM)
        if upload.version.version_id == NULL_VERSION:
            return self._ledger.record(_unread(upload, self._now(), Reason.UNVERSIONED))
        try:
            with self._objects.open(upload.version, deadline.allow_call) as stored:
                examination = examine(stored, self._rules, deadline.allow_read)
        except ObjectMissingError:
            return self._record_missing(upload, deadline)
        if upload.uploader.via is Via.FORM:
            upload = _uploaded(upload, caller=read_caller(stored.metadata))
        return self._record_examined(upload, examination, deadline)

    def _is_by_form(self, uploader: Uploader) -> bool:
        """Say whether an upload was made with a form of the stack. Its principal is the form's signer."""
        if self._form_signer is None or uploader.principal is None or uploader.via is not Via.POST:
            return False
        return uploader.principal.startswith(f"AWS:{self._form_signer}:")

    def _record_resent(self, version: ObjectVersion, deadline: Deadline) -> Recorded:
        """Record an object version that an operator's message names, as S3 has it.

        Nothing else in the message is believed. Without an object, there is nothing to record: such a message
        doesn't prove that there was an upload.
        """
        with self._objects.open(version, deadline.allow_call) as stored:
            upload = Upload(
                version=version,
                uploaded_at=stored.modified,
                uploader=Uploader(principal=None, source_ip=None),
                resent=True,
            )
            if version.version_id == NULL_VERSION:
                examination = unread(stored, Reason.UNVERSIONED)
            else:
                examination = examine(stored, self._rules, deadline.allow_read)
        return self._record_examined(upload, examination, deadline)

    def _record_examined(self, upload: Upload, examination: Examination, deadline: Deadline) -> Recorded:
        """Insert the entry that an examination calls for, unless the object version has another one."""
        standing = None
        if upload.resent or examination.reason is Reason.UNREADABLE:
            standing = self._standing(upload, examination.fingerprint, deadline)
        deadline.allow_call()
        if standing is not None:
            return Recorded(entry=standing, is_new=False)
        return self._ledger.record(_entry(upload, examination, self._now()), deadline.allow_call)

    def _standing(self, upload: Upload, fingerprint: str | None, deadline: Deadline) -> Entry | None:
        """Find the entry of an object version that was recorded before, when more or less of it was known.

        It may have been readable then and archived since, or the other way round, or the rules may have
        changed. S3's own events come too soon for that, except if an object is archived at once.
        """
        version = upload.version
        found = self._ledger.standing(version, fingerprint, deadline.allow_call)
        if found is not None or fingerprint is not None:
            return found
        return self._ledger.find(
            version, since=upload.uploaded_at, until=self._now(), before_page=deadline.allow_call
        )

    def _record_missing(self, upload: Upload, deadline: Deadline) -> Recorded:
        """Record that an object is gone, unless an earlier or a concurrent delivery has inserted an entry.

        Without the object, nobody knows the fingerprint of that entry, so only the time index can find it.
        The index may not have the entry yet. The number of deliveries doesn't help: earlier ones may have
        failed for other reasons while the object was still there.
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
                f"the object is gone and has no entry; first noticed {missing_for} ago, {settling} needed"
            )
        return self._ledger.record(_unread(upload, now, Reason.OBJECT_MISSING))


def _uploaded(upload: Upload, **changes: Any) -> Upload:
    return replace(upload, uploader=replace(upload.uploader, **changes))


def _entry(upload: Upload, examination: Examination, recorded_at: datetime) -> Entry:
    return Entry(
        outcome=Outcome.ACCEPTED if examination.reason is None else Outcome.REJECTED,
        upload=upload,
        recorded_at=recorded_at,
        fingerprint=examination.fingerprint,
        size_bytes=examination.size_bytes,
        media_type=examination.media_type,
        reason=_reason(upload.version, examination),
        detail=examination.detail,
        findings=examination.findings,
        salt=secrets.token_hex(SALT_BYTES),
    )


def _reason(version: ObjectVersion, examination: Examination) -> Reason | None:
    """Tell the object that stands for a folder from a file without content."""
    if examination.reason is Reason.EMPTY and version.key.endswith("/"):
        return Reason.FOLDER_MARKER
    return examination.reason


def _unread(upload: Upload, recorded_at: datetime, reason: Reason) -> Entry:
    return Entry(
        outcome=Outcome.REJECTED,
        upload=upload,
        recorded_at=recorded_at,
        fingerprint=None,
        size_bytes=None,
        media_type=None,
        reason=reason,
        salt=secrets.token_hex(SALT_BYTES),
    )
