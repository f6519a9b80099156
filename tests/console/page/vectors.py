"""What the page's modules are tested against: entries, proofs and words, as Python makes them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cli.screen.entries import entry_row, uploader_of
from cli.screen.terminal import size_text
from functions.contract.entry import (
    Caller,
    ContentFinding,
    Entry,
    Outcome,
    Reason,
    Uploader,
    Via,
    format_time,
)
from functions.contract.entry_json import entry_to_json
from functions.sealing.leaf import Leaf, leaf_of, record_of
from functions.sealing.note import Checkpoint, VerifierKey, sign
from functions.sealing.proof import Proof
from functions.sealing.tree import Tree
from tests.cli.auditor.packages import BIRTH, KEY, ORIGIN, SIGNER, entries_of
from tests.functions.examples import entry as example
from tests.functions.sealing.trees import StoredTree

if TYPE_CHECKING:
    from cli.answers import ApiEntry

SIZES = (1, 2, 3, 7, 8, 13, 257)
OTHER_SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
HARD_KEYS = ("\U0001f600 \ue000 é.png", "a\u2028b\x7f\x1f", 'quote " \\ /', "Z a ä", "__proto__")


def vectors() -> dict[str, Any]:
    """Everything, as JSON."""
    entries = [*entries_of(max(SIZES)), *_odd_entries()]
    return {
        "key": str(KEY),
        "other_key": str(_key_of(ORIGIN, OTHER_SIGNER)),
        "proved": [
            _proved(entries, size, index) for size in SIZES for index in sorted({0, size // 2, size - 1})
        ],
        "records": [
            {
                "entry": made,
                "record": record_of(made).decode(),
                "object_id": entry.upload.version.object_id,
                "uploader": uploader_of(cast("ApiEntry", made)),
                "short_uploader": entry_row(cast("ApiEntry", made), full_fingerprint=True)["UPLOADER"],
            }
            for entry in entries
            for made in [entry_to_json(entry)]
        ],
        "outcomes": [*Outcome],
        "reasons": [*Reason],
        "findings": [*ContentFinding],
        "via": [*Via],
        "sizes": [
            [size, size_text(size)]
            for size in (0, 1, 999, 1000, 1500, 999_949, 999_950, 20_000_000, 5 * 10**12)
        ],
    }


def _proved(entries: list[Entry], size: int, index: int) -> dict[str, Any]:
    """An entry of a log of this size, with its proof, and ones that other keys have signed."""
    leaves = [leaf_of(entry, BIRTH).encode() for entry in entries[:size]]
    tree = StoredTree(leaves)
    checkpoint = Checkpoint(origin=ORIGIN, size=size, root=tree.edge.root())
    path = tuple(Tree(size, tree.read).inclusion_proof(index))

    def proof(origin: str, signer: Ed25519PrivateKey, name: str | None = None) -> str:
        text = Checkpoint(origin=origin, size=size, root=checkpoint.root).text
        note = sign(text, _key_of(name or origin, signer), signer.sign)
        return str(Proof(leaf=leaves[index], index=index, path=path, checkpoint=note))

    return {
        "size": size,
        "index": index,
        "entry": entry_to_json(entries[index]),
        "sealed_at": format_time(Leaf.parse(leaves[index]).sealed_at),
        "proof": proof(ORIGIN, SIGNER),
        "by_other_key": proof(ORIGIN, OTHER_SIGNER),
        "of_other_log": proof("log.example/other", SIGNER),
        "of_other_origin": proof("log.example/other", SIGNER, ORIGIN),
    }


def _key_of(name: str, signer: Ed25519PrivateKey) -> VerifierKey:
    return VerifierKey(name=name, public_key=signer.public_key().public_bytes_raw())


def _odd_entries() -> list[Entry]:
    """Entries whose keys sort or are written in unusual ways, and ones that name other kinds of uploaders."""
    by = [
        Uploader(principal=None, source_ip=None),
        Uploader(principal="AWS:AROAEXAMPLE:erika", source_ip="192.0.2.7", via=Via.COPY),
        Uploader(principal="arn:aws:sts::123456789012:assumed-role/Clerk/erika", source_ip=None),
        Uploader(principal="s3.amazonaws.com", source_ip="192.0.2.7", via=Via.MULTIPART),
        *(
            Uploader(principal="AWS:AROAFORMS:forms", source_ip="192.0.2.7", via=Via.FORM, caller=caller)
            for caller in (
                Caller(principal="arn:aws:iam::123456789012:user/team/erika"),
                Caller(issuer="https://login.example", subject="erika@example.com"),
            )
        ),
    ]
    made = [example(key, BIRTH, salt=f"{number:032x}") for number, key in enumerate(HARD_KEYS)]
    first = made[0]
    return [
        *made,
        *(replace(first, upload=replace(first.upload, uploader=uploader)) for uploader in by),
        replace(first, upload=replace(first.upload, resent=True), salt=None),
    ]
