"""What the person on call sees: queues, dead letters, what isn't recorded or sealed, and alarms.

All of it needs permissions of its own. What the person may not see is said to be unavailable, and why.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from functools import cached_property, partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse
from starlette.routing import Route

from cli.console.api import body_of
from cli.console.problems import OPERATOR_RIGHT, problem_of
from cli.errors import BillEError, DeniedError, SignInError, UnavailableError, UsageError
from cli.operator.alarms import AlarmState, last_day, latest_value, open_cloudwatch, read_alarms
from cli.operator.chosen_letters import choose_letters, redrive_letters
from cli.operator.dead_letters import diagnose, looked_at
from cli.operator.letter_json import listed_json
from cli.operator.operations_log import open_operations_log
from cli.operator.resources import StackResources, open_resources
from functions.contract import metric_names

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from types_boto3_cloudwatch import CloudWatchClient

    from cli.stack import StackAccess

FRESH_SECONDS = 10.0
"""How old an answer may be. Dead letters are hidden from others while they are read."""

MOST_LETTERS = 100

READ_ONLY = "ReadOnlyAccess"
"""AWS's managed policy with the right to read alarms and metrics."""

FIGURES = {
    "missing": metric_names.MISSING,
    "unbacked": metric_names.UNBACKED,
    "unsealed": metric_names.UNSEALED_AGE,
}
"""By the page's names for them. The last one is how old the oldest unsealed entry is, in seconds."""


class Operations:
    """A stack's resources as its operator sees them. Used by one thread at a time."""

    def __init__(self, access: StackAccess, now: Callable[[], float] = time.monotonic) -> None:
        """Make no call and open nothing yet; `now` counts seconds."""
        self._access = access
        self._now = now
        self._opened = ExitStack()
        self._lock = threading.RLock()
        self._seen: tuple[float, dict[str, Any]] | None = None
        self._allowed: bool | None = None

    def __enter__(self) -> Operations:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def routes(self) -> list[Route]:
        """Return the routes of an operator's view."""
        return [
            Route("/operations", self._operations),
            Route("/operations/redrive", self._redrive, methods=["POST"]),
        ]

    def allowed(self) -> bool:
        """Whether the person may look at queues, which is tried until it is known."""
        if self._allowed is None:
            with self._lock:
                try:
                    self._resources.dead_letter_queue()
                except (SignInError, UnavailableError):
                    return False
                except BillEError:
                    self._allowed = False
                else:
                    self._allowed = True
        return self._allowed

    def _operations(self, _request: Request) -> Response:
        with self._lock:
            if self._seen is None or self._now() - self._seen[0] >= FRESH_SECONDS:
                seen = self._look()
                self._seen = self._now(), seen
            return JSONResponse(self._seen[1])

    async def _redrive(self, request: Request) -> Response:
        ids = _ids(await body_of(request))
        return await run_in_threadpool(self._redriven, ids)

    def _redriven(self, ids: list[str]) -> Response:
        done: list[str] = []
        try:
            with self._lock, choose_letters(self._resources, ids) as chosen:
                self._seen = None
                log = open_operations_log(self._resources, "dead-letters-redrive")
                done.extend(one.letter.id for one in redrive_letters(self._resources, log, chosen))
        except BillEError as error:
            return problem_of(error, OPERATOR_RIGHT, redriven=done)
        return JSONResponse({"redriven": done})

    def _look(self) -> dict[str, Any]:
        return {
            "backlog": _item(OPERATOR_RIGHT, self._backlog),
            "dead_letters": _item(OPERATOR_RIGHT, self._dead_letters),
            **self._watched(),
        }

    def _backlog(self) -> dict[str, Any]:
        queues = {"uploads": self._resources.queue(), "resends": self._resources.resend_queue()}
        return {
            "value": {
                name: {"waiting": queue.waiting, "in_work": queue.in_work} for name, queue in queues.items()
            }
        }

    def _dead_letters(self) -> dict[str, Any]:
        queue = self._resources.dead_letter_queue()
        if not queue.messages:
            return {"value": [], "about": 0}
        with looked_at(self._resources.sqs, queue.url) as letters:
            found = [
                listed_json(letter, diagnose(letter, self._resources))
                for letter in islice(letters, MOST_LETTERS)
            ]
        return {"value": sorted(found, key=lambda one: str(one["first_sent_at"])), "about": queue.messages}

    def _watched(self) -> dict[str, Any]:
        """Return the alarms, and the figures that some of them watch."""
        alarms: list[AlarmState] = []

        def states() -> dict[str, Any]:
            alarms.extend(read_alarms(self._cloudwatch, self._access))
            return {"value": [asdict(alarm) | {"metric": alarm.metric.name} for alarm in alarms]}

        def figure(name: str) -> dict[str, Any]:
            metric = next((alarm.metric for alarm in alarms if alarm.metric.name == name), None)
            if metric is None:
                return {"unavailable": "no alarm of the stack watches it"}
            if latest := latest_value(self._cloudwatch, metric):
                return asdict(latest)
            day = last_day(self._cloudwatch, metric)
            last = f"the last value was published on {day}" if day else "nothing has been published yet"
            return {"unavailable": last}

        listed = _item(READ_ONLY, states)
        if "unavailable" in listed:
            return {"alarms": listed, **dict.fromkeys(FIGURES, listed)}
        figures = {name: _item(READ_ONLY, partial(figure, metric)) for name, metric in FIGURES.items()}
        return {"alarms": listed, **figures}

    @cached_property
    def _resources(self) -> StackResources:
        return self._opened.enter_context(open_resources(self._access))

    @cached_property
    def _cloudwatch(self) -> CloudWatchClient:
        return self._opened.enter_context(open_cloudwatch(self._access))


def _item(right: str, look: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Look at one thing, or say why it is unavailable."""
    try:
        return look()
    except SignInError:
        raise
    except DeniedError as error:
        return {"unavailable": str(error), "missing_right": right}
    except BillEError as error:
        return {"unavailable": str(error)}


def _ids(body: bytes) -> list[str]:
    try:
        ids = json.loads(body)["ids"]
    except (ValueError, KeyError, TypeError):
        ids = None
    if isinstance(ids, list) and 1 <= len(ids) <= MOST_LETTERS and all(isinstance(one, str) for one in ids):
        return ids
    raise UsageError(f'the body has to be {{"ids": […]}}, with 1 to {MOST_LETTERS} ids of dead letters')
