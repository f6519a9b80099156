"""How a tree grows: from its right edge and new leaves to the tiles and bundles that change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.sealing.tiles import WIDTH, bundle_path, encode_bundle, tile_path
from functions.sealing.tree import EMPTY_ROOT, leaf_hash, root_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True, kw_only=True)
class Edge:
    """The right edge of a tree: the leaves of its partial bundle, and the hashes of its partial tiles.

    There are tiles for each level that has any, the lowest first. A level whose tiles are full has no hashes.
    """

    size: int
    leaves: Sequence[bytes]
    rows: Sequence[Sequence[bytes]]

    @property
    def root(self) -> bytes:
        """The root of the tree."""
        below: list[bytes] = []
        for row in self.rows:
            hashes = [*row, *below]
            below = [root_of(hashes)] if hashes else []
        return below[0] if below else EMPTY_ROOT


@dataclass(frozen=True, kw_only=True)
class LogFile:
    """A tile or a bundle. One that is full never changes."""

    path: str
    data: bytes
    is_full: bool


def levels(size: int) -> Iterator[tuple[int, int]]:
    """Yield the levels of a tree, and how many hashes each has in all its tiles."""
    level = 0
    while size:
        yield level, size
        level, size = level + 1, size // WIDTH


def grow(edge: Edge, new: Sequence[bytes]) -> tuple[Edge, list[LogFile]]:
    """Append leaves. Return the new edge, and every tile and bundle that differs from before."""
    first = edge.size // WIDTH
    bundles = [*_parts([*edge.leaves, *new])]
    files = [
        LogFile(
            path=bundle_path(first + number, len(leaves)),
            data=encode_bundle(leaves),
            is_full=len(leaves) == WIDTH,
        )
        for number, leaves in enumerate(bundles)
    ]
    rows: list[list[bytes]] = []
    hashes = [leaf_hash(leaf) for leaf in new]
    for level, total in levels(edge.size + len(new)):
        before = edge.rows[level] if level < len(edge.rows) else []
        tiles = [*_parts([*before, *hashes])]
        first = (total - len(hashes)) // WIDTH
        if hashes:
            files += [
                LogFile(
                    path=tile_path(level, first + number, len(tile)),
                    data=b"".join(tile),
                    is_full=len(tile) == WIDTH,
                )
                for number, tile in enumerate(tiles)
            ]
        full = [tile for tile in tiles if len(tile) == WIDTH]
        rows.append(tiles[-1] if tiles and len(tiles[-1]) < WIDTH else [])
        hashes = [root_of(tile) for tile in full]
    partial = bundles[-1] if bundles and len(bundles[-1]) < WIDTH else []
    return Edge(size=edge.size + len(new), leaves=partial, rows=rows), files


def _parts(hashes: list[bytes]) -> Iterator[list[bytes]]:
    return (hashes[at : at + WIDTH] for at in range(0, len(hashes), WIDTH))
