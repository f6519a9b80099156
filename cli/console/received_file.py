"""A file that the page sends, read by another thread than the server's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, cast

from cli.caller.transfer import HashedFile
from cli.errors import UnavailableError

KEPT_BYTES = 8 * 1024**2
"""An upload of up to so many bytes is kept in memory until it has arrived, so that it can be sent again if S3
is busy. A larger one has to be started again."""


class ReceivedBody:
    """The bytes of a file as they come."""

    def __init__(self, receive: Callable[[], bytes]) -> None:
        """Read what `receive` returns: the next bytes, none at the end."""
        self._receive = receive
        self._kept: bytearray | None = bytearray()
        self._rest = b""
        self._place = 0

    def read(self, size: int) -> bytes:
        """Read up to `size` bytes, more than none unless it is the end."""
        if size == 0:
            return b""
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
        """Open the bytes that come."""
        return cast("BinaryIO", self.body)
