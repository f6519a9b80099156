"""Recomputing a log's root from all of its leaves, and the roots that it had at smaller sizes."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from cli.auditor.findings import Code, Report
from cli.auditor.log_reading import LEAF, STRETCH_BUNDLES, LogContext, Stretch
from functions.contract.entry import format_time, parse_time
from functions.sealing.tiles import bundle_path, decode_bundle, tile_path
from functions.sealing.tree import EMPTY_ROOT, TILE_WIDTH, Edge, Tile, node_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import timedelta
    from pathlib import Path


@dataclass(kw_only=True)
class CheckedLog:
    """What the leaves of a log lead to: the root at each size that was asked for, if it is known."""

    roots: dict[int, bytes] = field(default_factory=dict)
    erased: set[bytes] = field(default_factory=set)
    last_sealed_at: str = ""


def check_log(
    context: LogContext,
    sizes: Iterable[int],
    report: Report,
    run: Callable[[Iterable[tuple[object, ...]]], Iterator[Stretch]],
) -> CheckedLog:
    """Read the whole log. ``run`` calls `read_stretch` with each of these arguments, and yields in order."""
    checked = CheckedLog()
    wanted = sorted({size for size in sizes if size <= context.size})
    starts = range(0, -(-context.size // TILE_WIDTH), STRETCH_BUNDLES)
    calls = ((context, start, _within(wanted, start)) for start in starts)
    if wanted[:1] == [0]:
        checked.roots[0] = EMPTY_ROOT
    upper = _UpperTree(context, report)
    for start, stretch in zip(starts, run(calls), strict=True):
        _collect(stretch, checked, report)
        for number, root in enumerate(stretch.roots, start):
            for size in _within(wanted, number, 1):
                if size in stretch.cuts and upper.is_whole:
                    checked.roots[size] = _fold([*upper.roots, *stretch.cuts[size]])
            upper.add(root)
            if (number + 1) * TILE_WIDTH in wanted and upper.is_whole:
                checked.roots[(number + 1) * TILE_WIDTH] = _fold(upper.roots)
    upper.end()
    return checked


def history_size(log: Path, size: int, max_delay: timedelta) -> int:
    """Return how many leaves at the start are of entries that were recorded before the log began."""
    before = ""
    for number in range(-(-size // TILE_WIDTH)):
        try:
            data = (log / bundle_path(number, min(TILE_WIDTH, size - number * TILE_WIDTH))).read_bytes()
            for index, leaf in enumerate(decode_bundle(data), number * TILE_WIDTH):
                if not (match := LEAF.fullmatch(leaf)):
                    return index
                before = before or format_time(parse_time(match[6].decode()) - max_delay)
                if match[5].decode() >= before:
                    return index
        except (OSError, ValueError, OverflowError):
            return number * TILE_WIDTH
    return size


def _within(sizes: list[int], start: int, count: int = STRETCH_BUNDLES) -> list[int]:
    """Return the sizes of trees that end in these bundles."""
    low, high = (bisect_right(sizes, bundles * TILE_WIDTH) for bundles in (start, start + count))
    return sizes[low:high]


def _collect(stretch: Stretch, checked: CheckedLog, report: Report) -> None:
    for finding in stretch.findings:
        report.add(*finding)
    if stretch.first_sealed_at and stretch.first_sealed_at < checked.last_sealed_at:
        report.add(Code.OUT_OF_ORDER, "log", f"sealing went back to {stretch.first_sealed_at}")
    checked.last_sealed_at = stretch.last_sealed_at or checked.last_sealed_at
    checked.erased.update(stretch.erased)


class _UpperTree:
    """The tree above the full bundles. Its tiles are compared with their files.

    ``roots`` are those of the largest perfect subtrees. It ``is_whole`` until a bundle has no hash, because
    it can't be read or, at the end of the log, isn't full.
    """

    def __init__(self, context: LogContext, report: Report) -> None:
        self._context = context
        self._report = report
        self._edge = Edge()
        self.roots: list[bytes] = []
        self.is_whole = True

    def add(self, root: bytes | None) -> None:
        """Add the hash of a bundle."""
        self.is_whole = self.is_whole and root is not None
        if root is None or not self.is_whole:
            return
        for tile in self._edge.append([root]):
            self._compare(tile)
        count = self._edge.size
        while count % 2 == 0:
            root, count = node_hash(self.roots.pop(), root), count // 2
        self.roots.append(root)

    def end(self) -> None:
        """Compare the partial tiles, unless they can't be known."""
        if self._edge.size == self._context.size // TILE_WIDTH:
            for tile in self._edge.partial_tiles():
                self._compare(tile)

    def _compare(self, tile: Tile) -> None:
        path = tile_path(tile.level + 1, tile.index, tile.width)
        try:
            found = (self._context.log / path).read_bytes()
        except OSError as error:
            self._report.add(Code.BAD_TILE, path, f"it can't be read: {error.strerror}")
            return
        if found != tile.data:
            self._report.add(Code.BAD_TILE, path, "it isn't what the leaves below it lead to")


def _fold(roots: list[bytes]) -> bytes:
    whole = roots[-1]
    for root in islice(reversed(roots), 1, None):
        whole = node_hash(root, whole)
    return whole
