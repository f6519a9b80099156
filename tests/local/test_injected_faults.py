from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping
from typing import Any

import pytest

from local.emulator.faults import FIGURES_PATH, AsgiMessage, Fault, FaultyApp, Receive, Send

BODY = b"the whole answer"
FUNCTION, CALLER = "ASIAEXAMPLE", "AKIAEXAMPLE"


class Service:
    """The service behind the faults, which counts the calls that it carries out."""

    def __init__(self) -> None:
        self.carried_out = 0

    async def __call__(self, _scope: Mapping[str, Any], _receive: Receive, send: Send) -> None:
        self.carried_out += 1
        length = (b"content-length", str(len(BODY)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": BODY})


class OnlyFault(random.Random):
    """Dice that always choose one fault, and whether it lasts."""

    def __init__(self, fault: Fault, *, lasts: bool) -> None:
        super().__init__()
        self._fault, self._rolls = fault, [0.0, 0.0 if lasts else 0.99]

    def choice(self, seq: Any) -> Any:
        return next(one for one in seq if one is self._fault)

    def random(self) -> float:
        self._rolls.append(self._rolls.pop(0))
        return self._rolls[-1]


def ask(app: FaultyApp, *, key: str = FUNCTION, service: str = "s3", attempt: int = 1) -> list[AsgiMessage]:
    headers = [
        (
            b"authorization",
            f"AWS4-HMAC-SHA256 Credential={key}/20261120/us-east-1/{service}/aws4_request".encode(),
        ),
        (b"amz-sdk-invocation-id", b"one call"),
        (b"amz-sdk-request", f"attempt={attempt}; max=3".encode()),
    ]
    return answer(app, {"type": "http", "path": "/", "headers": headers})


def answer(app: FaultyApp, scope: Mapping[str, Any]) -> list[AsgiMessage]:
    sent: list[AsgiMessage] = []

    async def receive() -> AsgiMessage:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: AsgiMessage) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent


@pytest.mark.parametrize("service", ["s3", "dynamodb"])
@pytest.mark.parametrize("fault", list(Fault))
def test_call_with_a_fault_fails_and_takes_effect_only_where_the_fault_comes_after(
    fault: Fault, service: str
) -> None:
    behind = Service()

    start, *bodies = ask(FaultyApp(behind, 1.0, OnlyFault(fault, lasts=False), set()), service=service)

    length = int(dict(start["headers"])[b"content-length"])
    is_cut = sum(len(body["body"]) for body in bodies) < length
    assert is_cut == ("cut" in fault)
    assert is_cut or start["status"] >= 400
    assert behind.carried_out == (1 if "after" in fault else 0)


@pytest.mark.parametrize("lasts", [True, False])
def test_fault_that_lasts_meets_every_attempt_and_another_one_only_the_first(*, lasts: bool) -> None:
    app = FaultyApp(Service(), 1.0, OnlyFault(Fault.ERROR_BEFORE, lasts=lasts), set())

    statuses = [ask(app, attempt=attempt)[0]["status"] for attempt in (1, 2, 3)]

    assert statuses == ([500, 500, 500] if lasts else [500, 200, 200])


@pytest.mark.parametrize(("key", "service"), [(CALLER, "s3"), (FUNCTION, "sqs")])
def test_other_calls_have_no_faults(key: str, service: str) -> None:
    app = FaultyApp(Service(), 1.0, OnlyFault(Fault.ERROR_BEFORE, lasts=True), set())

    assert ask(app, key=key, service=service)[-1]["body"] == BODY


def test_figures_tell_what_was_injected() -> None:
    app = FaultyApp(Service(), 1.0, OnlyFault(Fault.THROTTLED, lasts=True), set())
    ask(app)
    ask(app, attempt=2)
    ask(app, key=CALLER)

    told = json.loads(answer(app, {"type": "http", "path": FIGURES_PATH, "headers": []})[-1]["body"])

    assert (told["calls"], told["faults"], told["lasting"]) == (1, 1, 1)
    assert told["kinds"] == {fault: int(fault is Fault.THROTTLED) for fault in Fault}
