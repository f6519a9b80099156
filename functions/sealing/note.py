"""Signed notes and checkpoints (c2sp.org/signed-note, c2sp.org/tlog-checkpoint).

Signing and verifying are left to the caller: the sealer signs with KMS, which keeps the key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from functions.sealing.tree import HASH_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

ED25519: Final = b"\x01"
"""The signature type of Ed25519."""

PUBLIC_KEY_BYTES: Final = 32
_KEY_ID_BYTES: Final = 4

_SPKI_OF_ED25519: Final = bytes.fromhex("302a300506032b6570032100")
"""How a SubjectPublicKeyInfo in DER begins if the key is for Ed25519 (RFC 8410). The key itself follows."""


@dataclass(frozen=True, kw_only=True)
class VerifierKey:
    """The name and the Ed25519 key of a signer. As text, it is a vkey: ``name+id+key``."""

    name: str
    public_key: bytes

    @property
    def id(self) -> bytes:
        """The first bytes of a hash over name and key, by which a signature says what it was made with."""
        whole = self.name.encode() + b"\n" + ED25519 + self.public_key
        return hashlib.sha256(whole).digest()[:_KEY_ID_BYTES]

    def __str__(self) -> str:
        key = base64.b64encode(ED25519 + self.public_key).decode()
        return f"{self.name}+{self.id.hex()}+{key}"

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Read a vkey, or raise a ValueError that says what is wrong."""
        name, _, rest = text.strip().partition("+")
        key_id, _, key = rest.partition("+")
        data = _base64(key, "the key")
        if not _is_name(name) or data[:1] != ED25519 or len(data) != 1 + PUBLIC_KEY_BYTES:
            raise ValueError("not a verifier key for Ed25519: name+8 hexadecimal digits+base64")
        made = cls(name=name, public_key=data[1:])
        if made.id.hex() != key_id:
            raise ValueError(f"the verifier key says that its id is {key_id}, but it is {made.id.hex()}")
        return made

    @classmethod
    def of_spki(cls, name: str, der: bytes) -> VerifierKey:
        """Take the key from a SubjectPublicKeyInfo, which is what KMS returns."""
        key = der.removeprefix(_SPKI_OF_ED25519)
        if not _is_name(name) or len(key) != PUBLIC_KEY_BYTES or len(der) == len(key):
            raise ValueError(f"{name!r} isn't a name for a key, or its key isn't for Ed25519")
        return cls(name=name, public_key=key)


@dataclass(frozen=True, kw_only=True)
class Signature:
    """A line of a signed note."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, kw_only=True)
class Note:
    """A signed note. What is signed is ``text``, which ends in a line feed."""

    text: str
    signatures: tuple[Signature, ...]

    def signed_by(self, key: VerifierKey) -> list[bytes]:
        """Return the signatures that claim to be by this key."""
        return [each.signature for each in self.signatures if (each.name, each.key_id) == (key.name, key.id)]


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What a log commits to: its name, which is its origin, its size and the root of its tree."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The text to sign."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read the text of a checkpoint, or raise a ValueError. Lines after the first three mean nothing."""
        lines = text.split("\n")
        if len(lines) < 4 or lines[-1]:
            raise ValueError("not a checkpoint: it has fewer than three lines")
        origin, size, root = lines[:3]
        if not re.fullmatch(r"0|[1-9][0-9]*", size, re.ASCII) or not origin:
            raise ValueError(f"not a checkpoint: its size is {size!r}")
        hash_ = _base64(root, "the root")
        if len(hash_) != HASH_BYTES:
            raise ValueError(f"not a checkpoint: its root has {len(hash_)} bytes")
        return cls(origin=origin, size=int(size), root=hash_)


def sign(text: str, key: VerifierKey, signer: Callable[[bytes], bytes]) -> str:
    """Return a signed note with one signature, which ``signer`` makes of the text's bytes."""
    signature = base64.b64encode(key.id + signer(text.encode())).decode()
    return f"{text}\n— {key.name} {signature}\n"


def parse_note(note: str) -> Note:
    """Read a signed note, or raise a ValueError. Nothing is verified."""
    text, blank, lines = note.rpartition("\n\n")
    if not blank or not lines.endswith("\n"):
        raise ValueError("not a signed note: there is no blank line with signatures after it")
    return Note(text=f"{text}\n", signatures=tuple(map(_signature, lines[:-1].split("\n"))))


def _signature(line: str) -> Signature:
    match = re.fullmatch(r"— (\S+) (\S+)", line)
    if match is None or not _is_name(match[1]):
        raise ValueError(f"not a signed note: {line!r} isn't a signature")
    data = _base64(match[2], "a signature")
    if len(data) <= _KEY_ID_BYTES:
        raise ValueError(f"not a signed note: the signature of {match[1]} is too short")
    return Signature(name=match[1], key_id=data[:_KEY_ID_BYTES], signature=data[_KEY_ID_BYTES:])


def _is_name(text: str) -> bool:
    return bool(text) and "+" not in text and not any(map(str.isspace, text))


def _base64(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"{what} isn't base64: {text!r}") from None
