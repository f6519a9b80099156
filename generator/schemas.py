"""The JSON Schemas (2020-12) of requests and responses, with the limits that the code enforces.

Objects in responses are open, as is usual in OpenAPI: a member can be added without a new version of the API.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from functions.contract.entry import (
    FINGERPRINT_DESCRIPTION,
    FINGERPRINT_PATTERN,
    MAX_DETAIL_CHARACTERS,
    ContentFinding,
    Outcome,
    Reason,
    Via,
)
from functions.contract.http_api import FINGERPRINTS, MAX_FINGERPRINTS, MAX_LIMIT
from functions.reader.routes import HISTORY_LIMIT
from functions.upload_forms.request import AGAIN, MAX_FILENAME_CHARACTERS, MEMBERS

Schema: TypeAlias = dict[str, Any]

NO_CONTROL_CHARACTERS = r"^[^\u0000-\u001f\u007f-\u009f]*$"


def schemas() -> dict[str, Schema]:
    """Return every schema under its name in ``#/components/schemas``."""
    content = {"fingerprint": ref("Fingerprint"), "size_bytes": _size(), "media_type": _text()}
    return {
        "Fingerprint": {
            "type": "string",
            "pattern": f"^{FINGERPRINT_PATTERN}$",
            "description": FINGERPRINT_DESCRIPTION,
        },
        "ObjectVersion": _object(**_object_version()),
        "Caller": {
            **_object(principal=_or_null(_text()), issuer=_or_null(_text()), subject=_or_null(_text())),
            "description": "Who asked for a form: an IAM principal, or the issuer and the subject of a "
            "token. A name of more than 255 bytes is cut, and ends in its SHA-256.",
        },
        "Uploader": _object(
            principal=_or_null(_text("The principal in S3's event. For a form, that is the form's signer.")),
            source_ip=_or_null(_text()),
            via={
                **_or_null({"type": "string", "enum": list(Via)}),
                "description": "How the object came into the bucket. Null if the upload was resent, or "
                "recorded by release 0.1.",
            },
            caller={
                **_or_null(ref("Caller")),
                "description": "Null unless the upload was made with a form.",
            },
        ),
        "AcceptedReceipt": _entry(Outcome.ACCEPTED, **content),
        "Duplicate": _entry(
            Outcome.DUPLICATE,
            **content,
            duplicate_of=ref("ObjectVersion"),
            restores={
                "type": "boolean",
                "description": "Whether the receipt's own object version had been deleted for good, and no "
                "other with these bytes was found.",
            },
        ),
        "Rejection": _entry(
            Outcome.REJECTED,
            reason={"type": "string", "enum": list(Reason)},
            detail={
                **_or_null({**_text(), "maxLength": MAX_DETAIL_CHARACTERS}),
                "description": 'What is wrong with a damaged file, in words that continue "The file". '
                "Otherwise null.",
            },
            **{name: _or_null(schema) for name, schema in content.items()},
        ),
        "Entry": {"oneOf": [ref("AcceptedReceipt"), ref("Duplicate"), ref("Rejection")]},
        "Page": _object(
            entries={"type": "array", "items": ref("Entry"), "maxItems": MAX_LIMIT},
            next_cursor=_or_null(
                _text("The `cursor` of the next page, even if this one is short or empty; null at the end.")
            ),
        ),
        "History": _object(
            receipt=_or_null(ref("AcceptedReceipt")),
            duplicates={"type": "array", "items": ref("Duplicate"), "maxItems": HISTORY_LIMIT},
            rejections={"type": "array", "items": ref("Rejection"), "maxItems": HISTORY_LIMIT},
            truncated={"type": "boolean", "description": "Whether the ledger may have more entries."},
        ),
        "LookUpRequest": {**_object(**{FINGERPRINTS: _fingerprints()}), "additionalProperties": False},
        "Receipts": _object(
            receipts={"type": "array", "items": ref("AcceptedReceipt"), "maxItems": MAX_FINGERPRINTS}
        ),
        "FileLink": _object(
            url=_text("The URL to GET the file from, without a signature or a token."),
            expires_at=_time("The time from which S3 refuses the URL. It may refuse it earlier."),
            **_object_version(),
            fingerprint=ref("Fingerprint"),
            size_bytes=_or_null(_size()),
            media_type=_or_null(_text("The type that the processor recognised.")),
        ),
        "UploadRequest": _upload_request(),
        "UploadForm": _object(
            url=_text("The URL to POST the form to, as `multipart/form-data`."),
            fields={
                "type": "object",
                "additionalProperties": {"type": "string"},
                "description": "All fields of the form. Send the file after them, as `file`.",
            },
            key=_text("The key that the object will have."),
            expires_at=_time(),
        ),
        "Problem": _object(**_problem_members()),
        "InvalidParameters": _object(
            **_problem_members(),
            errors={
                "type": "array",
                "minItems": 1,
                "items": _object(field=_text(), value=_or_null(_text()), allowed=_text()),
            },
        ),
        "AlreadyAccepted": _object(**_problem_members(), fingerprint=ref("Fingerprint"), recorded_at=_time()),
        "Failure": _object(**_problem_members(), request_id=_text()),
        "GatewayMessage": {
            **_object(message=_text()),
            "description": "A response from API Gateway itself, which didn't call a function.",
        },
    }


