"""A proof that a leaf is in a log, which anybody can check offline (c2sp.org/tlog-proof)."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final

from functions.sealing.note import Checkpoint, parse_note
from functions.sealing.tree import HASH_BYTES, leaf_hash, verify_inclusion

FIRST_LINE: Final = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, kw_only=True)
class Proof:
    """A leaf's place in a log, and the way from there to the root of a checkpoint.

    ``leaf`` is the proof's extra data: whoever checks it needs the leaf, and gets it in the same file.
    ``checkpoint`` is a signed note. Whether its signature is right is for the reader to verify.
    """

    leaf: bytes
    index: int
    path: tuple[bytes, ...]
    checkpoint: str

    def __str__(self) -> str:
        lines = [FIRST_LINE, f"extra {_encoded(self.leaf)}", f"index {self.index}", *map(_encoded, self.path)]
        return "\n".join([*lines, "", self.checkpoint])

    @classmethod
    def parse(cls, text: str) -> Proof:
        """Read a proof, or raise a ValueError that says what is wrong. Nothing is verified."""
        head, blank, checkpoint = text.partition("\n\n")
        match = re.fullmatch(
            rf"{re.escape(FIRST_LINE)}\nextra (\S+)\nindex (0|[1-9][0-9]*)((?:\n\S+)*)", head, re.ASCII
        )
        if match is None or not blank:
            raise ValueError(f"not a proof of this kind: it should begin with {FIRST_LINE}, extra and index")
        try:
            leaf, *path = [base64.b64decode(each, validate=True) for each in (match[1], *match[3].split())]
        except binascii.Error:
            raise ValueError("not a proof: its hashes aren't base64") from None
        if any(len(each) != HASH_BYTES for each in path):
            raise ValueError("not a proof: a hash isn't 32 bytes long")
        return cls(leaf=leaf, index=int(match[2]), path=tuple(path), checkpoint=checkpoint)

    def leads_to_root(self) -> bool:
        """Say whether the leaf is in the tree of the checkpoint, whoever signed that."""
        try:
            checkpoint = Checkpoint.parse(parse_note(self.checkpoint).text)
        except ValueError:
            return False
        return verify_inclusion(
            leaf=leaf_hash(self.leaf),
            index=self.index,
            size=checkpoint.size,
            root=checkpoint.root,
            proof=self.path,
        )


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()
