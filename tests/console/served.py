"""A console that is served as people have it, on a socket, and a client that is not a browser."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from cli.console.app import Console, console_app
from cli.console.serve import listen, server_of
from cli.console.session import Session


@dataclass(frozen=True, kw_only=True)
class Received:
    """An answer of the console."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def problem(self) -> tuple[int, str]:
        """The status of a problem, and its kind."""
        assert self.headers["content-type"] == "application/problem+json"
        assert self.json["status"] == self.status
        return self.status, self.json["type"].rpartition("/")[2]


@dataclass(frozen=True, kw_only=True)
class Served:
    """A console at a port, and what a browser that has opened it sends with each request."""

    port: int
    session: Session
    cookie: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def own(self) -> dict[str, str]:
        """What the page itself sends."""
        return {**self.cookie, "Origin": f"http://{self.host}", "Sec-Fetch-Site": "same-origin"}

    def sign_in(self) -> None:
        """Open the first address."""
        opened = self.ask("GET", self.session.first_address.removeprefix(f"http://{self.host}"), {})
        self.cookie["Cookie"] = opened.headers["set-cookie"].partition(";")[0]

    def get(self, target: str) -> Received:
        """Ask as the page does."""
        return self.ask("GET", target, self.own)

    def ask(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Received:
        """Send exactly these headers, besides `Host`, which they can replace, and `Content-Length`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.putrequest(method, target, skip_host="Host" in headers, skip_accept_encoding=True)
            sent = {**headers} if body is None else {"Content-Length": str(len(body)), **headers}
            for name, value in sent.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return Received(status=answer.status, headers=names, content=answer.read())
        finally:
            connection.close()


@contextmanager
def served(console: Console) -> Iterator[Served]:
    """Serve a console at a free port."""
    with listen(None) as listening:
        port = listening.getsockname()[1]
        session = Session(port)
        server = server_of(console_app(console, session))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield Served(port=port, session=session)
        finally:
            server.should_exit = True
            thread.join()
