"""A client for the ledger's API. Each call returns the API's answer or raises one clear error."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, urlencode

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from cli.caller.http_client import HttpClient
from cli.errors import BillEError, DeniedError, SignInError, UnavailableError, UsageError
from functions.contract import http_api
from functions.contract.entry import Outcome, format_time

if TYPE_CHECKING:
    from botocore.awsrequest import AWSResponse
    from botocore.credentials import Credentials

    from cli.answers import ApiAccepted, ApiEntry, ApiFileLink, ApiForm, ApiHistory, ApiPage

Sign = Callable[[AWSRequest], None]
"""Adds a signature or a token to a request."""

Renew = Callable[[str], bool]
"""Is given the `Authorization` that was refused. Says whether `Sign` adds another one from now on."""


@dataclass(frozen=True, kw_only=True)
class EntryFilter:
    """Which entries to list: recorded from `start` on, and before `end`.

    `key` and `uploader` are parts of those, `text` is a part of one of the two, and `fingerprint` is how one
    begins. UsageError is raised for what no entry can be: a listing of it would go through the whole ledger.
    """

    outcome: str | None = None
    reason: str | None = None
    finding: str | None = None
    key: str | None = None
    uploader: str | None = None
    text: str | None = None
    fingerprint: str | None = None
    start: datetime | None = None
    end: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse what never fits together."""
        if self.reason and self.outcome not in {None, Outcome.REJECTED}:
            raise UsageError("no entry can match these filters: only rejected uploads have a reason")
        if self.finding and (self.reason or self.outcome == Outcome.REJECTED):
            raise UsageError("no entry can match these filters: rejected uploads have no findings")

    def parameters(self) -> dict[str, str]:
        """Return the API's query parameters for this filter."""
        values = {
            http_api.OUTCOME: self.outcome,
            http_api.REASON: self.reason,
            http_api.FINDING: self.finding,
            http_api.KEY: self.key,
            http_api.UPLOADER: self.uploader,
            http_api.TEXT: self.text,
            http_api.FINGERPRINT: self.fingerprint,
            http_api.FROM: format_time(self.start) if self.start else None,
            http_api.TO: format_time(self.end) if self.end else None,
        }
        return {name: value for name, value in values.items() if value is not None}


def sigv4(credentials: Credentials, region: str) -> Sign:
    """Sign for API Gateway (service `execute-api`), with credentials that are refreshed when they expire."""

    def sign(request: AWSRequest) -> None:
        SigV4Auth(credentials.get_frozen_credentials(), "execute-api", region).add_auth(request)

    return sign


