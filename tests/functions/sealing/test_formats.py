from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from functions.contract.entry import Caller, ContentFinding, Entry, Outcome, Reason, Uploader, format_time
from functions.contract.entry_json import entry_to_json
from functions.sealing.leaf import Leaf, leaf_of, record_of, record_sha256
from functions.sealing.note import Checkpoint, VerifierKey, parse_note, sign
from functions.sealing.proof import Proof
from functions.sealing.tiles import LOG_PATH, bundle_path, decode_bundle, encode_bundle, tile_path
from functions.sealing.tree import Tree
from tests.functions.examples import MODIFIED, entry
from tests.functions.sealing.trees import StoredTree

SALT = "0f" * 16
RECEIPT = replace(entry("Bäckerei \U0001f600\u2028.png", MODIFIED), salt=SALT)
SEALED_AT = MODIFIED + timedelta(minutes=1)

GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBw"
    "JnAM=\n"
)
"""The example in the documentation of golang.org/x/mod/sumdb/note."""


@pytest.mark.parametrize(
    ("index", "width", "path"),
    [
        (0, 256, "000"),
        (999, 256, "999"),
        (1_000, 256, "x001/000"),
        (1_234_067, 256, "x001/x234/067"),
        (5, 1, "005.p/1"),
        (1_234_067, 255, "x001/x234/067.p/255"),
    ],
)
def test_paths_are_those_of_the_specification(index: int, width: int, path: str) -> None:
    assert tile_path(1, index, width) == f"tile/1/{path}"
    assert bundle_path(index, width) == f"tile/entries/{path}"
    assert LOG_PATH.fullmatch(tile_path(63, index, width))
    assert LOG_PATH.fullmatch(bundle_path(index, width))


@pytest.mark.parametrize(
    "path",
    [
        *("", "/checkpoint", "checkpoint/", "checkpoints/1", "staging/1-00", "tile/0/../../staging/1"),
        *(
            "tile/64/000",
            "tile/00/000",
            "tile/0/1",
            "tile/0/0000",
            "tile/0/000.p/0",
            "tile/0/000.p/",
            "tile/0/x000",
        ),
        *("tile/0/000\n", "tile/entries/\u0660\u0660\u0660", "tile/0/001/000"),
    ],
)
def test_no_other_path_is_one_of_a_log(path: str) -> None:
    assert not LOG_PATH.fullmatch(path)


@given(st.lists(st.binary(max_size=70), max_size=5))
def test_a_bundle_gives_its_leaves_back_and_no_part_of_it_does(leaves: list[bytes]) -> None:
    bundle = encode_bundle(leaves)

    assert decode_bundle(bundle) == leaves
    if leaves:
        with pytest.raises(ValueError, match=f"ends inside of leaf {len(leaves) - 1}"):
            decode_bundle(bundle[:-1])


def test_a_note_of_go_is_read_and_its_signature_is_by_its_key() -> None:
    key, note = VerifierKey.parse(GO_KEY), parse_note(GO_NOTE)

    assert str(key) == GO_KEY
    (signature,) = note.signed_by(key)
    Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature, note.text.encode())


def test_what_is_signed_here_is_what_is_read() -> None:
    private = Ed25519PrivateKey.generate()
    der = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    key = VerifierKey.of_spki("log.example/a", der)
    checkpoint = Checkpoint(origin="log.example/a", size=7, root=hashlib.sha256(b"").digest())

    note = parse_note(sign(checkpoint.text, key, private.sign))

    assert Checkpoint.parse(note.text) == checkpoint
    (signature,) = note.signed_by(VerifierKey.parse(str(key)))
    private.public_key().verify(signature, note.text.encode())
    assert note.signed_by(VerifierKey.parse(GO_KEY)) == []


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "name",
        GO_KEY.replace("c74f20a3", "c74f20a4"),
        GO_KEY.replace("PeterNeumann", "Peter Neumann"),
        GO_KEY.replace("ARpc", "AQpc"),
        GO_KEY[:-4],
        "PeterNeumann+c74f20a3+????",
    ],
)
def test_what_is_no_verifier_key_is_refused(vkey: str) -> None:
    with pytest.raises(ValueError, match=r"verifier key|base64"):
        VerifierKey.parse(vkey)


@pytest.mark.parametrize(
    "note",
    [
        "",
        "text\n",
        "text\n\n",
        "text\n\nname sig\n",
        "text\n\n— name ????\n",
        GO_NOTE[:-1],
        "a\n\n— n AAAA\n",
    ],
)
def test_what_is_no_note_is_refused(note: str) -> None:
    with pytest.raises(ValueError, match=r"signed note|base64"):
        parse_note(note)


ROOT = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    "text",
    ["", "a\n1\n", f"a\n01\n{ROOT}\n", f"a\n-1\n{ROOT}\n", f"\n1\n{ROOT}\n", "a\n1\nAAAA\n", f"a\n1\n{ROOT}"],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a checkpoint"):
        Checkpoint.parse(text)


def test_lines_after_the_root_are_ignored() -> None:
    assert Checkpoint.parse(f"a\n1\n{ROOT}\nmore\n").size == 1


