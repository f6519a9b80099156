"""The Merkle tree of RFC 6962, section 2.1 (the same as in RFC 9162): hashes, roots and proofs.

A tree is stored as tiles of 256 hashes (`functions.sealing.tiles`). A tile at level ``L`` has the hashes of
subtrees with ``256 ** L`` leaves. What this module reads of a tree comes through a function, `ReadTile`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 1 << TILE_HEIGHT
HASH_BYTES: Final = 32

EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
"""The root of a tree without leaves."""

ReadTile = Callable[[int, int, int], bytes]
"""Returns the hashes of the tile at a level, by its index and its width, one after the other."""


def leaf_hash(data: bytes) -> bytes:
    """Hash a leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash the parent of two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def split_hashes(tile: bytes) -> list[bytes]:
    """Return the hashes of a tile."""
    return [tile[at : at + HASH_BYTES] for at in range(0, len(tile), HASH_BYTES)]


def width_at(size: int, level: int) -> int:
    """Return how many hashes a tree of this size has at a level of tiles."""
    return size >> (TILE_HEIGHT * level)


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A tile of a tree: at a level, with an index among the level's tiles, and 1 to 256 hashes."""

    level: int
    index: int
    data: bytes = field(repr=False)

    @property
    def width(self) -> int:
        """How many hashes it has. A tile with 256 is full, and never changes."""
        return len(self.data) // HASH_BYTES


class Edge:
    """The right edge of a tree: its size, and the hashes of each level's last tile unless that is full.

    It is all that is needed to add leaves and to compute the root.
    """

    def __init__(self, size: int = 0, read_tile: ReadTile | None = None) -> None:
        """Begin with a tree of this size, of which ``read_tile`` returns the partial tiles."""
        self.size = size
        self._levels: list[list[bytes]] = []
        level = 0
        while read_tile is not None and (count := width_at(size, level)):
            index, width = divmod(count, TILE_WIDTH)
            self._levels.append(split_hashes(read_tile(level, index, width)) if width else [])
            level += 1

    def append(self, leaf_hashes: Iterable[bytes]) -> Iterator[Tile]:
        """Add leaves, and yield each tile that becomes full. Nothing is added unless all are taken."""
        for each in leaf_hashes:
            self.size += 1
            yield from self._add(0, each)

    def _add(self, level: int, added: bytes) -> Iterator[Tile]:
        if level == len(self._levels):
            self._levels.append([])
        hashes = self._levels[level]
        hashes.append(added)
        if len(hashes) == TILE_WIDTH:
            index = width_at(self.size, level) // TILE_WIDTH - 1
            yield Tile(level=level, index=index, data=b"".join(hashes))
            self._levels[level] = []
            yield from self._add(level + 1, perfect_root(hashes))

    def partial_tiles(self) -> list[Tile]:
        """Return the last tile of each level that isn't full."""
        return [
            Tile(level=level, index=width_at(self.size, level) // TILE_WIDTH, data=b"".join(hashes))
            for level, hashes in enumerate(self._levels)
            if hashes
        ]

    def root(self) -> bytes:
        """Return the root of the tree."""
        root: bytes | None = None
        for hashes in self._levels:
            rest = list(hashes)
            while rest:
                # The last perfect subtree in these hashes is as large as the lowest bit of their number.
                width = len(rest) & -len(rest)
                subtree = perfect_root(rest[-width:])
                root = subtree if root is None else node_hash(subtree, root)
                del rest[-width:]
        return EMPTY_ROOT if root is None else root


def perfect_root(hashes: Sequence[bytes]) -> bytes:
    """Return the root above 1, 2, 4, 8, … hashes."""
    level = list(hashes)
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=True)
        level = [hashlib.sha256(b"\x01" + left + right).digest() for left, right in pairs]
    return level[0]