class ApiClient:
    """Calls the routes of one stack's API."""

    def __init__(self, base_url: str, http: HttpClient, sign: Sign, renew: Renew = lambda _: False) -> None:
        """Call the API at `base_url`, which has no slash at its end; `sign` signs each request."""
        self._base_url = base_url
        self._http = http
        self._sign = sign
        self._renew = renew

    def page(self, chosen: EntryFilter, *, limit: int, cursor: str | None = None) -> ApiPage:
        """List up to `limit` entries, newest recorded first."""
        parameters = chosen.parameters() | {http_api.LIMIT: str(limit)}
        parameters |= {http_api.CURSOR: cursor} if cursor else {}
        response = self.call(http_api.LIST_RECEIPTS, parameters=parameters)
        return cast("ApiPage", self._json(response, http_api.LIST_RECEIPTS, ("entries", "next_cursor")))

    def pages(self, chosen: EntryFilter, *, limit: int | None = None) -> Iterator[ApiPage]:
        """Follow the cursors up to `limit` entries, or to the end; a page may be empty."""
        remaining, cursor = limit, None
        while True:
            size = http_api.MAX_LIMIT if remaining is None else min(remaining, http_api.MAX_LIMIT)
            page = self.page(chosen, limit=size, cursor=cursor)
            yield page
            if remaining is not None:
                remaining -= len(page["entries"])
            if page["next_cursor"] is None or remaining == 0:
                return
            if page["next_cursor"] == cursor:
                raise BillEError(
                    f"{self._base_url}/receipts returned the same cursor twice: the listing cannot continue"
                )
            cursor = page["next_cursor"]

    def history(self, fingerprint: str) -> ApiHistory | None:
        """Return everything that the ledger has about a fingerprint; None if it has nothing."""
        route = http_api.SHOW_RECEIPT.format(fingerprint=quote(fingerprint, safe=""))
        response = self.call(route)
        # A gateway's 404 means that there is no such route, and has another body.
        if (_problem(response) or {}).get("type") == http_api.problem_type(http_api.RECEIPT_NOT_FOUND):
            return None
        return cast("ApiHistory", self._json(response, route, ("receipt", "duplicates", "rejections")))

    def receipts(self, fingerprints: Sequence[str]) -> dict[str, ApiEntry]:
        """Return the receipts with up to `http_api.MAX_FINGERPRINTS` fingerprints, by fingerprint."""
        body = json.dumps({http_api.FINGERPRINTS: [*fingerprints]}).encode()
        answer = self._json(
            self.call(http_api.LOOK_UP_RECEIPTS, body=body), http_api.LOOK_UP_RECEIPTS, ("receipts",)
        )
        return {receipt["fingerprint"]: receipt for receipt in answer["receipts"]}

    def file_link(self, fingerprint: str, version_id: str | None) -> ApiFileLink:
        """Ask for a link to the file of a receipt, or of any object version with its fingerprint."""
        route = http_api.REQUEST_FILE.format(fingerprint=quote(fingerprint, safe=""))
        response = self.call(route, parameters={http_api.VERSION: version_id} if version_id else None)
        members = ("url", "key", "version_id", "size_bytes", "media_type")
        return cast("ApiFileLink", self._json(response, route, members, granted_by="auditor_policy"))

    def proof(self, fingerprint: str, object_id: str | None) -> str | None:
        """Return the proof that a receipt's entry is sealed, or another entry; None if it isn't yet."""
        route = http_api.REQUEST_PROOF.format(fingerprint=quote(fingerprint, safe=""))
        response = self.call(route, parameters={http_api.OBJECT_ID: object_id} if object_id else None)
        if response.status_code == HTTPStatus.ACCEPTED:
            return None
        if response.status_code != HTTPStatus.OK:
            raise self._error(response, route, "caller_policy")
        return str(response.content.decode(errors="replace"))

    def log_file(self, path: str) -> bytes | None:
        """Return a file of the log; None if there is none."""
        route = http_api.LOG_FILE.replace("{proxy+}", quote(path))
        response = self.call(route)
        if (_problem(response) or {}).get("type") == http_api.problem_type(http_api.LOG_PATH_NOT_FOUND):
            return None
        if response.status_code != HTTPStatus.OK:
            raise self._error(response, route, "caller_policy")
        return bytes(response.content)

    def request_form(
        self, *, filename: str, size_bytes: int, fingerprint: str, again: bool
    ) -> ApiForm | ApiAccepted:
        """Ask for a form for exactly these bytes; unless `again`, learn when they were accepted before."""
        declared = {"filename": filename, "size_bytes": size_bytes, "fingerprint": fingerprint}
        # An API of the last release refuses a member that it doesn't know.
        declared |= {"again": True} if again else {}
        response = self.call(http_api.REQUEST_FORM, body=json.dumps(declared).encode())
        problem = _problem(response) or {}
        if problem.get("type") == http_api.problem_type(http_api.ALREADY_ACCEPTED):
            return cast("ApiAccepted", problem)
        return cast("ApiForm", self._json(response, http_api.REQUEST_FORM, ("url", "fields", "key")))

    def call(
        self, route: str, *, parameters: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> AWSResponse:
        """Call a route, whose parameters in the path are filled in, and return whatever the answer is."""
        method, path = route.split(" ")
        # SigV4 signs a space as %20, so it must also be sent that way, never as "+".
        query = f"?{urlencode(parameters, quote_via=quote, safe='')}" if parameters else ""
        headers = {"Accept": "application/json"} | ({"Content-Type": "application/json"} if body else {})
        sent = ""

        def request() -> AWSRequest:
            nonlocal sent
            made = AWSRequest(method=method, url=f"{self._base_url}{path}{query}", headers=headers, data=body)
            self._sign(made)
            sent = made.headers["Authorization"]
            return made

        response = self._http.send(request, route)
        if response.status_code == HTTPStatus.UNAUTHORIZED and self._renew(sent):
            response = self._http.send(request, route)
        return response

    def _json(
        self,
        response: AWSResponse,
        route: str,
        members: tuple[str, ...],
        granted_by: str = "caller_policy",
    ) -> dict[str, Any]:
        """Read a successful answer, or raise what an unsuccessful one says."""
        if not 200 <= response.status_code < 300:
            raise self._error(response, route, granted_by)
        document = _object(response)
        if document is None or any(member not in document for member in members):
            raise BillEError(
                f"{route} at {self._base_url}: the answer is not a ledger's: is the stack's api_url right?"
            )
        return document

    def _error(self, response: AWSResponse, route: str, granted_by: str) -> BillEError:
        status, problem = response.status_code, _problem(response)
        if status == HTTPStatus.UNAUTHORIZED:
            return SignInError(
                f"{route} at {self._base_url}: the bearer token was refused: has it expired, or is it meant "
                "for another API? BILL_E_TOKEN_COMMAND, a command that prints a token, is run when one has "
                f"expired ({status})"
            )
        if status == HTTPStatus.FORBIDDEN and problem is None:
            return DeniedError(
                f"{route} at {self._base_url}: access denied: {_message(response)}; the stack's output "
                f"{granted_by} allows this route (execute-api:Invoke), and with tokens it is the scope that "
                f"does ({status})"
            )
        if problem is not None:
            reason = _problem_sentence(problem)
        elif status == 404:
            reason = "there is no such route: is the stack's api_url right?"
        else:
            reason = _message(response)
        sentence = f"{route} at {self._base_url}: {reason} ({status})"
        return UnavailableError(sentence) if status == 429 or status >= 500 else BillEError(sentence)


def _object(response: AWSResponse) -> dict[str, Any] | None:
    try:
        document = json.loads(response.content)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _problem(response: AWSResponse) -> dict[str, Any] | None:
    """Read the RFC 9457 problem in an answer; None if there is none, as in a gateway's own errors."""
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
    """Read what a gateway's own error says: ``{"message": …}``."""
    document = _object(response) or {}
    return str(document.get("message") or document.get("Message") or "no reason given")
