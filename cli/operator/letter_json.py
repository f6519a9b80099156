"""Dead letters as JSON, for programs and for the console."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from cli.operator.dead_letters import DeadLetter, Diagnosis, LetterUpload
from functions.contract.entry import format_time
from functions.contract.s3_events import LONGEST_KEY_BYTES

# A message can have 1 MiB, and anybody who may send to the resend queue chooses what is in it.
LISTED_UPLOADS = 3


def listed_json(letter: DeadLetter, diagnosis: Diagnosis) -> dict[str, Any]:
    """Write a letter of a list, with a few of the object versions that it is about."""
    uploads = [_upload_json(told) for told in diagnosis.uploads[:LISTED_UPLOADS]]
    return {
        **_letter_json(letter, diagnosis),
        "uploads": [upload | {"key": shortened(upload["key"], LONGEST_KEY_BYTES)} for upload in uploads],
        "more_uploads": len(diagnosis.uploads) - len(uploads),
    }


def whole_json(letter: DeadLetter, diagnosis: Diagnosis) -> dict[str, Any]:
    """Write everything about a letter, with its body."""
    uploads = [_upload_json(told) for told in diagnosis.uploads]
    return {**_letter_json(letter, diagnosis), "uploads": uploads, "body": letter.body}


def shortened(text: str, characters: int) -> str:
    """Cut a text to a length, and show that it is cut."""
    return text if len(text) <= characters else f"{text[:characters]}…"


def _letter_json(letter: DeadLetter, diagnosis: Diagnosis) -> dict[str, Any]:
    members = asdict(letter)
    del members["body"], members["handle"]
    return {**members, "state": diagnosis.state, "reason": diagnosis.reason}


def _upload_json(told: LetterUpload) -> dict[str, Any]:
    version, entry = told.upload.version, told.entry
    return {
        "bucket": version.bucket,
        "key": version.key,
        "version_id": version.version_id,
        "uploaded_at": format_time(told.upload.uploaded_at),
        "outcome": entry.outcome if entry else None,
        "fingerprint": entry.fingerprint if entry else None,
    }
