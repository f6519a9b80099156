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

_TIME = rb'"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)"'
_HASH = rb'"([0-9a-f]{64})"'
LEAF: Final = re.compile(
    rb'\{"fingerprint":(?:null|%b),"kind":"(?:entry|(erasure))","object_id":%b,"record_sha256":%b,'
    rb'"recorded_at":%b,"sealed_at":%b,"v":%d\}' % (_HASH, _HASH, _HASH, _TIME, _TIME, VERSION)
)
"""A leaf of an entry or an erasure, as `functions.sealing.leaf` writes it."""

LEAF_ROW: Final = Struct(f">{KEY_BYTES}s{KEY_BYTES}sQ?")
"""The hash of a record, the object id, the leaf's index, and whether the package should have the entry."""
OBJECT_ROW: Final = Struct(f">{KEY_BYTES}sQ")
"""The object id, and the leaf's index."""


@dataclass(frozen=True, kw_only=True)
class LogContext:
    """What a stretch is read with.

    The first ``history`` leaves are of entries that were recorded before the log began.
    """

    log: Path
    size: int
    manifest: Manifest
    max_delay: timedelta
    history: int
    leaf_rows: Path
    object_rows: Path
    parts: int


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
    objects: list[bytes] = []
    judge = _Judge(context, stretch)
    last = min(first + STRETCH_BUNDLES, -(-context.size // TILE_WIDTH))
    for number in range(first, last):
        width = min(TILE_WIDTH, context.size - number * TILE_WIDTH)
        bundle = _read_bundle(context, number, width, stretch)
        hashes = _tile_of(context, number, width, bundle, stretch)
        stretch.roots.append(perfect_root(hashes) if hashes and width == TILE_WIDTH else None)
        for size in sizes:
            if hashes and 0 < size - number * TILE_WIDTH <= width and size % TILE_WIDTH:
                stretch.cuts[size] = _perfect_roots(hashes[: size % TILE_WIDTH])
        for index, leaf in enumerate(bundle or (), number * TILE_WIDTH):
            match = LEAF.fullmatch(leaf)
            if match is None:
                stretch.findings.append((Code.BAD_TILE, f"leaf {index}", "it isn't a leaf of this format"))
                continue
            _, erasure, object_hex, record_hex, recorded, sealed = match.groups()
            recorded_at, object_id = recorded.decode(), unhexlify(object_hex)
            judge.see(index, object_hex, recorded_at, sealed.decode())
            if erasure:
                stretch.erased.append(object_id)
                continue
            is_wanted = context.manifest.covers(recorded_at)
            leaves.append(LEAF_ROW.pack(unhexlify(record_hex), object_id, index, is_wanted))
            objects.append(OBJECT_ROW.pack(object_id, index))
    spill(leaves, context.leaf_rows, context.parts)
    spill(objects, context.object_rows, context.parts)
    return stretch


class _Judge:
    """Sees the times of leaves one after the other."""

    def __init__(self, context: LogContext, stretch: Stretch) -> None:
        self._context = context
        self._stretch = stretch
        self._earliest = self._latest = ""

    def see(self, index: int, object_hex: bytes, recorded_at: str, sealed_at: str) -> None:
        stretch = self._stretch
        if sealed_at != stretch.last_sealed_at:
            if sealed_at < stretch.last_sealed_at:
                self._add(Code.OUT_OF_ORDER, index, object_hex, "sealed before the last one")
            try:
                moment = parse_time(sealed_at)
                self._earliest = format_time(moment - self._context.max_delay)
                self._latest = format_time(moment + CLOCK_SKEW)
            except (ValueError, OverflowError):
                self._add(Code.BAD_TILE, index, object_hex, f"{sealed_at} isn't a time")
            stretch.first_sealed_at = stretch.first_sealed_at or sealed_at
            stretch.last_sealed_at = sealed_at
        is_late = recorded_at < self._earliest and index >= self._context.history
        if is_late or recorded_at > self._latest:
            code = Code.LATE if is_late else Code.OUT_OF_ORDER
            self._add(code, index, object_hex, f"recorded at {recorded_at}, sealed at {sealed_at}")

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
