"""The ledger's model: one entry for every object version that reached the bucket."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

FINGERPRINT_DIGITS = 64
FINGERPRINT_PATTERN = f"[0-9a-f]{{{FINGERPRINT_DIGITS}}}"
FINGERPRINT_DESCRIPTION = f"the SHA-256 of the file: {FINGERPRINT_DIGITS} hexadecimal digits, lower-case"

CLOCK_SKEW = timedelta(minutes=15)
"""How far ahead of ours another clock may be, such as S3's. AWS refuses signatures that are off by more."""

STALE_MULTIPART_DAYS = 7
"""How many days a multipart upload may take, before the bucket aborts it."""

NULL_VERSION = "null"
"""S3's id for the version of an object that was written while versioning was off."""

MAX_DETAIL_CHARACTERS = 200
"""The longest ``detail`` of an entry."""


class Outcome(StrEnum):
    """What became of an upload."""

    ACCEPTED = "ACCEPTED"
    DUPLICATE = "DUPLICATE"
    REJECTED = "REJECTED"


class Reason(StrEnum):
    """Why an upload was rejected."""

    EMPTY = "empty"
    FOLDER_MARKER = "folder_marker"
    TOO_LARGE = "too_large"
    UNSUPPORTED_TYPE = "unsupported_type"
    DAMAGED = "damaged"
    OBJECT_MISSING = "object_missing"
    UNVERSIONED = "unversioned"
    UNREADABLE = "unreadable"


class ContentFinding(StrEnum):
    """What else is worth knowing about a whole file."""

    ACTIVE_CONTENT = "active_content"
    ENCRYPTED = "encrypted"
    MULTIPLE_IMAGES = "multiple_images"
    TRAILING_DATA = "trailing_data"


@dataclass(frozen=True, kw_only=True)
class ObjectVersion:
    """One S3 object version, which gets one entry.

    ``version_id`` may be `NULL_VERSION`, which S3 uses again for each such object of a key.
    """

    bucket: str
    key: str
    version_id: str

    @property
    def object_id(self) -> str:
        """The SHA-256 of bucket, version id and key in hex, the same for every delivery of an event.

        NUL separates the parts. Of these, only the key can contain one (`functions.contract.s3_events`
        refuses any other), and it comes last: no two versions share an id.
        """
        return hashlib.sha256(f"{self.bucket}\0{self.version_id}\0{self.key}".encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class UploadLocation:
    """Where a stack's receipts are: a bucket, and the folder in it, or an empty prefix for all of it."""

    bucket: str
    prefix: str

    def holds(self, version: ObjectVersion) -> bool:
        """Whether an object version is one of the stack's."""
        return version.bucket == self.bucket and version.key.startswith(self.prefix)


class Via(StrEnum):
    """How an object came into the bucket, according to S3's event. A form of the stack isn't any ``POST``."""

    FORM = "form"
    PUT = "put"
    POST = "post"
    COPY = "copy"
    MULTIPART = "multipart"


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who asked for a form: an IAM principal, which is an ARN, or the issuer and the subject of a token."""

    principal: str | None = None
    issuer: str | None = None
    subject: str | None = None


@dataclass(frozen=True, kw_only=True)
class Uploader:
    """Who uploaded, from where and how, according to S3's event. ``None`` means that S3 doesn't say.

    If it was ``via`` a form, the principal is the function that signed the form, and ``caller`` asked for it.
    ``caller`` is ``None`` unless a form proves it.
    """

    principal: str | None
    source_ip: str | None
    via: Via | None = None
    caller: Caller | None = None


@dataclass(frozen=True, kw_only=True)
class Upload:
    """An object version, and what S3 says about it.

    An operator's command sent the event again if ``resent``. Then S3's word is only the object version
    itself: ``uploaded_at`` is its time of modification, and nobody is named as the uploader.
    """

    version: ObjectVersion
    uploaded_at: datetime
    uploader: Uploader
    resent: bool = False


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One row of the ledger: inserted once, never updated, never deleted.

    ``fingerprint`` is the SHA-256 of the bytes in lower-case hex, or ``None`` if they were not read.
    ``size_bytes`` and ``media_type`` are ``None`` if they are unknown. Only a REJECTED entry has a
    ``reason``, and only a DUPLICATE has a ``duplicate_of``. A DUPLICATE ``restores`` a receipt of which no
    object version was left. Times are in UTC.

    ``detail`` says why a file is DAMAGED, in up to `MAX_DETAIL_CHARACTERS` that continue "The file". Only an
    entry that isn't REJECTED has ``findings``, sorted; a DUPLICATE has those of its own reading.
    """

    outcome: Outcome
    upload: Upload
    recorded_at: datetime
    fingerprint: str | None
    size_bytes: int | None
    media_type: str | None
    reason: Reason | None = None
    detail: str | None = None
    findings: tuple[ContentFinding, ...] = ()
    duplicate_of: ObjectVersion | None = None
    restores: bool = False


def parse_fingerprint(value: object) -> str:
    """Return a fingerprint as it is, or raise a ValueError that describes one.

    Upper-case digits are refused: with only one spelling, fingerprints can be compared as text.
    """
    if isinstance(value, str) and re.fullmatch(FINGERPRINT_PATTERN, value):
        return value
    raise ValueError(FINGERPRINT_DESCRIPTION)


def fingerprint_of_checksum(checksum: str | None) -> str | None:
    """Return the fingerprint that S3 stored as ``ChecksumSHA256``, or ``None`` if it stored none.

    A checksum that ends in a count is of the checksums of a multipart upload's parts, and not of its bytes.
    """
    return None if checksum is None or "-" in checksum else base64.b64decode(checksum).hex()


def format_time(moment: datetime) -> str:
    """Write a time as RFC 3339 in UTC with microseconds. The width is fixed, so text order is time order."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def parse_time(text: str) -> datetime:
    """Read a time that `format_time` wrote, or any other RFC 3339 time.

    Raise ValueError for anything else, for a time without an offset, and for one that isn't possible in UTC.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no UTC offset")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text!r} is outside the years 1 to 9999 in UTC") from error
