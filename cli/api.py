"""The ledger API's client: typed calls in, entries or one clear error out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, NotRequired, TypedDict, cast
from urllib.parse import quote, urlencode

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from cli.errors import BillEError, UnavailableError
from cli.http_client import HttpClient

if TYPE_CHECKING:
    from botocore.awsrequest import AWSResponse
    from botocore.credentials import Credentials

OUTCOMES = ("ACCEPTED", "DUPLICATE", "REJECTED")
LARGEST_PAGE = 200
UNKNOWN_FINGERPRINT = "/problems/receipt-not-found"
"""The problem type that tells "no such receipt" from "no such route"."""

Sign = Callable[[AWSRequest], None]
"""Adds to a request what proves who sends it."""


class ObjectVersion(TypedDict):
    """One S3 object version, as the API names it."""

    bucket: str
    key: str
    version_id: str


class Uploader(TypedDict):
    """Who uploaded, as S3 saw it."""

    principal: str | None
    source_ip: str | None


class Entry(TypedDict):
    """One entry of the ledger, as the API returns it. Times are RFC 3339, in UTC."""

    outcome: Literal["ACCEPTED", "DUPLICATE", "REJECTED"]
    reason: NotRequired[str]
    fingerprint: str | None
    bucket: str
    key: str
    version_id: str
    size_bytes: int | None
    media_type: str | None
    uploaded_at: str
    recorded_at: str
    uploader: Uploader
    duplicate_of: NotRequired[ObjectVersion]


class History(TypedDict):
    """Everything that the ledger says about one fingerprint."""

    receipt: Entry | None
    duplicates: list[Entry]
    rejections: list[Entry]
    truncated: NotRequired[bool]


class Page(TypedDict):
    """One page of a listing; with `next_cursor` there may be more, even after an empty page."""

    entries: list[Entry]
    next_cursor: str | None


class UploadForm(TypedDict):
    """A presigned POST: the form's address and its fields, which come before the file."""

    url: str
    fields: dict[str, str]
    key: str
    expires_at: str


@dataclass(frozen=True, kw_only=True)
class AcceptedBefore:
    """The API's answer to the declaration of bytes that are in the ledger already."""

    receipt: Entry


@dataclass(frozen=True, kw_only=True)
class Query:
    """Which entries to list: `start` inclusive, `end` exclusive, both on the recorded time."""

    outcome: str | None = None
    start: datetime | None = None
    end: datetime | None = None

    def parameters(self) -> dict[str, str]:
        """Return the API's query parameters for it."""
        values = {
            "outcome": self.outcome,
            "from": rfc3339(self.start) if self.start else None,
            "to": rfc3339(self.end) if self.end else None,
        }
        return {name: value for name, value in values.items() if value is not None}


