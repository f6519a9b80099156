"""What was signed about a log: its checkpoints, those from before, and those in proofs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from cli.auditor import package as layout
from cli.auditor.findings import Code, Report
from cli.auditor.package import UnusableError
from functions.sealing.note import Checkpoint, VerifierKey, parse_note
from functions.sealing.proof import Proof

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A root that was signed, and where."""

    about: str
    checkpoint: Checkpoint


def signed_checkpoint(path: Path, key: VerifierKey, report: Report) -> Checkpoint | None:
    """Read a signed checkpoint. If it isn't by this key, that is a finding, and nothing follows from it."""
    try:
        text = path.read_text(encoding="utf-8")
        checkpoint = Checkpoint.parse(parse_note(text).text)
        is_by_key = is_signed(text, key) and checkpoint.origin == key.name
    except OSError as error:
        raise UnusableError(f"{path} can't be read: {error.strerror}") from None
    except ValueError as error:
        report.add(Code.BAD_SIGNATURE, str(path), str(error))
        return None
    if not is_by_key:
        report.add(Code.BAD_SIGNATURE, str(path), f"it has no valid signature by {key.name}")
    return checkpoint if is_by_key else None


def is_signed(note: str, key: VerifierKey) -> bool:
    """Say whether a note has a valid signature by this key. Raise ValueError if it isn't a note."""
    parsed = parse_note(note)
    for signature in parsed.signed_by(key):
        try:
            Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature, parsed.text.encode())
        except InvalidSignature:
            continue
        return True
    return False


def earlier_claims(package: Path, key: VerifierKey, since: Sequence[Path], report: Report) -> Iterator[Claim]:
    """Read the checkpoints that were kept, and those of the log's own history."""
    history = package / layout.CHECKPOINTS
    if not since:
        report.not_checked.append(
            "whether the log continues what was seen before: keep this checkpoint, and give it with --since"
        )
    for path in (*since, *(sorted(history.iterdir()) if history.is_dir() else ())):
        if checkpoint := signed_checkpoint(path, key, report):
            yield Claim(about=str(path), checkpoint=checkpoint)


def proof_claims(package: Path, key: VerifierKey, report: Report) -> Iterator[Claim]:
    """Read the proofs of the package."""
    paths = sorted((package / layout.PROOFS).glob(f"*{layout.PROOF_SUFFIX}"))
    if not paths:
        report.not_checked.append("proofs: the package has none, and needs none")
    for path in paths:
        try:
            proof = Proof.parse(path.read_text(encoding="utf-8"))
            checkpoint = Checkpoint.parse(parse_note(proof.checkpoint).text)
            holds = proof.leads_to_root() and is_signed(proof.checkpoint, key)
        except (OSError, ValueError) as error:
            report.add(Code.BAD_PROOF, path.name, str(error))
            continue
        if holds and checkpoint.origin == key.name:
            yield Claim(about=path.name, checkpoint=checkpoint)
        else:
            report.add(Code.BAD_PROOF, path.name, "it doesn't lead to a root that the key has signed")


def judge_claims(
    head: Checkpoint, claims: Sequence[Claim], roots: Mapping[int, bytes], report: Report
) -> None:
    """Compare the roots that were signed with those that the leaves lead to."""
    if roots.get(head.size) != head.root:
        report.add(Code.BAD_ROOT, "log/checkpoint", f"the {head.size:,} leaves don't lead to its root")
    for claim in claims:
        size = claim.checkpoint.size
        if size > head.size:
            report.add(Code.TRUNCATED, claim.about, f"the log had {size:,} leaves, and has {head.size:,} now")
        elif roots.get(size) != claim.checkpoint.root:
            report.add(Code.SPLIT_VIEW, claim.about, f"the first {size:,} leaves don't lead to its root")
