"""The console's server, put together."""

from __future__ import annotations

import mimetypes
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from cli import aws
from cli.caller.connection import StackConnection, connect
from cli.caller.upload_run import LARGEST_UPLOAD_BYTES
from cli.console.api import api_routes
from cli.console.documents import document_routes
from cli.console.operations import Operations
from cli.console.problems import FAILED, problem, problem_of
from cli.console.session import Guard
from cli.console.summary import Summary
from cli.console.uploads import Uploads
from cli.errors import BillEError, explained
from functions.contract import http_api
from functions.sealing.note import VerifierKey

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp

    from cli.console.session import Session
    from cli.stack import StackAccess

CONCURRENCY = 32
"""How many connections to a host are kept. There are as many threads, and a few more."""

STATIC = Path(__file__).parent / "static"

# What the machine says of these can be wrong, as in the registry of Windows, and browsers believe it.
for extension, media_type in {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}.items():
    mimetypes.add_type(media_type, extension)


class Person:
    """Whose credentials the console uses."""

    def __init__(self, access: StackAccess) -> None:
        """Make no call yet."""
        self._access = access
        self._lock = threading.Lock()
        self._name: str | None = None

    def name(self) -> str | None:
        """Ask AWS until it says a name, such as user/erika. Nobody can be asked about a token."""
        with self._lock:
            if self._name is None and self._access.api_auth == "iam":
                self._name = self._ask()
            return self._name

    def _ask(self) -> str | None:
        session = aws.session_for(self._access, self._access.auditor_key or self._access.caller_key)
        with closing(aws.client(session, "sts", self._access)) as sts:
            try:
                with explained("asking AWS who is calling (sts:GetCallerIdentity)"):
                    return str(sts.get_caller_identity()["Arn"]).split(":", 5)[-1]
            except BillEError:
                return None


@dataclass(frozen=True, kw_only=True)
class Console:
    """A stack, as the person who runs the console may use it.

    `uploading` isn't `reading` on an embedded AWS, which has a key for callers and another one for auditors.
    `log_key` is what the log's checkpoints have to be signed with, and `pinned_by` is who says so.
    """

    name: str
    access: StackAccess
    reading: StackConnection
    uploading: StackConnection
    operations: Operations
    person: Person
    log_key: VerifierKey | None
    pinned_by: Literal["option", "stack"] | None

    def look_ahead(self) -> None:
        """Ask what the page wants to know first, while the browser starts.

        The ledger's function may have to start as well. What is wrong with it, the page will hear.
        """
        with suppress(BillEError):
            self.reading.api.call(http_api.LIST_RECEIPTS, parameters={http_api.LIMIT: "1"})
        self.person.name()
        self.operations.allowed()


@contextmanager
def open_console(
    access: StackAccess, *, name: str, token: str | None, pinned: VerifierKey | None
) -> Iterator[Console]:
    """Connect to a stack, and close everything at the end. Make no call yet.

    `pinned` is the log's key, if the person has it from somewhere else than the stack's outputs.
    """
    try:
        of_stack = VerifierKey.parse(access.log_public_key) if access.log_public_key else None
    except ValueError as error:
        raise BillEError(f"the stack's output log_public_key can't be used: {error}") from None
    connected = partial(connect, access, token=token, concurrency=CONCURRENCY)
    with ExitStack() as opened:
        reading = opened.enter_context(connected(as_auditor=True))
        yield Console(
            name=name,
            access=access,
            reading=reading,
            uploading=opened.enter_context(connected()) if access.auditor_key else reading,
            operations=opened.enter_context(Operations(access)),
            person=Person(access),
            log_key=pinned or of_stack,
            pinned_by="option" if pinned else "stack" if of_stack else None,
        )


def console_app(console: Console, session: Session) -> ASGIApp:
    """Make the app."""
    uploads = Uploads(console.uploading)

    def about(_request: Request) -> Response:
        can = {"upload": uploads.allowed, "operate": console.operations.allowed()}
        return JSONResponse(_about(console) | {"user": console.person.name(), "can": can})

    api = [
        Route("/session", about),
        *api_routes(console.reading.api),
        *document_routes(console.reading),
        *uploads.routes(),
        *console.operations.routes(),
        *Summary(console.reading.api).routes(),
    ]
    app = Starlette(
        routes=[Mount("/api", routes=api), Mount("/", StaticFiles(directory=STATIC, html=True))],
        exception_handlers={BillEError: _explained, HTTPException: _refused, Exception: _unexpected},
    )
    return Guard(app, session)


def _about(console: Console) -> dict[str, Any]:
    access, key = console.access, console.log_key
    return {
        "stack": console.name,
        "region": access.region,
        "api_auth": access.api_auth,
        "bucket": access.uploads_bucket,
        "upload_prefix": access.upload_prefix,
        "max_receipt_bytes": access.max_receipt_bytes,
        "max_upload_bytes": LARGEST_UPLOAD_BYTES,
        "accepted_types": access.accepted_types,
        "names_are_keys": console.uploading.names_are_keys,
        "log_origin": key.name if key else None,
        "log_public_key": str(key) if key else None,
        "pinned_by": console.pinned_by,
        "version": version("bill-e"),
    }


def _explained(_request: Request, error: Exception) -> Response:
    return problem_of(error if isinstance(error, BillEError) else BillEError(str(error)))


def _refused(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return problem(FAILED, status, "There is no such thing here", str(error))


def _unexpected(_request: Request, error: Exception) -> Response:
    detail = f"An unexpected {type(error).__name__}: with BILL_E_DEBUG=1, the terminal shows where."
    return problem(FAILED, 500, "The console failed", detail)
