"""TIFF (revision 6.0) and BigTIFF: directories, each of which says where its values and its image are.

A directory may be anywhere. Those ahead of what was read are followed, and the others can't be in a single
pass: of these, all we know is that the file is longer.
"""

from __future__ import annotations

import heapq
import struct
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Final

from functions.processor.formats.format import Format, Whole, image
from functions.processor.formats.incoming import DamagedFileError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from functions.processor.formats.incoming import Incoming, Reading

SIGNATURES: Final = (b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0", b"MM\0+\0\x08\0\0")
RAW_SIGNATURES: Final = (b"CR", b"IIII", b"MMMM")
"""What raw files of Canon and Phase One have after the header."""

MOST_DIRECTORIES: Final = 2000
"""Any more aren't followed."""

MOST_FIELDS: Final = 4096
"""Of a directory."""

MOST_ARRAY_BYTES: Final = 4 * 1024 * 1024
"""How many bytes of lists of strips are kept. Any more are only checked for being inside the file."""

VALUE_BYTES: Final = dict(zip(range(1, 14), (1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4), strict=True)) | {
    16: 8,
    17: 8,
    18: 8,
}
"""How long a value of each type is."""

INTEGERS: Final = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}

SUBFILE_TYPE, COMPRESSION, PHOTOMETRIC, SUB_IMAGES = 254, 259, 262, 330
NESTED_DIRECTORIES: Final = frozenset({SUB_IMAGES, 34665, 34853, 40965})
"""Smaller images of a page, and three of Exif."""

NOT_A_PAGE: Final = 0b101
"""A reduced image, or a transparency mask (bits of the subfile type)."""

PARTS: Final = {273: 279, 324: 325, 513: 514}
"""The tags of where strips, tiles and an old-style JPEG image are, and of how long they are."""

RAW_TAGS: Final = frozenset({50706, 33422, 37398, 50740})
"""DNG's version, TIFF/EP's pattern of colour filters and its standard, and Sony's private directory."""

