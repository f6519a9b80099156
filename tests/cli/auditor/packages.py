"""Packages as `bill-e export` writes them, with a log that a key of the tests signs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cli.auditor import package as layout
from cli.auditor.package import Manifest, write_entries, write_sums
from functions.contract.entry import ContentFinding, Entry, Outcome, format_time
from functions.contract.entry_json import entry_to_json
from functions.sealing.leaf import Kind, Leaf, leaf_of
from functions.sealing.note import Checkpoint, VerifierKey, sign
from functions.sealing.proof import Proof
from functions.sealing.tiles import bundle_path, encode_bundle, tile_path
from functions.sealing.tree import TILE_WIDTH, Edge, Tree, leaf_hash
from local.in_process.events import BUCKET
from tests.functions.examples import entry

ORIGIN = "log.example/bill-e"
BIRTH = datetime(2026, 11, 22, 10, tzinfo=UTC)
SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = VerifierKey(name=ORIGIN, public_key=SIGNER.public_key().public_bytes_raw())
SPECIAL_KEYS = ("=1+1", "'quoted", '"a"\r\n"b",c\n', "-\u2028\U0001f600", "\n@x", "tab\t,")


def content(number: int) -> bytes:
    return f"receipt {number}".encode()


def entries_of(count: int, first: int = 0) -> list[Entry]:
    """Entries recorded one second after the other. The first have keys that are hard to write as CSV."""
    made = []
    for number in range(first, first + count):
        key = SPECIAL_KEYS[number] if number < len(SPECIAL_KEYS) else f"scan {number}.png"
        outcome = [*Outcome][number % 3]
        made.append(
            entry(
                key,
                BIRTH + timedelta(seconds=number),
                outcome,
                fingerprint=hashlib.sha256(content(number)).hexdigest(),
                salt=f"{number:032x}",
                detail="'s end is missing" if outcome is Outcome.REJECTED else None,
                findings=(ContentFinding.ENCRYPTED, ContentFinding.TRAILING_DATA) if number % 2 else (),
                restores=outcome is Outcome.DUPLICATE and number % 2 == 0,
                size_bytes=None if number % 5 == 4 else number,
            )
        )
    return made


@dataclass
class Log:
    """A log in a folder, to which batches are appended."""

    folder: Path
    signer: Ed25519PrivateKey = SIGNER
    leaves: list[bytes] = field(default_factory=list)

    def seal(self, leaves: Iterable[Leaf | bytes], *, origin: str = ORIGIN) -> str:
        self.leaves += [leaf.encode() if isinstance(leaf, Leaf) else leaf for leaf in leaves]
        return self.write(origin=origin)

    def write(self, *, origin: str = ORIGIN) -> str:
        """Write all tiles, bundles and the checkpoint, which is returned."""
        edge = Edge()
        for number, at in enumerate(range(0, len(self.leaves), TILE_WIDTH)):
            part = self.leaves[at : at + TILE_WIDTH]
            self.put(bundle_path(number, len(part)), encode_bundle(part))
        for tile in (*edge.append(map(leaf_hash, self.leaves)), *edge.partial_tiles()):
            self.put(tile_path(tile.level, tile.index, tile.width), tile.data)
        checkpoint = Checkpoint(origin=origin, size=len(self.leaves), root=edge.root())
        key = VerifierKey(name=origin, public_key=self.signer.public_key().public_bytes_raw())
        note = sign(checkpoint.text, key, self.signer.sign)
        self.put("checkpoint", note.encode())
        self.put(f"checkpoints/{checkpoint.size}", note.encode())
        return note

    def put(self, path: str, data: bytes) -> None:
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_bytes(data)

    def proof(self, index: int) -> str:
        def read(level: int, number: int, width: int) -> bytes:
            return (self.folder / tile_path(level, number, width)).read_bytes()

        path = tuple(Tree(len(self.leaves), read).inclusion_proof(index))
        checkpoint = (self.folder / "checkpoint").read_text()
        return str(Proof(leaf=self.leaves[index], index=index, path=path, checkpoint=checkpoint))


@dataclass
class Package:
    """A package in a folder, and its log."""

    folder: Path
    log: Log
    entries: list[Entry]

    @property
    def rows(self) -> list[Any]:
        return [json.loads(json.dumps(entry_to_json(each))) for each in self.entries]

    def write(self, rows: Sequence[Any] | None = None, **manifest: Any) -> None:
        """Write the rows, in place of those before, and what depends on them."""
        count = write_entries(self.folder, self.rows if rows is None else rows)
        made = Manifest(
            origin=ORIGIN,
            bucket=BUCKET,
            start=None,
            end=None,
            created_at=format_time(BIRTH),
            entries=count,
            log_size=len(self.log.leaves),
        )
        replace(made, **manifest).write(self.folder)
        write_sums(self.folder)


def sealed(entries: Iterable[Entry], after: timedelta = timedelta(minutes=5)) -> list[Leaf]:
    """Leaves of one batch, sealed some time after the last entry was recorded."""
    made = [*entries]
    at = max(each.recorded_at for each in made) + after
    return [leaf_of(each, at) for each in made]


def erasure_of(erased: Entry, sealed_at: datetime) -> Leaf:
    return Leaf(
        kind=Kind.ERASURE,
        object_id=erased.upload.version.object_id,
        fingerprint=None,
        recorded_at=sealed_at,
        sealed_at=sealed_at,
        record_sha256="0" * 64,
    )


def package_of(folder: Path, count: int = 300) -> Package:
    """A package whose log was sealed in two batches."""
    entries = entries_of(count)
    log = Log(folder / layout.LOG)
    half = count // 2
    at = entries[-1].recorded_at + timedelta(minutes=2)
    log.seal(sealed(entries[:half]))
    log.seal(leaf_of(each, max(at, BIRTH + timedelta(minutes=8))) for each in entries[half:])
    (folder / layout.FILES).mkdir()
    for number, each in enumerate(entries):
        if each.outcome is Outcome.ACCEPTED:
            (folder / layout.FILES / str(each.fingerprint)).write_bytes(content(number))
    (folder / layout.PROOFS).mkdir()
    (folder / layout.PROOFS / f"7{layout.PROOF_SUFFIX}").write_text(log.proof(7))
    package = Package(folder, log, entries)
    package.write()
    return package
