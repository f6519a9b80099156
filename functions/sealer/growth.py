"""How a log grows: from its right edge and new leaves to the tiles and bundles that change."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from functions.sealing.tiles import bundle_path, encode_bundle, tile_path
from functions.sealing.tree import TILE_WIDTH, leaf_hash, width_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.sealing.tree import Edge


@dataclass(frozen=True, kw_only=True)
class LogFile:
    """A tile or a bundle. One that is full never changes."""

    path: str
    data: bytes = field(repr=False)
    is_full: bool


def grow(edge: Edge, partial: Sequence[bytes], new: Sequence[bytes]) -> list[LogFile]:
    """Append leaves to the tree of an edge. Return every tile and bundle that differs from before.

    ``partial`` are the leaves of the last bundle, unless that is full.
    """
    before = edge.size
    tiles = [*edge.append(map(leaf_hash, new))]
    tiles += [
        tile
        for tile in edge.partial_tiles()
        if width_at(edge.size, tile.level) != width_at(before, tile.level)
    ]
    leaves, first = [*partial, *new], before // TILE_WIDTH
    bundles = [leaves[at : at + TILE_WIDTH] for at in range(0, len(leaves), TILE_WIDTH)] if new else []
    return [
        *(
            LogFile(
                path=bundle_path(first + number, len(bundle)),
                data=encode_bundle(bundle),
                is_full=len(bundle) == TILE_WIDTH,
            )
            for number, bundle in enumerate(bundles)
        ),
        *(
            LogFile(
                path=tile_path(tile.level, tile.index, tile.width),
                data=tile.data,
                is_full=tile.width == TILE_WIDTH,
            )
            for tile in tiles
        ),
    ]
