"""The JSON that the ledger's API answers with."""

from __future__ import annotations

from typing import NotRequired, TypedDict, final


class ApiObjectVersion(TypedDict):
    """One S3 object version."""

    bucket: str
    key: str
    version_id: str


class ApiCaller(TypedDict):
    """Who asked for a form: an IAM principal, or the issuer and the subject of a token."""

    principal: str | None
    issuer: str | None
    subject: str | None


class ApiUploader(TypedDict):
    """Who uploaded and how, as S3 saw it, and who asked for the form. All are null if the upload was resent.

    The last release returned only the first two.
    """

    principal: str | None
    source_ip: str | None
    via: NotRequired[str | None]
    caller: NotRequired[ApiCaller | None]


@final
class ApiEntry(TypedDict):
    """One entry of the ledger. Times are RFC 3339, in UTC.

    The last release returned no `detail` and no `findings`.
    """

    outcome: str
    reason: NotRequired[str]
    detail: NotRequired[str | None]
    fingerprint: str | None
    bucket: str
    key: str
    version_id: str
    size_bytes: int | None
    media_type: str | None
    findings: NotRequired[list[str]]
    uploaded_at: str
    recorded_at: str
    uploader: ApiUploader
    resent: NotRequired[bool]
    duplicate_of: NotRequired[ApiObjectVersion]
    restores: NotRequired[bool]


class ApiPage(TypedDict):
    """One page of a listing; with `next_cursor` there may be more, even after an empty page."""

    entries: list[ApiEntry]
    next_cursor: str | None


class ApiHistory(TypedDict):
    """Everything that the ledger has about one fingerprint."""

    receipt: ApiEntry | None
    duplicates: list[ApiEntry]
    rejections: list[ApiEntry]
    truncated: NotRequired[bool]


@final
class ApiAccepted(TypedDict):
    """The answer to the request of a form for bytes that were accepted before."""

    fingerprint: str
    recorded_at: str


@final
class ApiForm(TypedDict):
    """An upload form: its address, and the fields that come before the file."""

    url: str
    fields: dict[str, str]
    key: str
    expires_at: str


@final
class ApiFileLink(TypedDict):
    """A link to one object version, which anybody can use until it expires."""

    url: str
    expires_at: str
    bucket: str
    key: str
    version_id: str
    fingerprint: str
    size_bytes: int | None
    media_type: str | None
