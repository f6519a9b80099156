"""Faults: an ASGI middleware for the functions' calls to S3 and DynamoDB, and messages that come twice.

A fault in a call comes before the call is carried out, or afterwards, so that only the answer is lost. Some
hit one attempt, and the SDK's next attempt succeeds; others hit all attempts of a call, which then fails.
Only functions' calls are affected, because only functions have temporary keys.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence, Set
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

AsgiMessage = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[AsgiMessage]]
Send = Callable[[AsgiMessage], Awaitable[None]]
App = Callable[[Mapping[str, Any], Receive, Send], Awaitable[None]]

FIGURES_PATH = "/_bill-e/faults"
"""The path at which anybody on this machine can read the figures, as with the emulator's health."""

LASTING_SHARE = 0.25
"""The share of the faults that last for all attempts of a call."""

CUT_LENGTH = 1000
"""How many bytes an answer announces before the connection is cut without sending any of them."""

SIGNED_BY_FUNCTION = re.compile(r"Credential=ASIA[^/]+/\d+/[^/]+/(?P<service>s3|dynamodb)/aws4_request")
FIRST_ATTEMPT = re.compile(r"\battempt=1\b")


class Fault(StrEnum):
    """A way in which a call fails."""

    ERROR_BEFORE = "500 before the call"
    ERROR_AFTER = "500 after the call"
    THROTTLED = "throttled"
    CUT_BEFORE = "connection cut before the call"
    CUT_AFTER = "connection cut after the call"

    @property
    def takes_effect(self) -> bool:
        """Whether the call is carried out anyway."""
        return self in {Fault.ERROR_AFTER, Fault.CUT_AFTER}


@dataclass(frozen=True, kw_only=True)
class FaultFigures:
    """How many calls the functions made to S3 and DynamoDB, how many of them had a fault, and of which kinds.

    `lasting` are the calls with a fault in all their attempts. `repeated` messages were delivered once more.
    """

    calls: int
    faults: int
    lasting: int
    kinds: Mapping[str, int]
    repeated: int


class FaultyApp:
    """An ASGI application with faults in a ``share`` (0 to 1) of the functions' calls to S3 and DynamoDB.

    ``repeated`` has the messages that were delivered once more, which is another part's doing.
    """

    def __init__(self, app: App, share: float, dice: random.Random, repeated: Set[str]) -> None:
        self._app = app
        self._share = share
        self._dice = dice
        self._lasting: dict[str, Fault] = {}
        self._kinds: Counter[str] = Counter()
        self._calls = 0
        self._repeated = repeated

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve a request, or fail it."""
        if scope["type"] == "http" and scope["path"] == FIGURES_PATH:
            await _answer(send, 200, "application/json", json.dumps(asdict(self._figures())))
            return
        headers = {name.decode(): value.decode("latin-1") for name, value in scope.get("headers", ())}
        signed = SIGNED_BY_FUNCTION.search(headers.get("authorization", ""))
        fault = self._fault_of(headers) if signed else None
        if signed is None or fault is None:
            await self._app(scope, receive, send)
        else:
            await self._fail(fault, signed["service"], scope, receive, send)

    def _fault_of(self, headers: Mapping[str, str]) -> Fault | None:
        call = headers.get("amz-sdk-invocation-id", "")
        if not FIRST_ATTEMPT.search(headers.get("amz-sdk-request", "")):
            return self._lasting.get(call)
        self._calls += 1
        if self._dice.random() >= self._share:
            return None
        fault = self._dice.choice(list(Fault))
        self._kinds[fault] += 1
        if self._dice.random() < LASTING_SHARE:
            self._lasting[call] = fault
        return fault

    async def _fail(
        self, fault: Fault, service: str, scope: Mapping[str, Any], receive: Receive, send: Send
    ) -> None:
        answer: Sequence[AsgiMessage] = ()
        if fault.takes_effect:
            answer = await self._carry_out(scope, receive)
        else:
            while (await receive()).get("more_body"):
                pass
        if fault is Fault.CUT_AFTER:
            await _send_half(answer, send)
        elif fault is Fault.CUT_BEFORE:
            await send(_start(200, [(b"content-length", str(CUT_LENGTH).encode())]))
        else:
            await _answer(send, *_error(service, throttled=fault is Fault.THROTTLED))

    async def _carry_out(self, scope: Mapping[str, Any], receive: Receive) -> Sequence[AsgiMessage]:
        answer: list[AsgiMessage] = []

        async def keep(message: AsgiMessage) -> None:
            answer.append(message)

        await self._app(scope, receive, keep)
        return answer

    def _figures(self) -> FaultFigures:
        return FaultFigures(
            calls=self._calls,
            faults=self._kinds.total(),
            lasting=len(self._lasting),
            kinds={fault: self._kinds[fault] for fault in Fault},
            repeated=len(self._repeated),
        )


def _error(service: str, *, throttled: bool) -> tuple[int, str, str]:
    """Return the status, media type and body of an error, as in the services' API references."""
    if service == "s3":
        status, code = (503, "SlowDown") if throttled else (500, "InternalError")
        return status, "application/xml", f"<Error><Code>{code}</Code><Message>Injected.</Message></Error>"
    status, code = (400, "ThrottlingException") if throttled else (500, "InternalServerError")
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "Injected."}
    return status, "application/x-amz-json-1.0", json.dumps(body)


async def _answer(send: Send, status: int, media_type: str, text: str) -> None:
    body = text.encode()
    length = str(len(body)).encode()
    await send(_start(status, [(b"content-type", media_type.encode()), (b"content-length", length)]))
    await send({"type": "http.response.body", "body": body})


async def _send_half(answer: Sequence[AsgiMessage], send: Send) -> None:
    """Send an answer up to the middle of its body, after which the server closes the connection."""
    body = b"".join(message.get("body", b"") for message in answer)
    start = dict(answer[0])
    start["headers"] = [pair for pair in start["headers"] if pair[0].lower() != b"content-length"]
    start["headers"].append((b"content-length", str(max(len(body), 1)).encode()))
    await send(start)
    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})


def _start(status: int, headers: Sequence[tuple[bytes, bytes]]) -> AsgiMessage:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}
