"""Reading a stretch of a log: its bundles are hashed, compared with their tiles, and their leaves spilled.

Stretches are read in several processes, so all that goes in and out can be pickled.
"""

from __future__ import annotations

import re
from binascii import unhexlify
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from struct import Struct
from typing import TYPE_CHECKING, Final

from cli.auditor.findings import Code
from cli.auditor.package import Manifest
from cli.auditor.spill import KEY_BYTES, spill
from functions.contract.entry import CLOCK_SKEW, format_time, parse_time
from functions.sealing.leaf import VERSION
from functions.sealing.tiles import bundle_path, decode_bundle, tile_path
from functions.sealing.tree import HASH_BYTES, TILE_WIDTH, perfect_root, split_hashes

if TYPE_CHECKING:
    from pathlib import Path

STRETCH_BUNDLES: Final = 64


def _leaf_pattern(hash_: bytes, time: bytes) -> re.Pattern[bytes]:
    return re.compile(
        rb'\{"fingerprint":(?:null|"(%b)"),"kind":"(?:entry|(erasure))","object_id":"(%b)",'
        rb'"record_sha256":"(%b)","recorded_at":"(%b)","sealed_at":"(%b)","v":%d\}'
        % (hash_, hash_, hash_, time, time, VERSION),
        re.DOTALL,
    )


