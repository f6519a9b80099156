"""HTTP for the ledger's API and for upload forms: connections, trust and retries. Knows no routes."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies

from cli.errors import UnavailableError, explained

if TYPE_CHECKING:
    from botocore.awsrequest import AWSRequest, AWSResponse

ATTEMPTS = 5
RETRIED_STATUSES = frozenset({429, 503})
LONGEST_PAUSE_SECONDS = 20.0
TIMEOUT_SECONDS = 60


class HttpClient:
    """botocore's connection pools, with retries on 429 and 503 after the time that Retry-After names."""

    def __init__(
        self,
        *,
        ca_bundle: str | None,
        connections: int,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Trust `ca_bundle` (the system's if None), and keep up to `connections` to a host."""
        self._verify: Any = ca_bundle or True  # botocore takes both; its stubs know only the second.
        self._connections = connections
        self._sleep = sleep
        self._sessions: dict[str, URLLib3Session] = {}
        self._lock = threading.Lock()
        self._is_closed = False

    def send(self, make_request: Callable[[], AWSRequest], doing: str) -> AWSResponse:
        """Send a request, repeat it while the answer is 429 or 503, and return the last answer.

        Args:
            make_request: makes a new, signed request with its body at the start; called for each attempt.
            doing: what the request is for; the error begins with it.

        Raises:
            BillEError: there was no answer; UnavailableError if a later attempt may get one.

        """
        for attempt in count(1):
            with explained(doing):
                request = make_request().prepare()
                response = self._session_for(request.url).send(request)
            if response.status_code not in RETRIED_STATUSES or attempt == ATTEMPTS:
                break
            self._sleep(pause_seconds(response.headers.get("Retry-After"), attempt))
        return response

    def close(self) -> None:
        """Close all connections. A thread that sends something later gets an UnavailableError."""
        with self._lock:
            self._is_closed = True
            for session in self._sessions.values():
                session.close()

    def _session_for(self, url: str) -> URLLib3Session:
        """Return the pool for a host, since each host may have a proxy or none."""
        host = urlsplit(url).netloc
        with self._lock:
            if self._is_closed:
                raise UnavailableError("the connection to the stack has been closed")
            if host not in self._sessions:
                self._sessions[host] = URLLib3Session(
                    verify=self._verify,
                    proxies=get_environ_proxies(url),
                    timeout=TIMEOUT_SECONDS,
                    max_pool_connections=self._connections,
                )
            return self._sessions[host]


def pause_seconds(retry_after: str | None, attempt: int) -> float:
    """Return how long to wait after an attempt: the seconds in Retry-After, or else a jittered back-off."""
    if retry_after is not None and retry_after.isdecimal():
        return min(float(retry_after), LONGEST_PAUSE_SECONDS)
    ceiling = min(0.5 * 2**attempt, LONGEST_PAUSE_SECONDS)
    return random.uniform(ceiling / 2, ceiling)  # noqa: S311 - spreads callers, guards nothing