def rfc3339(moment: datetime) -> str:
    """Write a time in UTC with microseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def sigv4(credentials: Credentials, region: str) -> Sign:
    """Sign for API Gateway (service `execute-api`), with credentials as fresh as they are at each request."""

    def sign(request: AWSRequest) -> None:
        SigV4Auth(credentials.get_frozen_credentials(), "execute-api", region).add_auth(request)

    return sign


def bearer(token: str) -> Sign:
    """Send `token` as RFC 6750 says."""

    def sign(request: AWSRequest) -> None:
        request.headers["Authorization"] = f"Bearer {token}"

    return sign


class LedgerApi:
    """Calls the routes of one ledger API."""

    def __init__(self, base_url: str, http: HttpClient, sign: Sign) -> None:
        """Call the API at `base_url` (no slash at its end) over `http`, each request signed by `sign`."""
        self._base_url = base_url
        self._http = http
        self._sign = sign

    def page(self, query: Query, *, limit: int, cursor: str | None = None) -> Page:
        """`GET /receipts`: up to `limit` (at most 200) entries, newest recorded first."""
        parameters = query.parameters() | {"limit": str(limit)} | ({"cursor": cursor} if cursor else {})
        response = self._call("GET", "/receipts", parameters=parameters)
        return cast("Page", self._json(response, "GET /receipts", members=("entries", "next_cursor")))

    def pages(self, query: Query, *, limit: int | None = None) -> Iterator[Page]:
        """Follow the cursors until `limit` entries came (None: all); a page may be empty."""
        remaining, cursor = limit, None
        while True:
            size = LARGEST_PAGE if remaining is None else min(remaining, LARGEST_PAGE)
            page = self.page(query, limit=size, cursor=cursor)
            yield page
            if remaining is not None:
                remaining -= len(page["entries"])
            if page["next_cursor"] is None or remaining == 0:
                return
            if page["next_cursor"] == cursor:
                raise BillEError(
                    f"{self._base_url}/receipts returned the same cursor twice: the listing cannot go on"
                )
            cursor = page["next_cursor"]

    def history(self, fingerprint: str) -> History | None:
        """`GET /receipts/{fingerprint}`: None where the ledger doesn't know it."""
        path = f"/receipts/{quote(fingerprint, safe='')}"
        response = self._call("GET", path)
        problem = _problem(response) if response.status_code == 404 else None
        if problem is not None and problem.get("type") == UNKNOWN_FINGERPRINT:
            return None
        return cast(
            "History", self._json(response, f"GET {path}", members=("receipt", "duplicates", "rejections"))
        )

    def request_upload(
        self, *, filename: str, size_bytes: int, fingerprint: str
    ) -> UploadForm | AcceptedBefore:
        """`POST /uploads`: a form for exactly these bytes, or the receipt where they were accepted before."""
        body = json.dumps(
            {"filename": filename, "size_bytes": size_bytes, "fingerprint": fingerprint}
        ).encode()
        response = self._call("POST", "/uploads", body=body)
        problem = _problem(response) if response.status_code == 409 else None
        if problem is not None and isinstance(problem.get("receipt"), dict):
            return AcceptedBefore(receipt=cast("Entry", problem["receipt"]))
        return cast("UploadForm", self._json(response, "POST /uploads", members=("url", "fields", "key")))

    def _call(
        self,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> AWSResponse:
        # SigV4 signs a space as %20, so it must also be sent that way, never as "+".
        query = f"?{urlencode(parameters, quote_via=quote, safe='')}" if parameters else ""
        headers = {"Accept": "application/json"} | ({"Content-Type": "application/json"} if body else {})

        def request() -> AWSRequest:
            made = AWSRequest(method=method, url=f"{self._base_url}{path}{query}", headers=headers, data=body)
            self._sign(made)
            return made

        return self._http.send(request, f"{method} {path}")

    def _json(self, response: AWSResponse, call: str, *, members: tuple[str, ...]) -> dict[str, Any]:
        """Read a successful answer, or raise what an unsuccessful one says."""
        if not 200 <= response.status_code < 300:
            raise self._error(response, call)
        document = _object(response)
        if document is None or any(member not in document for member in members):
            raise BillEError(
                f"{call} at {self._base_url} was not answered by a ledger: is the stack's api_url right?"
            )
        return document

    def _error(self, response: AWSResponse, call: str) -> BillEError:
        status, problem = response.status_code, _problem(response)
        where = f"{call} at {self._base_url}"
        if problem is not None:
            sentence = f"{where}: {_problem_sentence(problem)} ({status})"
        elif status == 401:
            sentence = (
                f"{where}: the bearer token was refused: is it expired, or meant for another API? (401)"
            )
        elif status == 403:
            sentence = f"{where}: access denied: {_message(response)} (403)"
        elif status == 404:
            sentence = f"{where}: there is no such route: is the stack's api_url right? (404)"
        else:
            sentence = f"{where}: {_message(response)} ({status})"
        return UnavailableError(sentence) if status == 429 or status >= 500 else BillEError(sentence)


def _object(response: AWSResponse) -> dict[str, Any] | None:
    try:
        document = json.loads(response.content)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _problem(response: AWSResponse) -> dict[str, Any] | None:
    """Find the RFC 9457 problem in an answer, or None where it isn't one, such as a gateway's own errors."""
    is_problem = response.headers.get("Content-Type", "").startswith("application/problem+json")
    return _object(response) if is_problem else None


def _problem_sentence(problem: Mapping[str, Any]) -> str:
    sentence = str(problem.get("detail") or problem.get("title") or "refused")
    errors = [fault for fault in problem.get("errors") or () if isinstance(fault, dict)]
    faults = [
        f"{fault.get('field')} is {fault.get('value')!r}, allowed: {fault.get('allowed')}" for fault in errors
    ]
    return "; ".join([sentence, *faults])


def _message(response: AWSResponse) -> str:
    """Find what a gateway's own error says: ``{"message": …}``."""
    document = _object(response) or {}
    return str(document.get("message") or document.get("Message") or "no reason given")
