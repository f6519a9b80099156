"""A client for the web sockets through which files are uploaded. It is not a browser."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)

from cli.console.uploads import PIECE_BYTES
from tests.console.served import Received, Served

TARGET = "/api/uploads"


@dataclass(frozen=True)
class Closed:
    """How a socket ended; None if the connection just broke."""

    code: int | None
    reason: str | None = None


@dataclass
class Socket:
    """An open web socket."""

    connected: socket.socket
    protocol: WSConnection
    coming: Iterator[Event]
    taken: list[int] = field(default_factory=list)
    """What the server has said of the files' bytes."""

    def send(self, message: str | bytes) -> None:
        """Send a message in a single frame."""
        event = TextMessage(data=message) if isinstance(message, str) else BytesMessage(data=message)
        self.connected.sendall(self.protocol.send(event))

    def announce(self, content: bytes = b"", **members: object) -> None:
        """Say that a file comes."""
        said = {
            "key": "a.png",
            "size_bytes": len(content),
            "fingerprint": hashlib.sha256(content).hexdigest(),
        }
        self.send(json.dumps({**said, **members}))

    def upload(self, content: bytes, **members: object) -> Any:
        """Send a file, piece by piece when the last one has been taken, and return what became of it."""
        self.announce(content, **members)
        for start in range(0, len(content), PIECE_BYTES):
            self.send(content[start : start + PIECE_BYTES])
            told = self.told()
            if "taken" not in told:
                return told
            self.taken.append(told["taken"])
        return self.answer()

    def answer(self) -> Any:
        """Return what became of a file."""
        while "taken" in (told := self.told()):
            self.taken.append(told["taken"])
        return told

    def told(self) -> Any:
        """Return the next message."""
        event = next(self.coming)
        assert isinstance(event, TextMessage), event
        return json.loads(event.data)

    def close(self) -> None:
        """Close it as a browser does, and wait until the server has done so, too."""
        self.connected.sendall(self.protocol.send(CloseConnection(code=1000)))
        assert self.closed().code == 1000

    def closed(self) -> Closed:
        """Return how the server closes the socket, whatever it says before."""
        for event in self.coming:
            if isinstance(event, CloseConnection):
                return Closed(event.code, event.reason)
        return Closed(None)


def events_of(connected: socket.socket, protocol: WSConnection) -> Iterator[Event]:
    """Yield what comes; each text message is a single event."""
    text = ""
    while True:
        for event in protocol.events():
            if isinstance(event, Ping):
                connected.sendall(protocol.send(event.response()))
            elif isinstance(event, TextMessage):
                text += event.data
                if event.message_finished:
                    yield TextMessage(data=text)
                    text = ""
            else:
                yield event
        try:
            data = connected.recv(65536)
        except ConnectionResetError:
            return
        if not data:
            return
        protocol.receive_data(data)


@contextmanager
def handshake(page: Served, headers: Mapping[str, str], target: str = TARGET) -> Iterator[Socket | Received]:
    """Ask for a web socket with exactly these headers, and yield it, or the answer that refuses it."""
    with socket.create_connection(("127.0.0.1", page.port), timeout=30) as connected:
        protocol = WSConnection(ConnectionType.CLIENT)
        rest = {name: value for name, value in headers.items() if name != "Host"}
        host = headers.get("Host", page.host)
        extra = [(name.encode(), value.encode()) for name, value in rest.items()]
        connected.sendall(protocol.send(Request(host=host, target=target, extra_headers=extra)))
        coming = events_of(connected, protocol)
        first = next(coming)
        if isinstance(first, AcceptConnection):
            yield Socket(connected, protocol, coming)
            return
        assert isinstance(first, RejectConnection)
        content = bytearray()
        for event in coming:
            if isinstance(event, RejectData):
                content += event.data
                if event.body_finished:
                    break
        named = {name.decode().lower(): value.decode() for name, value in first.headers}
        yield Received(status=first.status_code, headers=named, content=bytes(content))


@contextmanager
def opened(page: Served) -> Iterator[Socket]:
    """Open a web socket as the page does."""
    with handshake(page, page.own) as made:
        assert isinstance(made, Socket), made
        yield made


def refusal(page: Served, headers: Mapping[str, str], target: str = TARGET) -> Received:
    """Ask for a web socket, and return the answer that refuses it."""
    with handshake(page, headers, target) as answer:
        assert isinstance(answer, Received), "the web socket was opened"
        return answer
