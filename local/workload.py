"""A mixed load of uploads, each with its expected outcome."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from functions.contract.entry import Reason
from local.whole_files import png

RECEIPT_BYTES = 2_000

ODD_NAMES = (
    *("../../etc/passwd", "a/../../b", "./x", "//double//", "folder/", "C:\\x", "-rf", "${filename}"),
    *("a+b", "a b", " lead", "trail ", "100%", "%2e%2e%2f", "a%2Fb", "a?b#c&d=e+f", '{"a": "b"}', "<script>"),
    *("tab\there", "\u2028\u2029", "\u202egnp.exe", "cafe\u0301", "שלום.png", "領収書 (1).png"),
    *("é" * 500, "🧾" * 200),
)
"""Names that S3 accepts, and that programs easily get wrong."""


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One upload. `reason` is why it has to be rejected; `None` if it has to be accepted."""

    key: str
    content: bytes
    reason: Reason | None = None

    @property
    def vanishes(self) -> bool:
        """Whether its object version has to be deleted before anybody reads it."""
        return self.reason is Reason.OBJECT_MISSING


def plan(uploads: int, *, too_large_bytes: int, dice: random.Random) -> list[Planned]:
    """Plan this many uploads (30 or more), in random order: new receipts, and a few of every other kind."""

    def some(share: float) -> range:
        return range(max(1, int(share * uploads)))

    new = [_receipt(f"new/{number}.png", dice) for number in some(0.5)]
    mixed = [
        *new,
        *(replace(dice.choice(new), key=f"again/{number}.png") for number in some(0.15)),
        *(_receipt(dice.choice(new).key, dice) for _ in some(0.1)),
        *(_receipt(f"odd/{number}/{dice.choice(ODD_NAMES)}", dice) for number in some(0.08)),
        *(Planned(key=f"bad/{number}.pdf", content=b"", reason=Reason.EMPTY) for number in some(0.03)),
        *(_folder(f"folder {number}/") for number in some(0.02)),
        *(_unsupported(f"bad/{number}.png", dice) for number in some(0.03)),
        *(_damaged(f"bad/{number}.jpg", dice) for number in some(0.02)),
        *(_too_large(f"bad/{number}.tiff", too_large_bytes) for number in some(0.02)),
        *(_gone(f"gone/{number}.png", dice) for number in some(0.02)),
    ]
    mixed += [_receipt(f"more/{number}.png", dice) for number in range(uploads - len(mixed))]
    dice.shuffle(mixed)
    return mixed


def _receipt(key: str, dice: random.Random) -> Planned:
    return Planned(key=key, content=png(dice.randbytes(RECEIPT_BYTES)))


def _gone(key: str, dice: random.Random) -> Planned:
    return replace(_receipt(key, dice), reason=Reason.OBJECT_MISSING)


def _folder(key: str) -> Planned:
    return Planned(key=key, content=b"", reason=Reason.FOLDER_MARKER)


def _unsupported(key: str, dice: random.Random) -> Planned:
    text = f"a picture by its name alone, number {dice.getrandbits(64)}"
    return Planned(key=key, content=text.encode(), reason=Reason.UNSUPPORTED_TYPE)


def _damaged(key: str, dice: random.Random) -> Planned:
    whole = png(dice.randbytes(RECEIPT_BYTES))
    return Planned(key=key, content=whole[: dice.randrange(100, len(whole))], reason=Reason.DAMAGED)


def _too_large(key: str, size: int) -> Planned:
    return Planned(key=key, content=png(bytes(size)), reason=Reason.TOO_LARGE)
