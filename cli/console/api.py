"""What the page asks the stack's API, signed for the person who runs the console, and handed on as it is."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import quote

from botocore.awsrequest import AWSResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.routing import Route

from cli.caller.api_client import EntryFilter
from cli.console.problems import CALLER_RIGHT, handed_on
from cli.errors import UsageError
from cli.screen.entries import CSV_COLUMNS, csv_row, write_csv_rows
from functions.contract import http_api
from functions.contract.entry import parse_time

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams
    from starlette.requests import Request
    from starlette.responses import Response

    from cli.answers import ApiPage
    from cli.caller.api_client import ApiClient

FRESH_SECONDS = 1.0
"""Tabs that ask for the same page of the ledger within this time share one call."""

TIMES = (http_api.FROM, http_api.TO)
FILTERS = tuple(name for name in http_api.PARAMETERS if name not in {http_api.LIMIT, http_api.CURSOR})

MOST_KEPT = 32
MOST_BODY_BYTES = 64 * 1024

T = TypeVar("T")


@dataclass(kw_only=True)
class _Shared(Generic[T]):
    """The latest answer to one question."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    asked_at: float = float("-inf")
    answered_at: float = float("-inf")
    answer: T | None = None


class SharedAnswers(Generic[T]):
    """Answers that are at most a second old, so that many tabs cost no more than one."""

    def __init__(self, is_good: Callable[[T], bool], now: Callable[[], float] = time.monotonic) -> None:
        """Keep good answers, so that whoever tries again gets another one; `now` counts seconds."""
        self._is_good = is_good
        self._now = now
        self._kept: dict[str, _Shared[T]] = {}
        self._lock = threading.Lock()

    def get(self, question: str, ask: Callable[[], T]) -> T:
        """Return a fresh answer to a question. Whoever comes while it is asked waits for the same answer."""
        came_at = self._now()
        with self._lock:
            shared = self._kept.pop(question, None) or _Shared()
            self._kept[question] = shared
            while len(self._kept) > MOST_KEPT:
                del self._kept[next(iter(self._kept))]
        with shared.lock:
            if shared.answer is None or not self._is_fresh(shared, shared.answer, came_at):
                shared.asked_at, shared.answer = self._now(), ask()
                shared.answered_at = self._now()
            return shared.answer

    def _is_fresh(self, shared: _Shared[T], answer: T, came_at: float) -> bool:
        is_recent = shared.asked_at > came_at - FRESH_SECONDS
        return shared.answered_at >= came_at or (is_recent and self._is_good(answer))


def api_routes(api: ApiClient) -> list[Route]:
    """Return the routes that the stack's API has as well, here below /api."""
    answers = SharedAnswers[AWSResponse](lambda answer: answer.status_code < 400)

    def receipts(request: Request) -> Response:
        parameters = dict(request.query_params)
        answer = answers.get(
            request.url.query, lambda: api.call(http_api.LIST_RECEIPTS, parameters=parameters)
        )
        return handed_on(answer, CALLER_RIGHT)

    def export(request: Request) -> Response:
        pages = api.pages(_filter(request.query_params))
        # Whatever is wrong shows in the first page, and can still be said before there is an answer.
        first = next(pages)
        return StreamingResponse(
            _csv(chain([first], pages)),
            media_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": "attachment; filename=receipts.csv"},
        )

    def receipt(request: Request) -> Response:
        return handed_on(
            api.call(http_api.SHOW_RECEIPT.format(fingerprint=_fingerprint(request))), CALLER_RIGHT
        )

    def proof(request: Request) -> Response:
        route = http_api.REQUEST_PROOF.format(fingerprint=_fingerprint(request))
        return handed_on(api.call(route, parameters=dict(request.query_params)), CALLER_RIGHT)

    def log(request: Request) -> Response:
        route = http_api.LOG_FILE.replace("{proxy+}", quote(request.path_params["path"]))
        return handed_on(api.call(route), CALLER_RIGHT)

    async def look_up(request: Request) -> Response:
        answer = await run_in_threadpool(api.call, http_api.LOOK_UP_RECEIPTS, body=await body_of(request))
        return handed_on(answer, CALLER_RIGHT)

    return [
        Route("/receipts", receipts),
        Route("/receipts.csv", export),
        Route("/receipts/{fingerprint}", receipt),
        Route("/receipts/{fingerprint}/proof", proof),
        Route("/lookup", look_up, methods=["POST"]),
        Route("/log/{path:path}", log),
    ]


async def body_of(request: Request) -> bytes:
    """Read a small body. Raise UsageError if it isn't."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BODY_BYTES:
            raise UsageError(f"the body of the request has more than {MOST_BODY_BYTES:,} bytes")
    return bytes(body)


def _filter(given: QueryParams) -> EntryFilter:
    """Read the filters of a listing. Raise UsageError if there are others."""
    names = {http_api.TEXT: "text", http_api.FROM: "start", http_api.TO: "end"}
    values: dict[str, Any] = {}
    for name, value in given.multi_items():
        if name in values or name not in FILTERS:
            raise UsageError(f"the parameter {name!r} is given twice, or isn't one of {', '.join(FILTERS)}")
        try:
            values[names.get(name, name)] = parse_time(value) if name in TIMES else value
        except ValueError as error:
            raise UsageError(f"the parameter {name!r} is not a time: {error}") from None
    return EntryFilter(**values)


def _csv(pages: Iterable[ApiPage]) -> Iterator[str]:
    """Write entries as `bill-e receipts --csv` does."""
    rows: Iterable[Iterable[str]] = [CSV_COLUMNS]
    for page in pages:
        file = io.StringIO(newline="")
        write_csv_rows(file, chain(rows, map(csv_row, page["entries"])))
        rows = ()
        yield file.getvalue()


def _fingerprint(request: Request) -> str:
    return quote(request.path_params["fingerprint"], safe="")
