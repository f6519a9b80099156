"""Where a log's tiles and entry bundles are, and how bundles are written (c2sp.org/tlog-tiles)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from functions.contract.sealing import CHECKPOINT
from functions.sealing.tree import TILE_WIDTH

if TYPE_CHECKING:
    from collections.abc import Iterable

_LENGTH_BYTES: Final = 2
MAX_LEAF_BYTES: Final = (1 << 8 * _LENGTH_BYTES) - 1
"""The longest leaf that a bundle can hold."""

_INDEX = r"(?:x[0-9]{3}/)*[0-9]{3}(?:\.p/[1-9][0-9]{0,2})?"
LOG_PATH: Final = re.compile(rf"{CHECKPOINT}|tile/(?:[0-9]|[1-5][0-9]|6[0-3]|entries)/{_INDEX}", re.ASCII)
"""The paths of a log that readers may ask for, and a few that no log has, such as one with a width of 999."""


def tile_path(level: int, index: int, width: int = TILE_WIDTH) -> str:
    """Return the path of a tile, below the log's prefix."""
    return f"tile/{level}/{_index_path(index, width)}"


def bundle_path(index: int, width: int = TILE_WIDTH) -> str:
    """Return the path of the bundle that has the leaves of a tile at level 0."""
    return f"tile/entries/{_index_path(index, width)}"


def _index_path(index: int, width: int) -> str:
    groups = [f"{index % 1000:03}"]
    while index := index // 1000:
        groups.insert(0, f"x{index % 1000:03}")
    return "/".join(groups) + (f".p/{width}" if width < TILE_WIDTH else "")


def encode_bundle(leaves: Iterable[bytes]) -> bytes:
    """Write leaves one after the other, each after its length in two bytes."""
    return b"".join(len(leaf).to_bytes(_LENGTH_BYTES, "big") + leaf for leaf in leaves)


def decode_bundle(data: bytes) -> list[bytes]:
    """Read the leaves of a bundle, or raise a ValueError that says where it ends too early."""
    leaves: list[bytes] = []
    at, size = 0, len(data)
    while at < size:
        start = at + _LENGTH_BYTES
        at = start + (data[at] << 8 | data[at + 1]) if start <= size else size + 1
        if at > size:
            raise ValueError(f"a bundle of {size} bytes ends inside of leaf {len(leaves)}")
        leaves.append(data[start:at])
    return leaves
