"""Prove that an entry is sealed in the log: a file that anybody can check, without this program or AWS.

Name a receipt as for `bill-e show`. The proof (c2sp.org/tlog-proof) has the entry's leaf, its place in the
log, the way to the root, and the checkpoint that the log's key has signed. It is checked before it is
written, and so is the entry: if it isn't the one that was sealed, there is no proof. A key stands for its
newest upload, also if that was a duplicate or was rejected.

With --log DIR, the proof comes from an exported package, without a network; --key is then the log's key.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from cli.answers import ApiHistory
from cli.auditor import package as layout
from cli.auditor.claims import is_signed
from cli.auditor.rows import named_object
from cli.caller.connection import connect
from cli.caller.files import fingerprint_of_file
from cli.caller.log_download import DownloadedLog
from cli.caller.subjects import Subject, SubjectSearch
from cli.commands import Audience, Command
from cli.commands.show import find_subject
from cli.errors import BillEError, UsageError
from cli.options import completed_as_file, named_path, stack_of, token_of, verifier_key
from cli.screen.terminal import Terminal
from functions.contract.entry import ObjectVersion, Outcome, parse_fingerprint
from functions.contract.sealing import CHECKPOINT
from functions.sealing.leaf import Leaf, record_of, record_sha256
from functions.sealing.note import Checkpoint, VerifierKey, parse_note
from functions.sealing.proof import Proof
from functions.sealing.tree import Tree


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    completed_as_file(
        parser.add_argument(
            "subject", metavar="FINGERPRINT|FILE|KEY", help="64 hexadecimal digits or the first 8 or more"
        )
    )
    parser.add_argument(
        "-o", "--output", type=named_path, metavar="FILE", help="where to write it (default: stdout)"
    )
    parser.add_argument(
        "--log", type=named_path, metavar="DIR", help="an exported package, in place of the stack"
    )
    parser.add_argument(
        "--key",
        metavar="VKEY|FILE",
        help="with --log: the log's verifier key, or a file with it",
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Get the proof, check it, and write it."""
    if (options.log is None) != (options.key is None):
        raise UsageError("--log and --key go together")
    proof, key = _from_package(options) if options.log else _from_stack(options, terminal)
    try:
        checkpoint = Checkpoint.parse(parse_note(proof.checkpoint).text)
        holds = proof.leads_to_root() and is_signed(proof.checkpoint, key) and checkpoint.origin == key.name
    except ValueError as error:
        raise BillEError(f"the proof can't be read: {error}") from None
    if not holds:
        raise BillEError(f"the proof does NOT hold: it doesn't lead to a root that {key.name} has signed")
    if options.output is None:
        terminal.out.file.write(str(proof))
        return 0
    options.output.write_text(str(proof), encoding="utf-8")
    sealed_at = json.loads(proof.leaf)["sealed_at"]
    terminal.write(f"wrote {options.output}: leaf {proof.index:,}, sealed at {sealed_at}")
    return 0


def _from_stack(options: argparse.Namespace, terminal: Terminal) -> tuple[Proof, VerifierKey]:
    access = stack_of(options)
    if access.log_public_key is None:
        raise BillEError("the stack has no output log_public_key: deploy the current program")
    with connect(access, token=token_of(options)) as stack:
        subject = find_subject(SubjectSearch(api=stack.api, access=access), options.subject, terminal)
        if subject.fingerprint is None:
            raise BillEError(
                "the upload was rejected without being read, so the API can't find its leaf: export the log, "
                "whose proofs/ have it"
            )
        text = stack.api.proof(subject.fingerprint, _object_id(subject))
        history = stack.api.history(subject.fingerprint) if text else None
    if text is None:
        raise BillEError("the entry isn't sealed yet: try again in a minute")
    try:
        proof = Proof.parse(text)
        leaf = Leaf.parse(proof.leaf)
    except ValueError as error:
        raise BillEError(f"the API's proof can't be read: {error}") from None
    if leaf.fingerprint != subject.fingerprint or _object_id(subject) not in {None, leaf.object_id}:
        raise BillEError(f"the API's proof is about another entry, with the object id {leaf.object_id}")
    record = _record(history, leaf.object_id)
    if record and record_sha256(record) != leaf.record_sha256:
        raise _altered(leaf.object_id)
    return proof, VerifierKey.parse(access.log_public_key)


def _record(history: ApiHistory | None, object_id: str) -> bytes | None:
    """Return the record of one of a fingerprint's entries, as the ledger has it now."""
    if history is None:
        return None
    receipt = [history["receipt"]] if history["receipt"] else []
    records = map(record_of, (*receipt, *history["duplicates"], *history["rejections"]))
    return next((record for record in records if named_object(record)[0].hex() == object_id), None)


def _altered(object_id: str) -> BillEError:
    return BillEError(
        f"the entry of object {object_id} isn't the one that was sealed: it was changed afterwards, so "
        "nothing was written; docs/for-auditors.md says what to look at"
    )


def _object_id(subject: Subject) -> str | None:
    """Return which entry was named by its key; None for the receipt."""
    if subject.entry is None:
        return None
    names = ("bucket", "key", "version_id")
    return ObjectVersion(**{name: str(subject.entry[name]) for name in names}).object_id  # type: ignore[literal-required]


def _from_package(options: argparse.Namespace) -> tuple[Proof, VerifierKey]:
    fingerprint, key = _fingerprint(options.subject), verifier_key(options.key)
    folder: Path = options.log / layout.LOG
    try:
        note = (folder / CHECKPOINT).read_text(encoding="utf-8")
        checkpoint = Checkpoint.parse(parse_note(note).text)
        log = DownloadedLog(folder=folder, note=note, checkpoint=checkpoint)
        receipt, record = _receipt(options.log, fingerprint)
        for index, leaf in log.leaves():
            members = json.loads(leaf)
            if members["fingerprint"] == fingerprint and receipt in {None, members["object_id"]}:
                if record and record_sha256(record) != members["record_sha256"]:
                    raise _altered(members["object_id"])
                path = tuple(Tree(checkpoint.size, log.read_tile).inclusion_proof(index))
                return Proof(leaf=leaf, index=index, path=path, checkpoint=note), key
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BillEError(f"{options.log} can't be used: {error}") from None
    raise BillEError(f"the log in {options.log} has no entry with the fingerprint {fingerprint}")


def _receipt(package: Path, fingerprint: str) -> tuple[str | None, bytes | None]:
    """Return the receipt's object id and record. Its duplicates have the same fingerprint too.

    If the receipt isn't of the package's period, any entry with the fingerprint will do.
    """
    with (package / layout.JSON_LINES).open("rb") as lines:
        for line in lines:
            if fingerprint.encode() in line:
                entry = json.loads(line)
                if entry.get("fingerprint") == fingerprint and entry["outcome"] == Outcome.ACCEPTED:
                    return named_object(line)[0].hex(), line.rstrip(b"\n")
    return None, None


def _fingerprint(subject: str) -> str:
    if Path(subject).is_file():
        return fingerprint_of_file(Path(subject))
    try:
        return parse_fingerprint(subject.lower())
    except ValueError:
        raise UsageError(f"with --log, {subject!r} has to be a file or a whole fingerprint") from None


COMMAND = Command(
    name="proof",
    audience=Audience.AUDITORS,
    summary="prove that an entry is sealed",
    description=__doc__,
    examples=(
        "bill-e proof receipt.png -o receipt.tlog-proof --stack prod",
        "bill-e proof receipt.png --log audit-2026 --key VKEY",
    ),
    add_options=add_options,
    run=run,
)
