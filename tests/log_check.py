"""Checks a whole log as an auditor would: signature, root, every tile, and every earlier checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from functions.contract.sealing import CHECKPOINT, CHECKPOINT_FOLDER
from functions.sealing.leaf import Leaf
from functions.sealing.note import Checkpoint, VerifierKey, parse_note
from functions.sealing.tiles import bundle_path, decode_bundle, tile_path
from functions.sealing.tree import TILE_WIDTH, Edge, leaf_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def checked_leaves(read: Callable[[str], bytes], keys: Iterable[str], key: VerifierKey) -> list[Leaf]:
    """Return the leaves of a log, of which ``read`` returns the objects, once everything adds up."""
    checkpoint = _checked(read(CHECKPOINT), key)
    data = [leaf for path in _bundles(checkpoint.size) for leaf in decode_bundle(read(path))]
    assert len(data) == checkpoint.size
    hashes = [leaf_hash(leaf) for leaf in data]
    assert _root_of(hashes) == checkpoint.root
    level, row = 0, hashes
    while row:
        tiles = [row[at : at + TILE_WIDTH] for at in range(0, len(row), TILE_WIDTH)]
        for index, tile in enumerate(tiles):
            assert read(tile_path(level, index, len(tile))) == b"".join(tile)
        level, row = level + 1, [_root_of(tile) for tile in tiles if len(tile) == TILE_WIDTH]
    for path in keys:
        if path.startswith(CHECKPOINT_FOLDER):
            earlier = _checked(read(path), key)
            assert path == f"{CHECKPOINT_FOLDER}{earlier.size}"
            # The history is written first, so a sealer that was stopped may have left a newer one.
            assert earlier.size > checkpoint.size or earlier.root == _root_of(hashes[: earlier.size])
    leaves = [Leaf.parse(leaf) for leaf in data]
    assert sorted(leaf.sealed_at for leaf in leaves) == [leaf.sealed_at for leaf in leaves]
    assert all(leaf.sealed_at > leaf.recorded_at for leaf in leaves)
    return leaves


def _checked(data: bytes, key: VerifierKey) -> Checkpoint:
    note = parse_note(data.decode())
    (signature,) = note.signed_by(key)
    Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature, note.text.encode())
    checkpoint = Checkpoint.parse(note.text)
    assert checkpoint.origin == key.name
    return checkpoint


def _bundles(size: int) -> list[str]:
    return [bundle_path(at // TILE_WIDTH, min(TILE_WIDTH, size - at)) for at in range(0, size, TILE_WIDTH)]


def _root_of(hashes: list[bytes]) -> bytes:
    edge = Edge()
    for _ in edge.append(hashes):
        pass
    return edge.root()