def ref(name: str) -> Schema:
    """Point to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def _entry(outcome: Outcome, **members: Schema) -> Schema:
    return _object(
        outcome={"type": "string", "const": outcome},
        **members,
        findings={
            "type": "array",
            "items": {"type": "string", "enum": list(ContentFinding)},
            "uniqueItems": True,
            "description": "What else the file contains, sorted. Empty if the upload was rejected, and if "
            "release 0.1 recorded it.",
        },
        **_object_version(),
        uploaded_at=_time("The time of the upload, according to S3."),
        recorded_at=_time("The time when the entry was recorded."),
        uploader=ref("Uploader"),
        resent={
            "type": "boolean",
            "description": "Whether an operator's command had this upload recorded. If so, the time of the "
            "upload is that of the object version in S3, and the uploader is unknown.",
        },
    )


def _object_version() -> dict[str, Schema]:
    return {"bucket": _text(), "key": _text(), "version_id": _text()}


def _fingerprints() -> Schema:
    return {"type": "array", "minItems": 1, "maxItems": MAX_FINGERPRINTS, "items": ref("Fingerprint")}


def _upload_request() -> Schema:
    members = {
        "filename": {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_FILENAME_CHARACTERS,
            "pattern": NO_CONTROL_CHARACTERS,
            "description": "A safe form of it ends the key. It must be more than dots and folders.",
        },
        "size_bytes": {**_size(), "minimum": 1},
        "fingerprint": ref("Fingerprint"),
    }
    again = {
        "type": "boolean",
        "default": False,
        "description": "Whether to return a form even if these bytes have already been accepted.",
    }
    declared = _object(**{name: members[name] for name in MEMBERS})
    declared["properties"][AGAIN] = again
    return {**declared, "additionalProperties": False}


def _problem_members() -> dict[str, Schema]:
    return {
        "type": {
            "type": "string",
            "pattern": "^/problems/[a-z-]+$",
            "description": "Identifies the kind of error for programs. It stays the same between versions.",
        },
        "title": _text("The kind of error in words."),
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": _text("What went wrong in this case, in a sentence for people."),
    }


def _object(**members: Schema) -> Schema:
    return {"type": "object", "properties": members, "required": list(members)}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _text(description: str = "") -> Schema:
    return {"type": "string", **({"description": description} if description else {})}


def _size() -> Schema:
    return {"type": "integer", "minimum": 0}


def _time(description: str = "") -> Schema:
    return {**_text(description), "format": "date-time"}
