"""Trees in memory, and the definition of RFC 6962 to compare with."""

from __future__ import annotations

from functions.sealing.tree import EMPTY_ROOT, HASH_BYTES, Edge, ReadTile, leaf_hash, node_hash


def leaves_of(size: int) -> list[bytes]:
    return [str(number).encode() for number in range(size)]


def defined_root(leaves: list[bytes]) -> bytes:
    """MTH as section 2.1 defines it."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(defined_root(leaves[:split]), defined_root(leaves[split:]))


class StoredTree:
    """A tree of these leaves, grown one batch after the other, with every tile that was ever written."""

    def __init__(self, *batches: list[bytes]) -> None:
        self.tiles: dict[tuple[int, int, int], bytes] = {}
        self.edge = Edge()
        for batch in batches:
            self.grow(batch)

    def grow(self, batch: list[bytes]) -> None:
        # As the sealer does: it knows no more of the tree than its tiles.
        self.edge = Edge(self.edge.size, self.read)
        for tile in (*self.edge.append(map(leaf_hash, batch)), *self.edge.partial_tiles()):
            self.tiles[tile.level, tile.index, tile.width] = tile.data

    @property
    def read(self) -> ReadTile:
        def read(level: int, index: int, width: int) -> bytes:
            data = self.tiles[level, index, width]
            assert len(data) == width * HASH_BYTES
            return data

        return read
