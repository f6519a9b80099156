"""What the page asks the stack's API, signed for the person who runs the console, and handed on as it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.routing import Route

from cli.console.problems import CALLER_RIGHT, INVALID_REQUEST, handed_on, problem
from functions.contract import http_api

if TYPE_CHECKING:
    from botocore.awsrequest import AWSResponse
    from starlette.requests import Request
    from starlette.responses import Response

    from cli.caller.api_client import ApiClient

FRESH_SECONDS = 1.0
"""Tabs that ask for the same page of the ledger within this time share one call."""

MOST_KEPT = 32
MOST_BODY_BYTES = 64 * 1024


@dataclass(kw_only=True)
class _Shared:
    """The latest answer to one question."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    asked_at: float = float("-inf")
    answer: AWSResponse | None = None


class SharedAnswers:
    """Answers that are at most a second old, so that many tabs cost no more than one."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """Measure time by `now`, in seconds."""
        self._now = now
        self._kept: dict[str, _Shared] = {}
        self._lock = threading.Lock()

    def get(self, question: str, ask: Callable[[], AWSResponse]) -> AWSResponse:
        """Return a fresh answer to a question. Whoever comes while it is asked waits for the same answer."""
        with self._lock:
            shared = self._kept.pop(question, None) or _Shared()
            self._kept[question] = shared
            while len(self._kept) > MOST_KEPT:
                del self._kept[next(iter(self._kept))]
        with shared.lock:
            if shared.answer is None or self._now() - shared.asked_at >= FRESH_SECONDS:
                shared.asked_at, shared.answer = self._now(), ask()
            return shared.answer


def api_routes(api: ApiClient) -> list[Route]:
    """Return the routes that the stack's API has as well, here below /api."""
    answers = SharedAnswers()

    def receipts(request: Request) -> Response:
        parameters = dict(request.query_params)
        answer = answers.get(
            request.url.query, lambda: api.call(http_api.LIST_RECEIPTS, parameters=parameters)
        )
        return handed_on(answer, CALLER_RIGHT)

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
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MOST_BODY_BYTES:
                return problem(
                    INVALID_REQUEST, 413, "The request is too large", f"At most {MOST_BODY_BYTES:,} bytes."
                )
        answer = await run_in_threadpool(api.call, http_api.LOOK_UP_RECEIPTS, body=bytes(body))
        return handed_on(answer, CALLER_RIGHT)

    return [
        Route("/receipts", receipts),
        Route("/receipts/{fingerprint}", receipt),
        Route("/receipts/{fingerprint}/proof", proof),
        Route("/lookup", look_up, methods=["POST"]),
        Route("/log/{path:path}", log),
    ]


def _fingerprint(request: Request) -> str:
    return quote(request.path_params["fingerprint"], safe="")
