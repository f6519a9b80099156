"""Uploads from the page, handed on to S3 as they come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import anyio
import anyio.from_thread
import anyio.to_thread
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cli.caller.transfer import AlreadyAccepted, BecameShorterError, HashedFile
from cli.caller.upload_run import LARGEST_UPLOAD_BYTES
from cli.console.problems import CALLER_RIGHT, problem_of
from cli.errors import BillEError, DeniedError, UnavailableError, UsageError
from functions.contract.entry import parse_fingerprint

if TYPE_CHECKING:
    from starlette.requests import Request

    from cli.caller.connection import StackConnection
    from cli.caller.transfer import Uploaded

KEPT_BYTES = 8 * 1024**2
"""An upload of up to so many bytes is kept in memory until it has arrived, so that it can be sent again if S3
is busy. A larger one has to be started again."""

AT_ONCE = 16
"""Uploads that run at the same time. They must not use up the threads that everything else needs."""


class ReceivedBody:
    """The body of a request, read by another thread than the server's."""

    def __init__(self, receive: Callable[[], bytes]) -> None:
        """Read what `receive` returns: the next bytes, none at the end."""
        self._receive = receive
        self._kept: bytearray | None = bytearray()
        self._rest = b""
        self._place = 0

    def read(self, size: int) -> bytes:
        """Read up to `size` bytes, more than none unless it is the end."""
        if self._kept is not None and self._place < len(self._kept):
            chunk = bytes(self._kept[self._place : self._place + size])
        else:
            received = self._rest or self._receive()
            chunk, self._rest = received[:size], received[size:]
            self._keep(chunk)
        self._place += len(chunk)
        return chunk

    def tell(self) -> int:
        """Return how many bytes have been read."""
        return self._place

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go back to what has been read, if it has been kept."""
        if whence != 0 or (offset != self._place and self._kept is None):
            raise UnavailableError("S3 broke the upload off, and it is too large to be kept: start it again")
        self._place = offset
        return offset

    def close(self) -> None:
        """Forget what has been kept."""
        self._kept = None

    def __enter__(self) -> ReceivedBody:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _keep(self, chunk: bytes) -> None:
        if self._kept is not None:
            self._kept += chunk
            if len(self._kept) > KEPT_BYTES:
                self._kept = None


@dataclass(frozen=True, kw_only=True)
class ReceivedFile(HashedFile):
    """A file that the page sends. S3 checks that the bytes have the fingerprint that the page says."""

    body: ReceivedBody

    def open(self) -> BinaryIO:
        """Open the body of the request."""
        return cast("BinaryIO", self.body)


class Uploads:
    """Sends files, until it turns out that the person may not."""

    def __init__(self, stack: StackConnection) -> None:
        """Send to a stack."""
        self._stack = stack
        self._limiter: anyio.CapacityLimiter | None = None
        self.allowed = True

    def routes(self) -> list[Route]:
        """Return the route that takes a file."""
        return [Route("/uploads", self._upload, methods=["PUT"])]

    async def _upload(self, request: Request) -> Response:
        chunks = _not_empty(request.stream())
        file = _announced(request, ReceivedBody(_receiver(chunks)))
        try:
            answer = await self._sent(file, again=request.query_params.get("again") == "1")
            # A browser that is still sending wouldn't read the answer.
            async for _ in chunks:
                pass
        except (ClientDisconnect, BecameShorterError):
            return Response(status_code=400)  # Nobody reads it.
        return answer

    async def _sent(self, file: ReceivedFile, *, again: bool) -> Response:
        send_file = self._stack.send_again if again else self._stack.send_file
        # It belongs to the loop, which doesn't run yet when this object is made.
        self._limiter = self._limiter or anyio.CapacityLimiter(AT_ONCE)
        try:
            result = await anyio.to_thread.run_sync(send_file, file, lambda _: None, limiter=self._limiter)
        except BillEError as error:
            self.allowed = self.allowed and not isinstance(error, DeniedError)
            return problem_of(error, CALLER_RIGHT)
        return JSONResponse(_result_json(result))


def _receiver(chunks: AsyncIterator[bytes]) -> Callable[[], bytes]:
    """Return a function that has the server receive a chunk, and waits for it in another thread."""

    async def next_chunk() -> bytes:
        return await anext(chunks, b"")

    def receive() -> bytes:
        try:
            return anyio.from_thread.run(next_chunk)
        except ClientDisconnect:
            raise BecameShorterError from None

    return receive


def _announced(request: Request, body: ReceivedBody) -> ReceivedFile:
    """Read what the page says about a file. Raise UsageError if it can't be."""
    key, length = request.query_params.get("key", ""), request.headers.get("Content-Length", "")
    if not key:
        raise UsageError("the query needs a key")
    if not (length.isascii() and length.isdecimal()) or int(length) > LARGEST_UPLOAD_BYTES:
        raise UsageError(f"the header Content-Length must be a number up to {LARGEST_UPLOAD_BYTES} (5 GiB)")
    try:
        fingerprint = parse_fingerprint(request.headers.get("X-Sha256"))
    except ValueError as error:
        raise UsageError(f"the header X-Sha256 must be {error}") from None
    return ReceivedFile(path=Path(key), name=key, size_bytes=int(length), fingerprint=fingerprint, body=body)


async def _not_empty(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Leave out the empty chunks, one of which comes at the end."""
    async for chunk in chunks:
        if chunk:
            yield chunk


def _result_json(result: Uploaded | AlreadyAccepted) -> dict[str, object]:
    same = {"key": result.key, "fingerprint": result.fingerprint, "size_bytes": result.size_bytes}
    if isinstance(result, AlreadyAccepted):
        return {**same, "version_id": None, "already_accepted": {"recorded_at": result.recorded_at}}
    return {**same, "version_id": result.version_id, "already_accepted": None}
