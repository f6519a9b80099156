"""S3's events in a queue's messages: how one is read, and what a record of one is made of.

Their format is in the S3 User Guide, "Event message structure".
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, unquote_plus

from functions.contract.entry import NULL_VERSION, ObjectVersion, Upload, Uploader, Via, parse_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

BUCKET = r"[A-Za-z0-9._-]{3,255}"
"""Amazon S3 User Guide, "General purpose bucket naming rules", with what was allowed before 2018."""

VERSION_ID = r"[\x21-\x7e]{1,1024}"
"""Amazon S3 User Guide, "Retaining multiple versions of objects": URL-ready, and at most 1,024 bytes."""

LONGEST_KEY_BYTES = 1024
"""Amazon S3 User Guide, "Naming Amazon S3 objects": the longest key, in UTF-8."""

MAX_RECORDS = 10
"""The most records that a message may have. S3 sends one, though its format is a list."""

MAX_SHOWN = 100
"""How many characters of a bad value an error shows."""

S3_ITSELF = "aws:s3"
"""The source of an event that S3 sent. Others are events that an operator's command sent again."""

VIA = {
    "ObjectCreated:Put": Via.PUT,
    "ObjectCreated:Post": Via.POST,
    "ObjectCreated:Copy": Via.COPY,
    "ObjectCreated:CompleteMultipartUpload": Via.MULTIPART,
}
"""How an object was created, by the name of S3's event (S3 User Guide, "Supported event types")."""

ABSENT = (None, "")
"""The values of an optional field that mean the same as no field."""

UPLOADER_FIELDS = ("userIdentity", "requestParameters")
"""Who uploaded, and from where. Errors are logged, so they name these fields without the values."""


class UnreadableMessageError(Exception):
    """A message body isn't an S3 event about created objects. Says which field is wrong, and how."""


def record_of(
    version: ObjectVersion,
    *,
    source: str,
    name: str,
    time: str,
    region: str,
    size_bytes: int,
    principal: str | None,
    source_ip: str | None = None,
) -> dict[str, Any]:
    """Make the record of an event about an object version that was created at ``time`` (RFC 3339).

    The ``source`` is `S3_ITSELF`, or the command that sends it again. Names begin with "ObjectCreated:".
    """
    return {
        "eventVersion": "2.1",
        "eventSource": source,
        "awsRegion": region,
        "eventTime": time,
        "eventName": name,
        "userIdentity": {"principalId": principal},
        **({"requestParameters": {"sourceIPAddress": source_ip}} if source_ip is not None else {}),
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": version.bucket},
            "object": {
                # S3 encodes keys like forms, but leaves slashes.
                "key": quote_plus(version.key, safe="/"),
                "size": size_bytes,
                "versionId": version.version_id,
            },
        },
    }


def parse_body(body: str) -> list[Upload]:
    """Read the uploads of a message body, in order. An ``s3:TestEvent`` has none.

    Raise UnreadableMessageError for anything else without an upload, since a message must be understood
    before it is acknowledged.
    """
    event = _decode(body)
    if "Records" not in event and event.get("Event") == "s3:TestEvent":
        return []
    records = event.get("Records")
    if not isinstance(records, list) or not records:
        raise _unreadable("Records", records, "a list of at least one record")
    if len(records) > MAX_RECORDS:
        raise UnreadableMessageError(
            f"Records has {len(records):,} records, but must have at most {MAX_RECORDS}"
        )
    return [_Fields(record, f"Records[{index}]").upload() for index, record in enumerate(records)]


def _decode(body: str) -> dict[str, Any]:
    try:
        event = json.loads(body, object_pairs_hook=_fields_once)
    except (ValueError, RecursionError):
        raise _unreadable("body", body, "JSON") from None
    if not isinstance(event, dict):
        raise _unreadable("body", event, "an object")
    return event


def _fields_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Make an object of its fields, and refuse a repeated field, of which only the last would be noticed."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise UnreadableMessageError("body repeats a field, but must have each field of an object once")
    return fields


class _Fields:
    """The fields of one object in the event. Every error names the whole path of the field."""

    def __init__(self, value: object, path: str) -> None:
        if not isinstance(value, dict):
            raise _unreadable(path, value, "an object")
        self._fields: Mapping[str, object] = value
        self._path = path

    def upload(self) -> Upload:
        """Read this object as a record of the event."""
        self._expect_creation()
        s3 = self.child("s3")
        stored = s3.child("object")
        return Upload(
            version=ObjectVersion(
                bucket=s3.child("bucket").text("name", BUCKET, "the name of a bucket"),
                key=stored.key(),
                version_id=stored.version_id(),
            ),
            uploaded_at=self.time("eventTime"),
            uploader=Uploader(
                principal=self.optional_child("userIdentity").optional_text("principalId"),
                source_ip=self.optional_child("requestParameters").optional_text("sourceIPAddress"),
                via=VIA.get(self.text("eventName")),
            ),
            resent=self._fields.get("eventSource") != S3_ITSELF,
        )

    def _expect_creation(self) -> None:
        version = self.text("eventVersion")
        if version.partition(".")[0] != "2":
            # A minor version adds fields. A new major version may change what fields mean.
            raise self._wrong("eventVersion", "2.x")
        if not self.text("eventName").startswith("ObjectCreated:"):
            raise self._wrong("eventName", "ObjectCreated:*")

    def child(self, name: str) -> _Fields:
        return _Fields(self._fields.get(name), f"{self._path}.{name}")

    def optional_child(self, name: str) -> _Fields:
        value = self._fields.get(name)
        return _Fields({} if value in ABSENT else value, f"{self._path}.{name}")

    def optional_text(self, name: str) -> str | None:
        return None if self._fields.get(name) in ABSENT else self.text(name)

    def text(self, name: str, pattern: str = "(?s:.+)", allowed: str = "text") -> str:
        value = self._fields.get(name)
        if not isinstance(value, str) or not re.fullmatch(pattern, value) or not _is_unicode(value):
            raise self._wrong(name, allowed)
        return value

    def time(self, name: str) -> datetime:
        try:
            return parse_time(self.text(name))
        except ValueError:
            raise self._wrong(name, "an RFC 3339 time") from None

    def version_id(self) -> str:
        if self._fields.get("versionId") in ABSENT:
            return NULL_VERSION
        return self.text("versionId", VERSION_ID, "a version id")

    def key(self) -> str:
        """Read the object's key, which S3 encodes like a form: a space as ``+``, other bytes as ``%XX``."""
        try:
            key = unquote_plus(self.text("key"), errors="strict")
        except UnicodeDecodeError:
            raise self._wrong("key", "a form-encoded key in UTF-8") from None
        if len(key.encode()) > LONGEST_KEY_BYTES:
            raise self._wrong("key", f"a key of at most {LONGEST_KEY_BYTES:,} bytes")
        return key

    def _wrong(self, name: str, allowed: str) -> UnreadableMessageError:
        return _unreadable(f"{self._path}.{name}", self._fields.get(name), allowed)


def _is_unicode(text: str) -> bool:
    """Say whether text can be encoded in UTF-8. JSON can contain half of a surrogate pair, which can't."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unreadable(path: str, value: object, allowed: str) -> UnreadableMessageError:
    if value is None:
        shown = "missing"
    elif any(field in path.split(".") for field in UPLOADER_FIELDS):
        shown = "wrong"
    else:
        shown = repr(value)
    if len(shown) > MAX_SHOWN:
        shown = f"{shown[:MAX_SHOWN]}…"
    return UnreadableMessageError(f"{path} is {shown}, but must be {allowed}")
