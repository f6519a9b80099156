"""Ledger entries as the API shows them."""

from __future__ import annotations

from functions.contract.entry import Entry, ObjectVersion, format_time


def entry_to_json(entry: Entry) -> dict[str, object]:
    """Write an entry as a JSON object: ``reason`` and ``duplicate_of`` only where they mean something.

    Times are RFC 3339 in UTC. What is not known is null.
    """
    upload, first = entry.upload, entry.duplicate_of
    return {
        "outcome": entry.outcome,
        **({"reason": entry.reason} if entry.reason is not None else {}),
        "fingerprint": entry.fingerprint,
        **_version_to_json(upload.version),
        "size_bytes": entry.size_bytes,
        "media_type": entry.media_type,
        "uploaded_at": format_time(upload.uploaded_at),
        "recorded_at": format_time(entry.recorded_at),
        "uploader": {"principal": upload.uploader.principal, "source_ip": upload.uploader.source_ip},
        **({"duplicate_of": _version_to_json(first)} if first is not None else {}),
    }


def _version_to_json(version: ObjectVersion) -> dict[str, str]:
    return {"bucket": version.bucket, "key": version.key, "version_id": version.version_id}
