"""Which entries the log holds already. An entry is known by its key in the time index."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from functions.sealer.log_bucket import LogIntegrityError
from functions.sealing.tree import TILE_WIDTH

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from functions.sealer.log_bucket import LogBucket


def key_of(leaf: bytes) -> str:
    """Return the key in the time index of the entry that a leaf seals (`schema.recorded_key`)."""
    return "#".join(_members(leaf, "recorded_at", "object_id"))


class SealedKeys:
    """Looks entries up in the bundles of the log.

    Leaves are in the order of ``sealed_at``, and nothing is sealed before it is recorded. So what was
    recorded since some time is in the bundles from the one on that was sealed then.
    """

    def __init__(self, log: LogBucket) -> None:
        self._log = log
        self._size = 0
        self._since = ""
        self._keys: set[str] | None = None

    def recorded_since(self, since: str, size: int) -> set[str]:
        """Return the keys in a tree of this size that were recorded since some time.

        They are kept for the next call, which usually only has to read what was sealed in between.
        """
        if self._keys is None or size < self._size or since < self._since:
            self._keys, self._size = set(), self._first_bundle(since, size) * TILE_WIDTH
        else:
            self._keys = {key for key in self._keys if key >= since}
        self._since = since
        self.add(self._sealed(self._size, size), size)
        return self._keys

    def add(self, keys: Iterable[str], size: int) -> None:
        """Add the keys that a tree of this size has more than the one before."""
        if self._keys is not None:
            self._keys.update(key for key in keys if key >= self._since)
            self._size = size

    def without_sealed(self, keys: Iterable[str], since: str, size: int) -> set[str]:
        """Return those keys, recorded since some time, that a tree of this size doesn't hold."""
        left = set(keys)
        if left:
            for key in self._sealed(self._first_bundle(since, size) * TILE_WIDTH, size):
                left.discard(key)
                if not left:
                    break
        return left

    def _sealed(self, start: int, size: int) -> Iterator[str]:
        if start >= size:
            return
        for number, leaves in self._log.bundles(start // TILE_WIDTH, size):
            for leaf in leaves[max(0, start - number * TILE_WIDTH) :]:
                yield key_of(leaf)

    def _first_bundle(self, since: str, size: int) -> int:
        """Return the last bundle that begins before some time, or the first one of all."""
        low, high = 0, -(-size // TILE_WIDTH)
        step = 1
        # Most of what is looked for was sealed a short while ago.
        while high - step > low:
            if self._begins_before(since, high - step, size):
                low = high - step
                break
            high -= step
            step *= 2
        while high - low > 1:
            middle = (low + high) // 2
            if self._begins_before(since, middle, size):
                low = middle
            else:
                high = middle
        return low

    def _begins_before(self, since: str, number: int, size: int) -> bool:
        (sealed_at,) = _members(self._log.bundle(number, size)[0], "sealed_at")
        return sealed_at < since


def _members(leaf: bytes, *names: str) -> list[str]:
    """Read single members of a leaf, which takes a tenth of the time of `Leaf.parse`."""
    try:
        found = json.loads(leaf)
        return [found[name] for name in names]
    except (KeyError, TypeError, ValueError) as error:
        raise LogIntegrityError("the log has something that isn't a leaf") from error