def test_a_leaf_is_canonical_and_reads_back() -> None:
    leaf = leaf_of(RECEIPT, SEALED_AT)
    data = leaf.encode()

    assert json.loads(data) == {
        "v": 1,
        "kind": "entry",
        "object_id": RECEIPT.upload.version.object_id,
        "fingerprint": RECEIPT.fingerprint,
        "recorded_at": format_time(RECEIPT.recorded_at),
        "sealed_at": format_time(SEALED_AT),
        "record_sha256": record_sha256(record_of(entry_to_json(RECEIPT))),
    }
    assert [*json.loads(data)] == sorted(json.loads(data))
    assert Leaf.parse(data) == leaf


@pytest.mark.parametrize(
    "changes",
    [
        {"v": 2},
        {"kind": "other"},
        {"object_id": "x"},
        {"fingerprint": "A" * 64},
        {"recorded_at": "2026-11-20"},
        {"sealed_at": None},
        {"more": 1},
    ],
)
def test_what_is_no_leaf_is_refused(changes: dict[str, object]) -> None:
    members = json.loads(leaf_of(RECEIPT, SEALED_AT).encode()) | changes

    with pytest.raises(ValueError):  # noqa: PT011 - many messages
        Leaf.parse(json.dumps(members, sort_keys=True, separators=(",", ":")).encode())
    with pytest.raises(ValueError):  # noqa: PT011
        Leaf.parse(b"[]")


def test_the_record_has_all_that_the_entry_says_and_nothing_absent() -> None:
    record = json.loads(record_of(entry_to_json(RECEIPT)))

    assert record["salt"] == SALT
    assert record["key"] == RECEIPT.upload.version.key
    assert record["size_bytes"] == 1024
    assert not {"findings", "resent", "detail"} & record.keys()
    assert record_of({"size_bytes": 0, "a": {"b": None}}) == b'{"size_bytes":0}'


@pytest.mark.parametrize(
    "changed",
    [
        replace(RECEIPT, outcome=Outcome.REJECTED, reason=Reason.DAMAGED),
        replace(RECEIPT, recorded_at=RECEIPT.recorded_at + timedelta(microseconds=1)),
        replace(RECEIPT, fingerprint="0" * 64),
        replace(RECEIPT, size_bytes=0),
        replace(RECEIPT, size_bytes=None),
        replace(RECEIPT, media_type="image/gif"),
        replace(RECEIPT, findings=(ContentFinding.ENCRYPTED,)),
        replace(RECEIPT, restores=True, duplicate_of=RECEIPT.upload.version),
        replace(RECEIPT, salt="00" * 16),
        replace(RECEIPT, salt=None),
        replace(RECEIPT, upload=replace(RECEIPT.upload, resent=True)),
        replace(RECEIPT, upload=replace(RECEIPT.upload, uploader=Uploader(principal="x", source_ip=None))),
        replace(
            RECEIPT,
            upload=replace(
                RECEIPT.upload,
                uploader=replace(RECEIPT.upload.uploader, caller=Caller(issuer="i", subject="s")),
            ),
        ),
        replace(RECEIPT, upload=replace(RECEIPT.upload, uploaded_at=SEALED_AT)),
    ],
)
def test_every_change_of_an_entry_changes_what_is_sealed(changed: Entry) -> None:
    assert leaf_of(changed, SEALED_AT).record_sha256 != leaf_of(RECEIPT, SEALED_AT).record_sha256


def test_a_proof_holds_and_none_of_its_parts_can_be_another() -> None:
    leaves = [leaf_of(RECEIPT, SEALED_AT).encode(), *(str(n).encode() for n in range(299))]
    tree = Tree(300, StoredTree(leaves).read)
    checkpoint = sign(
        Checkpoint(origin="log", size=300, root=tree.root()).text,
        VerifierKey.parse(GO_KEY),
        lambda _: bytes(64),
    )
    proof = Proof(leaf=leaves[0], index=0, path=tuple(tree.inclusion_proof(0)), checkpoint=checkpoint)

    assert Proof.parse(str(proof)) == proof
    assert proof.leads_to_root()
    assert not replace(proof, index=1).leads_to_root()
    assert not replace(proof, leaf=leaves[1]).leads_to_root()
    assert not replace(proof, path=proof.path[1:]).leads_to_root()
    assert not replace(proof, checkpoint=checkpoint.replace("300", "200", 1)).leads_to_root()
    assert not replace(proof, checkpoint="").leads_to_root()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "c2sp.org/tlog-proof@v2\nextra AA==\nindex 0\n\nx",
        "c2sp.org/tlog-proof@v1\nindex 0\n\nx",
        "c2sp.org/tlog-proof@v1\nextra AA==\nindex 01\n\nx",
        "c2sp.org/tlog-proof@v1\nextra AA==\nindex 0\nAAAA\n\nx",
        "c2sp.org/tlog-proof@v1\nextra ????\nindex 0\n\nx",
        "c2sp.org/tlog-proof@v1\nextra AA==\nindex 0",
    ],
)
def test_what_is_no_proof_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a proof"):
        Proof.parse(text)