class Tree:
    """A stored tree of some size, for proofs about it. It keeps the tiles that it has read."""

    def __init__(self, size: int, read_tile: ReadTile) -> None:
        self.size = size
        self._read_tile = read_tile
        self._tiles: dict[tuple[int, int], list[bytes]] = {}

    def root(self, size: int | None = None) -> bytes:
        """Return the root, or the root that the tree had when it was smaller."""
        size = self.size if size is None else size
        return self._hash(0, size) if size else EMPTY_ROOT

    def inclusion_proof(self, index: int) -> list[bytes]:
        """Return the audit path of a leaf (RFC 6962, section 2.1.1), from its sibling to the root's child."""
        if not 0 <= index < self.size:
            raise ValueError(f"leaf {index} is not in a tree of {self.size}")
        path: list[bytes] = []
        start, end = 0, self.size
        while end - start > 1:
            middle = start + _split(end - start)
            if index < middle:
                path.append(self._hash(middle, end))
                end = middle
            else:
                path.append(self._hash(start, middle))
                start = middle
        return path[::-1]

    def consistency_proof(self, old_size: int) -> list[bytes]:
        """Return the proof that the tree begins with what it had at ``old_size`` (RFC 6962, 2.1.2)."""
        if not 0 <= old_size <= self.size:
            raise ValueError(f"a tree of {self.size} never had {old_size} leaves after that")
        if old_size in (0, self.size):
            return []
        path: list[bytes] = []
        start, end, is_old_root = 0, self.size, True
        while old_size != end:
            middle = start + _split(end - start)
            if old_size <= middle:
                path.append(self._hash(middle, end))
                end = middle
            else:
                path.append(self._hash(start, middle))
                start, is_old_root = middle, False
        return [*([] if is_old_root else [self._hash(start, end)]), *path[::-1]]

    def _hash(self, start: int, end: int) -> bytes:
        """Return the hash of the leaves from ``start`` to before ``end``, as a tree of their own."""
        width = end - start
        if width & (width - 1) == 0:
            return self._perfect(start, width)
        middle = start + _split(width)
        return node_hash(self._hash(start, middle), self._hash(middle, end))

    def _perfect(self, start: int, width: int) -> bytes:
        level = (width.bit_length() - 1) // TILE_HEIGHT
        unit = TILE_HEIGHT * level
        index, offset = divmod(start >> unit, TILE_WIDTH)
        return perfect_root(self._tile(level, index)[offset : offset + (width >> unit)])

    def _tile(self, level: int, index: int) -> list[bytes]:
        if (level, index) not in self._tiles:
            width = min(TILE_WIDTH, width_at(self.size, level) - index * TILE_WIDTH)
            self._tiles[level, index] = split_hashes(self._read_tile(level, index, width))
        return self._tiles[level, index]


def verify_inclusion(*, leaf: bytes, index: int, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """Say whether a proof shows that a leaf with this hash is in the tree (RFC 9162, section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    first, last, computed = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if first & 1 or first == last:
            computed = node_hash(sibling, computed)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            computed = node_hash(computed, sibling)
        first, last = first >> 1, last >> 1
    return last == 0 and computed == root


def verify_consistency(
    *, old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]
) -> bool:
    """Say whether a proof shows that the tree begins with the old one (RFC 9162, section 2.1.4.2)."""
    if old_size == size:
        return old_root == root and not proof
    if not 0 <= old_size < size:
        return False
    if old_size == 0:
        return old_root == EMPTY_ROOT and not proof
    path = [*([old_root] if old_size & (old_size - 1) == 0 else []), *proof]
    if not path:
        return False
    first, last = old_size - 1, size - 1
    while first & 1:
        first, last = first >> 1, last >> 1
    old_computed = computed = path[0]
    for each in path[1:]:
        if last == 0:
            return False
        if first & 1 or first == last:
            old_computed, computed = node_hash(each, old_computed), node_hash(each, computed)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            computed = node_hash(computed, each)
        first, last = first >> 1, last >> 1
    return last == 0 and old_computed == old_root and computed == root


def _split(width: int) -> int:
    """Return the largest power of two below ``width``, which is how many leaves are on the left."""
    return 1 << ((width - 1).bit_length() - 1)
