"""An entry as JSON: what the API answers with, and what the log seals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.contract.entry import format_time

if TYPE_CHECKING:
    from functions.contract.entry import Entry, ObjectVersion, Uploader


def entry_to_json(entry: Entry) -> dict[str, object]:
    """Write an entry as a JSON object.

    A rejection has ``reason`` and ``detail``, and a duplicate ``duplicate_of`` and ``restores``.
    Times are RFC 3339 in UTC. Unknown values are null. What is sealed in the log is made of this
    (`functions.sealing.leaf`): a member may be added, with null, false or nothing for earlier entries, but
    none may change.
    """
    upload, first = entry.upload, entry.duplicate_of
    return {
        "outcome": entry.outcome,
        **({"reason": entry.reason, "detail": entry.detail} if entry.reason is not None else {}),
        "fingerprint": entry.fingerprint,
        **_version_to_json(upload.version),
        "size_bytes": entry.size_bytes,
        "media_type": entry.media_type,
        "findings": entry.findings,
        "uploaded_at": format_time(upload.uploaded_at),
        "recorded_at": format_time(entry.recorded_at),
        "uploader": _uploader_to_json(upload.uploader),
        "resent": upload.resent,
        "salt": entry.salt,
        **({"duplicate_of": _version_to_json(first), "restores": entry.restores} if first else {}),
    }


def _uploader_to_json(uploader: Uploader) -> dict[str, object]:
    return {**vars(uploader), "caller": None if uploader.caller is None else vars(uploader.caller)}


def _version_to_json(version: ObjectVersion) -> dict[str, str]:
    return {"bucket": version.bucket, "key": version.key, "version_id": version.version_id}
