"""Uploads from the page, handed on to S3 as they come.

They come through web sockets, since a browser opens only six connections for requests. The page announces a
file in a text message, and sends its bytes in binary ones, the pieces. The server says how many bytes S3 has
been given, and in the end what became of the file. Then the next file can come. Closing the socket cancels
the upload.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.from_thread
import anyio.to_thread
from starlette.responses import JSONResponse
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from cli.caller.transfer import AlreadyAccepted, BecameShorterError
from cli.caller.upload_run import LARGEST_UPLOAD_BYTES
from cli.console.problems import CALLER_RIGHT, problem_of
from cli.console.received_file import ReceivedBody, ReceivedFile
from cli.errors import BillEError, DeniedError, UsageError
from functions.contract.entry import parse_fingerprint

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import Message

    from cli.caller.connection import StackConnection
    from cli.caller.transfer import Uploaded

AT_ONCE = 16
"""Uploads that run at the same time. They must not use up the threads that everything else needs."""

MOST_SOCKETS = 40
"""Those of four tabs."""

PIECE_BYTES = 256 * 1024
"""The most bytes that a message may have. The server ends a socket with a larger one."""

PIECES_AHEAD = 4
"""How many pieces may have been sent and not been taken by S3. More would fill the memory."""

SILENT_SECONDS = 60.0
"""How long a socket is kept on which nothing comes, although something could."""

BROKEN_RULE = 1008
TRY_AGAIN_LATER = 1013
"""Codes with which a socket is closed (RFC 6455, and the registry that it began)."""


class BrokenRuleError(Exception):
    """The other side of a socket doesn't keep to what has been agreed. The text says how."""


class Uploads:
    """Sends files, until it turns out that the person may not."""

    def __init__(self, stack: StackConnection) -> None:
        """Send to a stack."""
        self._stack = stack
        self._limiter: anyio.CapacityLimiter | None = None
        self._sockets = 0
        self.allowed = True

    def routes(self) -> list[WebSocketRoute]:
        """Return the route that takes files."""
        return [WebSocketRoute("/uploads", self._connected)]

    async def _connected(self, socket: WebSocket) -> None:
        await socket.accept()
        if self._sockets >= MOST_SOCKETS:
            await socket.close(TRY_AGAIN_LATER, "Too many tabs of the console send files.")
            return
        self._sockets += 1
        try:
            while True:
                await self._take_file(socket)
        except WebSocketDisconnect:
            pass
        except BrokenRuleError as error:
            await socket.close(BROKEN_RULE, str(error))
        finally:
            self._sockets -= 1

    async def _take_file(self, socket: WebSocket) -> None:
        announcement = await _announcement(socket)
        with Pieces(socket) as pieces:
            try:
                file, again = _announced(announcement, ReceivedBody(pieces.next_in_thread))
            except UsageError as error:
                await _tell(socket, problem_of(error))
                return
            answer = None
            async with anyio.create_task_group() as group:
                # Nothing can end a thread that has begun, but the wait for one can be ended.
                group.start_soon(pieces.receive, file.size_bytes, group.cancel_scope.cancel)
                answer = await self._sent(file, again=again)
                group.cancel_scope.cancel()
        if pieces.broken:
            raise pieces.broken
        if answer:
            await _tell(socket, answer)

    async def _sent(self, file: ReceivedFile, *, again: bool) -> Response | None:
        """Send a file, and return what became of it, or None if it broke off."""
        send_file = self._stack.send_again if again else self._stack.send_file
        # It belongs to the loop, which doesn't run yet when this object is made.
        self._limiter = self._limiter or anyio.CapacityLimiter(AT_ONCE)
        try:
            result = await anyio.to_thread.run_sync(send_file, file, lambda _: None, limiter=self._limiter)
        except BecameShorterError:
            return None
        except BillEError as error:
            self.allowed = self.allowed and not isinstance(error, DeniedError)
            return problem_of(error, CALLER_RIGHT)
        return JSONResponse(_result_json(result))


