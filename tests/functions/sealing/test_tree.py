from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.sealing.tree import (
    EMPTY_ROOT,
    Edge,
    Tree,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from tests.functions.sealing.trees import StoredTree, defined_root, leaves_of

CT_LEAVES = [
    bytes.fromhex(text)
    for text in (
        *("", "00", "10", "2021", "3031", "40414243"),
        *("5051525354555657", "606162636465666768696a6b6c6d6e6f"),
    )
]
CT_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
"""The leaves and roots with which implementations of Certificate Transparency test themselves."""

SIZES = (1, 2, 3, 7, 8, 255, 256, 257, 511, 512, 513, 700)
LEAVES = leaves_of(700)


@pytest.fixture(scope="module")
def large() -> StoredTree:
    """A tree with tiles on three levels."""
    return StoredTree(leaves_of(65_536), leaves_of(300))


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    edge = Edge()
    assert [*edge.append(map(leaf_hash, CT_LEAVES[:size]))] == []

    assert edge.root().hex() == CT_ROOTS[size]


@given(st.lists(st.integers(0, 600), max_size=4))
def test_root_is_the_same_however_the_tree_grew(batches: list[int]) -> None:
    grown = StoredTree(*(LEAVES[:size] for size in batches))
    leaves = [leaf for size in batches for leaf in LEAVES[:size]]

    assert grown.edge.size == len(leaves)
    assert grown.edge.root() == defined_root(leaves)
    assert Tree(len(leaves), grown.read).root() == defined_root(leaves)


def test_tiles_of_a_tree_of_70000_are_those_of_the_specification() -> None:
    stored = StoredTree(leaves_of(70_000))

    full = [(level, index) for level, index, width in stored.tiles if width == 256]
    partial = {(level, width) for level, _, width in stored.tiles if width < 256}
    assert sorted(full) == [*((0, index) for index in range(273)), (1, 0)]
    assert partial == {(0, 112), (1, 17), (2, 1)}


@pytest.mark.parametrize("size", SIZES)
def test_every_leaf_is_proven_to_be_in_its_place_and_in_no_other(size: int) -> None:
    tree = Tree(size, StoredTree(LEAVES[:size]).read)
    root = defined_root(LEAVES[:size])

    for index in range(size):
        proof = tree.inclusion_proof(index)
        leaf = leaf_hash(LEAVES[index])
        assert verify_inclusion(leaf=leaf, index=index, size=size, root=root, proof=proof), index
        for other in {(index + 1) % size, index ^ 1, size - 1 - index, size} - {index}:
            assert not verify_inclusion(leaf=leaf, index=other, size=size, root=root, proof=proof), index
        assert not verify_inclusion(leaf=leaf_hash(b"x"), index=index, size=size, root=root, proof=proof)
        for wrong in ([*proof, root], proof[:-1] if proof else [root], [root, *proof]):
            assert not verify_inclusion(leaf=leaf, index=index, size=size, root=root, proof=wrong)


@pytest.mark.parametrize("size", SIZES)
def test_tree_is_proven_to_begin_with_each_smaller_one_and_with_nothing_else(size: int) -> None:
    tree = Tree(size, StoredTree(LEAVES[:size]).read)
    root = defined_root(LEAVES[:size])

    for old in range(size + 1):
        proof = tree.consistency_proof(old)
        old_root = tree.root(old)

        def holds(proof: list[bytes], old: int = old, old_root: bytes = old_root, root: bytes = root) -> bool:
            return verify_consistency(old_size=old, old_root=old_root, size=size, root=root, proof=proof)

        assert old_root == defined_root(LEAVES[:old])
        assert holds(proof)
        assert not holds(proof, old_root=bytes(32))
        assert not holds([*proof, root])
        if 0 < old < size:
            assert not holds(proof, root=bytes(32))
            assert not holds(proof[:-1])
            assert not holds(proof, old=old + 1)


@given(data=st.data())
def test_proofs_of_a_tree_with_three_levels_hold(large: StoredTree, data: st.DataObject) -> None:
    size = large.edge.size
    tree, root = Tree(size, large.read), large.edge.root()
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.sampled_from([1, 255, 256, 257, 65_535, 65_536, 65_537]) | st.integers(0, size))

    leaf = leaf_hash(str(index % 65_536).encode())
    assert verify_inclusion(leaf=leaf, index=index, size=size, root=root, proof=tree.inclusion_proof(index))
    assert verify_consistency(
        old_size=old, old_root=tree.root(old), size=size, root=root, proof=tree.consistency_proof(old)
    )


def test_what_a_tree_does_not_have_is_refused() -> None:
    tree = Tree(3, StoredTree(LEAVES[:3]).read)

    for index in (-1, 3):
        with pytest.raises(ValueError, match=f"leaf {index} is not in a tree of 3"):
            tree.inclusion_proof(index)
    with pytest.raises(ValueError, match="never had 4 leaves"):
        tree.consistency_proof(4)
    assert Tree(0, StoredTree().read).root() == EMPTY_ROOT
    assert not verify_consistency(old_size=4, old_root=b"", size=3, root=b"", proof=[])
    assert not verify_consistency(old_size=0, old_root=bytes(32), size=3, root=b"", proof=[])