RAW_COMPRESSIONS: Final = frozenset({262, 32767, 32769, 32770, 34713, 34892, 65000, 65535})
RAW_PHOTOMETRICS: Final = frozenset({32803, 34892})
"""Pixels behind a pattern of colour filters, and unprocessed ones."""


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """How numbers are written in a file."""

    order: str
    is_big: bool

    @property
    def offset_bytes(self) -> int:
        return 8 if self.is_big else 4

    @property
    def count_bytes(self) -> int:
        return 8 if self.is_big else 2

    @property
    def field_bytes(self) -> int:
        return 20 if self.is_big else 12

    def number(self, data: bytes) -> int:
        return int.from_bytes(data, "little" if self.order == "little" else "big")

    def numbers(self, values: bytes, kind: int) -> Iterator[int]:
        """Decode integers of a type, one by one. There are none in values of other types."""
        if kind in INTEGERS:
            whole = values[: len(values) // VALUE_BYTES[kind] * VALUE_BYTES[kind]]
            order = "<" if self.order == "little" else ">"
            yield from (number for (number,) in struct.iter_unpack(order + INTEGERS[kind], whole))


@dataclass(kw_only=True, slots=True)
class _Field:
    """One field of a directory. ``values`` is ``None`` while they are elsewhere, at ``offset``."""

    tag: int
    kind: int
    size: int
    values: bytes | None
    offset: int


@dataclass(kw_only=True)
class _Pages:
    """What is known of the file, and where to read on: directories, and values that don't fit into one."""

    layout: _Layout
    directories: int = 0
    pages: int = 0
    is_raw: bool = False
    end: int = 0
    """Where the last byte is, of what is known."""

    array_bytes: int = 0
    parts: list[tuple[_Field, _Field]] = field(default_factory=list)
    """Where the strips or tiles of each image are, and how long."""

    misses_some: bool = False
    """Whether something may be longer than `end`: it is described before the place that describes it."""

    ahead: list[tuple[int, int, _Field | None, bool]] = field(default_factory=list)
    planned: int = 0

    def plan(self, at: int, values_of: _Field | None = None, *, is_nested: bool = False) -> None:
        self.planned += 1
        heapq.heappush(self.ahead, (at, self.planned, values_of, is_nested))

    def numbers(self, found: _Field | None) -> Iterator[int]:
        return self.layout.numbers(found.values or b"", found.kind) if found else iter(())

    def plan_nested(self, found: _Field) -> None:
        if found.tag in NESTED_DIRECTORIES:
            for at in self.numbers(found):
                self.plan(at, is_nested=True)


def _recognise(head: bytes) -> str | None:
    is_raw = head.startswith(RAW_SIGNATURES, 8)
    return "image/tiff" if head.startswith(SIGNATURES) and not is_raw else None


def _read(file: Incoming) -> Reading[Whole]:
    file.at("inside its header")
    signature = yield from file.read(4)
    layout = _Layout(order="little" if signature[:2] == b"II" else "big", is_big=b"+" in signature)
    if layout.is_big:
        yield from file.skip(4)
    first = yield from file.number(layout.offset_bytes, layout.order)
    if first < file.position:
        raise DamagedFileError(f"says that its first directory is at byte {first:,}, inside its header")
    seen = _Pages(layout=layout)
    seen.plan(first)
    while seen.ahead and not seen.is_raw:
        yield from _visit_next(file, seen)
    if seen.is_raw:
        return Whole(media_type=None)
    yield from _read_parts(file, seen)
    return image("image/tiff", several=seen.pages > 1)


def _visit_next(file: Incoming, seen: _Pages) -> Reading[None]:
    at, _, values_of, is_nested = heapq.heappop(seen.ahead)
    is_page = not (values_of or is_nested)
    if at < file.position or (seen.directories == MOST_DIRECTORIES and not values_of):
        seen.misses_some = True
        seen.pages += is_page
        return
    what = "the values of a directory" if values_of else f"directory {seen.directories + 1:,}"
    file.at(f"before {what} at byte {at:,}")
    yield from file.skip(at - file.position)
    file.at(f"inside {what} at byte {at:,}")
    if values_of:
        values_of.values = yield from file.read(values_of.size)
        seen.plan_nested(values_of)
    else:
        yield from _read_directory(file, seen, is_page=is_page)


def _read_directory(file: Incoming, seen: _Pages, *, is_page: bool) -> Reading[None]:
    start, layout = file.position, seen.layout
    count = yield from file.number(layout.count_bytes, layout.order)
    if count > MOST_FIELDS or (is_page and not count):
        raise DamagedFileError(f"has a directory of {count:,} fields at byte {start:,}")
    data = yield from file.read(count * layout.field_bytes)
    file.work(count)
    fields: dict[int, _Field] = {}
    for at in range(0, len(data), layout.field_bytes):
        found = _parse_field(data[at : at + layout.field_bytes], layout)
        fields.setdefault(found.tag, found)
        if found.values is None:
            seen.end = max(seen.end, found.offset + found.size)
    _take_fields(fields, seen, is_page=is_page)
    following = yield from file.number(layout.offset_bytes, layout.order)
    if following and is_page:
        seen.plan(following)


def _take_fields(fields: dict[int, _Field], seen: _Pages, *, is_page: bool) -> None:
    subfile_type, compression, photometric = (
        next(seen.numbers(fields.get(tag)), 0) for tag in (SUBFILE_TYPE, COMPRESSION, PHOTOMETRIC)
    )
    is_image = not subfile_type & NOT_A_PAGE
    if not seen.directories:
        # The first image of a camera raw file, or the preview in front of it.
        seen.is_raw = bool(
            fields.keys() & RAW_TAGS
            or compression in RAW_COMPRESSIONS
            or photometric in RAW_PHOTOMETRICS
            or (SUB_IMAGES in fields and not is_image)
        )
    seen.directories += 1
    seen.pages += is_page and is_image
    parts = [(fields[at], fields[size]) for at, size in PARTS.items() if at in fields and size in fields]
    seen.parts += parts
    for each in (*chain.from_iterable(parts), *(fields[tag] for tag in NESTED_DIRECTORIES & fields.keys())):
        if each.values is not None:
            seen.plan_nested(each)
        elif seen.array_bytes + each.size <= MOST_ARRAY_BYTES:
            seen.array_bytes += each.size
            seen.plan(each.offset, each)
        else:
            seen.misses_some = True


def _read_parts(file: Incoming, seen: _Pages) -> Reading[None]:
    """Read to the end of the last strip or tile. What follows it is trailing data, if nothing is missed."""
    for places, sizes in seen.parts:
        ends = map(sum, zip(seen.numbers(places), seen.numbers(sizes), strict=False))
        seen.end = max(seen.end, max(ends, default=0))
    file.at(f"and should have {seen.end:,}")
    yield from file.skip(max(seen.end - file.position, 0))
    if seen.misses_some:
        yield from file.skip_to_end()


def _parse_field(data: bytes, layout: _Layout) -> _Field:
    kind = layout.number(data[2:4])
    count = layout.number(data[4 : 4 + layout.offset_bytes])
    place = data[4 + layout.offset_bytes :]
    size = count * VALUE_BYTES.get(kind, 0)
    return _Field(
        tag=layout.number(data[:2]),
        kind=kind,
        size=size,
        values=place[:size] if size <= len(place) else None,
        offset=layout.number(place),
    )


FORMAT: Final = Format(recognise=_recognise, read=_read)