class Pieces:
    """The bytes of one file, between the socket that they come through and the thread that sends them to S3.

    `broken` is why no more will come, if it is over too early.
    """

    def __init__(self, socket: WebSocket) -> None:
        """Receive nothing yet."""
        self._socket = socket
        self._put, self._get = anyio.create_memory_object_stream[bytes](PIECES_AHEAD)
        self._taken = 0
        self.broken: Exception | None = None

    def __enter__(self) -> Pieces:
        return self

    def __exit__(self, *_: object) -> None:
        self._put.close()
        self._get.close()

    async def receive(self, size_bytes: int, on_broken: Callable[[], None]) -> None:
        """Receive until this is cancelled, also after the last byte: the browser may go away at any time."""
        with self._put:
            while not self.broken:
                if size_bytes == 0:
                    self._put.close()
                try:
                    piece = (await _received(self._socket)).get("bytes")
                    if not piece or len(piece) > size_bytes:
                        self.broken = BrokenRuleError("This is not a part of the file.")
                    else:
                        size_bytes -= len(piece)
                        self._put.send_nowait(piece)
                except WebSocketDisconnect as error:
                    self.broken = error
                except anyio.WouldBlock:
                    self.broken = BrokenRuleError(f"More than {PIECES_AHEAD} pieces were sent ahead.")
        on_broken()

    def next_in_thread(self) -> bytes:
        """Return the next piece, none at the end. Raise BecameShorterError if that comes too early."""
        return anyio.from_thread.run(self._next)

    async def _next(self) -> bytes:
        try:
            with anyio.fail_after(SILENT_SECONDS):
                piece = await self._get.receive()
        except TimeoutError:
            self.broken = BrokenRuleError("Nothing came for too long.")
        except anyio.EndOfStream:
            piece = b""
        if self.broken:
            raise BecameShorterError
        if piece:
            self._taken += len(piece)
            try:
                await self._socket.send_json({"taken": self._taken})
            except WebSocketDisconnect as error:
                self.broken = error
                raise BecameShorterError from None
        return piece


async def _announcement(socket: WebSocket) -> str:
    """Wait for the next file. Pieces of the last one may come first, if S3 refused it before its end."""
    for _ in range(PIECES_AHEAD + 1):
        try:
            with anyio.fail_after(SILENT_SECONDS):
                message = await _received(socket)
        except TimeoutError:
            raise BrokenRuleError("Nothing came for too long.") from None
        if (text := message.get("text")) is not None:
            return str(text)
    raise BrokenRuleError("These pieces belong to no file.")


async def _received(socket: WebSocket) -> Message:
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1006))
    return message


async def _tell(socket: WebSocket, answer: Response) -> None:
    await socket.send_text(bytes(answer.body).decode())


def _announced(text: str, body: ReceivedBody) -> tuple[ReceivedFile, bool]:
    """Read what the page says about a file, and whether to send it again. Raise UsageError if it can't be."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise UsageError("the announcement of a file must be a JSON object")
    key, size, again = said.get("key"), said.get("size_bytes"), said.get("again", False)
    if not isinstance(key, str) or not key:
        raise UsageError("'key' must be a text")
    if type(size) is not int or not 0 <= size <= LARGEST_UPLOAD_BYTES:
        raise UsageError(f"'size_bytes' must be a number up to {LARGEST_UPLOAD_BYTES} (5 GiB)")
    if not isinstance(again, bool):
        raise UsageError("'again' must be true or false")
    try:
        fingerprint = parse_fingerprint(said.get("fingerprint"))
    except ValueError as error:
        raise UsageError(f"'fingerprint' must be {error}") from None
    return ReceivedFile(path=Path(key), name=key, size_bytes=size, fingerprint=fingerprint, body=body), again


def _result_json(result: Uploaded | AlreadyAccepted) -> dict[str, object]:
    same = {"key": result.key, "fingerprint": result.fingerprint, "size_bytes": result.size_bytes}
    if isinstance(result, AlreadyAccepted):
        return {**same, "version_id": None, "already_accepted": {"recorded_at": result.recorded_at}}
    return {**same, "version_id": result.version_id, "already_accepted": None}
