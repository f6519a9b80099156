"""The bytes of a file as they arrive, for readers of formats that are written as if they had all of it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Final, TypeVar

from functions.contract.entry import MAX_DETAIL_CHARACTERS

if TYPE_CHECKING:
    import re

Result = TypeVar("Result")
Reading = Generator[None, None, Result]
"""A reader that stops at each `yield` until more bytes have arrived."""

Fold = Callable[[memoryview, int], int]
"""Such as `zlib.crc32`: takes a piece, and the result for all pieces before it."""

PADDING: Final = b"\0\t\n\f\r "
"""White space and zeros. Writers fill up their last block with them, and they mean nothing."""

FREE_STEPS: Final = 100_000
BYTES_PER_STEP: Final = 64
"""A file may cost `FREE_STEPS`, and one more for each so many bytes of it. Crafted ones cost many more."""


class DamagedFileError(Exception):
    """The file isn't whole. The text continues a sentence that begins with "The file"."""

    def __init__(self, detail: str) -> None:
        cut = detail if len(detail) <= MAX_DETAIL_CHARACTERS else f"{detail[: MAX_DETAIL_CHARACTERS - 1]}…"
        super().__init__(cut)


class Incoming:
    """The part of a file that has arrived and isn't read yet.

    It keeps what a reader waits for, and forgets what was read. ``steps`` counts the work, which is bounded.
    """

    def __init__(self) -> None:
        self.steps = 0
        self._part = "before any content"
        self._part_bytes: int | None = None
        self._data = b""
        self._at = 0
        self._before = 0
        self._ended = False

    def supply(self, piece: bytes) -> None:
        """Append the bytes that have arrived."""
        rest = len(self._data) - self._at
        self._before += self._at
        self._data = self._data[self._at :] + piece if rest else piece
        self._at = 0

    def end(self) -> None:
        """Say that nothing will follow."""
        self._ended = True

    @property
    def position(self) -> int:
        """How many bytes were read."""
        return self._before + self._at

    @property
    def unread(self) -> memoryview:
        """The bytes that have arrived and aren't read, at least as many as `ahead` has waited for."""
        return memoryview(self._data)[self._at :]

    def ahead(self, count: int) -> Reading[int]:
        """Wait for ``count`` bytes without reading them, and say how many of them there are."""
        self.work(1)
        while (there := len(self._data) - self._at) < count:
            if self._ended:
                return there
            yield
        return count

    def peek(self, count: int) -> Reading[bytes]:
        """Return the next bytes without reading them, fewer than ``count`` at the end of the file."""
        there = yield from self.ahead(count)
        return self._data[self._at : self._at + there]

    def read(self, count: int) -> Reading[bytes]:
        """Return the next ``count`` bytes, which should be few."""
        there = yield from self.ahead(count)
        if there < count:
            raise self.cut()
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self, count: int, order: str) -> Reading[int]:
        """Read an unsigned number in ``order``, which is "big" or "little"."""
        found = yield from self.read(count)
        return int.from_bytes(found, "little" if order == "little" else "big")

    def skip(self, count: int, fold: Fold | None = None, value: int = 0) -> Reading[int]:
        """Read ``count`` bytes, however many. Return what ``fold`` makes of them, piece by piece."""
        self.work(1)
        while True:
            there = min(len(self._data) - self._at, count)
            if fold:
                value = fold(memoryview(self._data)[self._at : self._at + there], value)
            self._at += there
            count -= there
            if not count:
                return value
            if self._ended:
                raise self.cut()
            yield

    def skip_to_end(self) -> Reading[None]:
        """Read the rest of the file."""
        while (yield from self.ahead(1)):
            yield from self.skip(len(self.unread))

    def skip_padding(self) -> Reading[bool]:
        """Read zeros and white space, and say whether anything follows."""
        while (yield from self.ahead(1)):
            ahead = bytes(self.unread)
            content = ahead.lstrip(PADDING)
            self._at += len(ahead) - len(content)
            if content:
                return True
        return False

    def search(self, pattern: re.Pattern[bytes], longest: int) -> Reading[re.Match[bytes] | None]:
        """Read to the end of the next match, or of the file.

        The pattern must see no more than ``longest`` bytes from where it begins to match, its lookaheads
        included, and nothing before: then it makes no difference in which pieces the bytes arrive.
        """
        self.work(1)
        while True:
            found = pattern.search(self._data, self._at)
            certain = len(self._data) - longest
            if found and (self._ended or found.start() <= certain):
                self._at = found.end()
                return found
            if self._ended:
                self._at = len(self._data)
                return None
            self._at = max(self._at, certain + 1)
            yield

    def at(self, part: str, size: int | None = None) -> None:
        """Say where the reader is, to complete "The file ends after 812 bytes, …", and the part's size."""
        self._part, self._part_bytes = part, size

    def cut(self) -> DamagedFileError:
        """Say that the file ends too early. It has ended, and some of it may be unread."""
        expected = "" if self._part_bytes is None else f" that should have {self._part_bytes:,}"
        return DamagedFileError(
            f"ends after {self._before + len(self._data):,} bytes, {self._part}{expected}"
        )

    def work(self, steps: int) -> None:
        """Count what was done, and refuse a file that asks for too much of it."""
        self.steps += steps
        if self.steps > FREE_STEPS + self.position // BYTES_PER_STEP:
            raise DamagedFileError(f"has too many parts in its first {self.position:,} bytes")