LEAF: Final = _leaf_pattern(rb"[0-9a-f]{64}", rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
"""A leaf of an entry or an erasure, as `functions.sealing.leaf` writes it."""

_OUTLINE: Final = _leaf_pattern(rb".{64}", rb".{27}")
_DIGITS_AS_0: Final = bytes.maketrans(b"123456789", b"000000000")
_TIME_OF_0: Final = b"0000-00-00T00:00:00.000000Z"

OBJECT_ROW: Final = Struct(f">{KEY_BYTES}sQ")
"""An object id, and the index of its leaf."""
LEAF_ROW: Final = Struct(f">{KEY_BYTES}s{OBJECT_ROW.size}s")
"""The hash of a record, and the `OBJECT_ROW`."""


@dataclass(frozen=True, kw_only=True)
class LogContext:
    """What a stretch is read with.

    The first ``history`` leaves are of entries that were recorded before the log began. What is to be matched
    is spilled into ``folder``, in so many ``parts``.
    """

    log: Path
    size: int
    manifest: Manifest
    max_delay: timedelta
    history: int
    folder: Path
    parts: int

    @property
    def leaf_rows(self) -> Path:
        """Where the leaves are spilled whose entries the package should have."""
        return self.folder / "leaves"

    @property
    def other_leaf_rows(self) -> Path:
        """Where the leaves are spilled whose entries are of another period."""
        return self.folder / "other_leaves"

    @property
    def object_rows(self) -> Path:
        """Where the object ids of all leaves are spilled."""
        return self.folder / "objects"


@dataclass(kw_only=True)
class Stretch:
    """What was read: for each bundle the hash of its leaves, and what was found.

    ``roots`` has ``None`` for a bundle without its hash. ``cuts`` are the hashes of perfect subtrees that a
    smaller tree has of the bundle in which it ends, by its size.
    """

    roots: list[bytes | None] = field(default_factory=list)
    cuts: dict[int, list[bytes]] = field(default_factory=dict)
    findings: list[tuple[Code, str, str]] = field(default_factory=list)
    erased: list[bytes] = field(default_factory=list)
    first_sealed_at: str = ""
    last_sealed_at: str = ""


def read_stretch(context: LogContext, first: int, sizes: Sequence[int]) -> Stretch:
    """Read up to `STRETCH_BUNDLES` bundles. ``sizes`` are those of smaller trees that end in them."""
    stretch = Stretch()
    leaves: list[bytes] = []
    other_leaves: list[bytes] = []
    objects: list[bytes] = []
    judge = _Judge(context, stretch)
    start, end = (each.encode() for each in context.manifest.period)
    last = min(first + STRETCH_BUNDLES, -(-context.size // TILE_WIDTH))
    for number in range(first, last):
        width = min(TILE_WIDTH, context.size - number * TILE_WIDTH)
        bundle = _read_bundle(context, number, width, stretch)
        hashes = _tile_of(context, number, width, bundle, stretch)
        stretch.roots.append(perfect_root(hashes) if hashes and width == TILE_WIDTH else None)
        for size in sizes:
            if hashes and 0 < size - number * TILE_WIDTH <= width and size % TILE_WIDTH:
                stretch.cuts[size] = _perfect_roots(hashes[: size % TILE_WIDTH])
        for index, members in enumerate(_members_of(bundle or ()), number * TILE_WIDTH):
            if members is None:
                stretch.findings.append((Code.BAD_TILE, f"leaf {index}", "it isn't a leaf of this format"))
                continue
            _, erasure, object_hex, record_hex, recorded, sealed = members
            judge.see(index, object_hex, recorded, sealed)
            object_id = unhexlify(object_hex)
            if erasure:
                stretch.erased.append(object_id)
                continue
            objects.append(OBJECT_ROW.pack(object_id, index))
            (leaves if start <= recorded < end else other_leaves).append(unhexlify(record_hex) + objects[-1])
    spill(leaves, context.leaf_rows, context.parts)
    spill(other_leaves, context.other_leaf_rows, context.parts)
    spill(objects, context.object_rows, context.parts)
    return stretch


def _members_of(leaves: Sequence[bytes]) -> Sequence[tuple[bytes, ...] | None]:
    """Take leaves apart, and return nothing for one that isn't a leaf.

    Most of the time of matching `LEAF` would go into looking at one digit after the other. So the digits of
    all leaves are looked at together, and one after the other only if something is wrong with them.
    """
    found = [match.groups() for match in map(_OUTLINE.fullmatch, leaves) if match]
    if found and len(found) == len(leaves) and _have_right_digits(found):
        return found
    return [match and match.groups() for match in map(LEAF.fullmatch, leaves)]


def _have_right_digits(found: Sequence[tuple[bytes, ...]]) -> bool:
    fingerprints, _, object_ids, records, recorded, sealed = zip(*found, strict=True)
    hashes = b"".join([*filter(None, fingerprints), *object_ids, *records])
    times = b"".join(recorded + sealed)
    try:
        have_hashes = unhexlify(hashes).hex().encode() == hashes
    except ValueError:
        return False
    return have_hashes and times.translate(_DIGITS_AS_0) == _TIME_OF_0 * (2 * len(found))


class _Judge:
    """Sees the times of leaves one after the other, as bytes. Text order is time order."""

    def __init__(self, context: LogContext, stretch: Stretch) -> None:
        self._context = context
        self._stretch = stretch
        self._sealed = self._earliest = self._latest = b""

    def see(self, index: int, object_hex: bytes, recorded: bytes, sealed: bytes) -> None:
        if sealed != self._sealed:
            self._see_batch(index, object_hex, sealed)
        if self._earliest <= recorded <= self._latest:
            return
        is_late = recorded < self._earliest
        if not is_late or index >= self._context.history:
            code = Code.LATE if is_late else Code.OUT_OF_ORDER
            detail = f"recorded at {recorded.decode()}, sealed at {sealed.decode()}"
            self._add(code, index, object_hex, detail)

    def _see_batch(self, index: int, object_hex: bytes, sealed: bytes) -> None:
        if sealed < self._sealed:
            self._add(Code.OUT_OF_ORDER, index, object_hex, "sealed before the last one")
        sealed_at = sealed.decode()
        try:
            moment = parse_time(sealed_at)
            self._earliest = format_time(moment - self._context.max_delay).encode()
            self._latest = format_time(moment + CLOCK_SKEW).encode()
        except (ValueError, OverflowError):
            self._add(Code.BAD_TILE, index, object_hex, f"{sealed_at} isn't a time")
        self._sealed = sealed
        self._stretch.first_sealed_at = self._stretch.first_sealed_at or sealed_at
        self._stretch.last_sealed_at = sealed_at

    def _add(self, code: Code, index: int, object_hex: bytes, detail: str) -> None:
        self._stretch.findings.append((code, f"leaf {index}, object {object_hex.decode()}", detail))


def _read_bundle(context: LogContext, number: int, width: int, stretch: Stretch) -> list[bytes] | None:
    path = bundle_path(number, width)
    try:
        bundle = decode_bundle((context.log / path).read_bytes())
    except OSError as error:
        stretch.findings.append((Code.BAD_TILE, path, f"it can't be read: {error.strerror}"))
    except ValueError as error:
        stretch.findings.append((Code.BAD_TILE, path, str(error)))
    else:
        if len(bundle) == width:
            return bundle
        stretch.findings.append((Code.BAD_TILE, path, f"it has {len(bundle)} leaves in place of {width}"))
    return None


def _tile_of(
    context: LogContext, number: int, width: int, bundle: list[bytes] | None, stretch: Stretch
) -> list[bytes]:
    """Return the hashes of a bundle's leaves: computed, or those of the tile if the bundle can't be read."""
    path = tile_path(0, number, width)
    try:
        tile = (context.log / path).read_bytes()
    except OSError as error:
        stretch.findings.append((Code.BAD_TILE, path, f"it can't be read: {error.strerror}"))
        tile = b""
    if bundle is None:
        return split_hashes(tile) if len(tile) == width * HASH_BYTES else []
    hashes = [sha256(b"\x00" + leaf).digest() for leaf in bundle]
    if tile and tile != b"".join(hashes):
        stretch.findings.append((Code.BAD_TILE, path, "it isn't what its leaves lead to"))
    return hashes


def _perfect_roots(hashes: list[bytes]) -> list[bytes]:
    """Return the roots of the perfect subtrees of so many leaves, the largest first."""
    roots, at = [], 0
    while at < len(hashes):
        width = 1 << ((len(hashes) - at).bit_length() - 1)
        roots.append(perfect_root(hashes[at : at + width]))
        at += width
    return roots
