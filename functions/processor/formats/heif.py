"""HEIF and AVIF (ISO/IEC 23008-12 on ISO/IEC 14496-12): boxes that add up to the file.

The box "meta" lists the images, how they are coded, and where their bytes are, all of which must be there.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from functions.contract.entry import ContentFinding
from functions.processor.formats.format import Format, Whole, image
from functions.processor.formats.incoming import PADDING, DamagedFileError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from functions.processor.formats.incoming import Incoming, Reading

HEIC, AVIF = "image/heic", "image/avif"
BRANDS: Final = dict.fromkeys(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"), HEIC
) | dict.fromkeys((b"avif", b"avis"), AVIF)
"""Which coding a brand stands for (ISO/IEC 23008-12, annex B; AV1 Image File Format, section 8)."""

GENERIC_BRANDS: Final = frozenset({b"mif1", b"msf1", b"mif2", b"miaf"})
"""Brands that only mean "an image"."""

CODINGS: Final = {b"hvcC": HEIC, b"av1C": AVIF}
"""The item properties that configure a decoder."""

MOST_META_BYTES: Final = 256 * 1024
"""A larger box "meta" isn't read: then the brands tell the coding, and the places of images aren't known."""

IMAGES: Final = frozenset({b"hvc1", b"av01", b"grid", b"iovl", b"iden", b"jpeg"})
"""Types of items that are images. The last but one are derived from others."""

SUPPORTING: Final = frozenset({b"thmb", b"auxl"})
"""References from thumbnails, and from depth and transparency, to the image that they belong to."""


@dataclass(kw_only=True)
class _Image:
    """What the boxes say."""

    media_type: str | None
    has_meta: bool = False
    is_sequence: bool = False
    end: int = 0
    """Where the last byte of an image is."""

    items: dict[int, bytes] = field(default_factory=dict)
    """The type of each item that isn't hidden."""

    parts: set[int] = field(default_factory=set)
    """Items that only serve others: tiles, thumbnails and such."""

    def has_all_until(self, position: int) -> bool:
        """Whether all images end before. Where those of a sequence are isn't known."""
        return self.has_meta and not self.is_sequence and self.end <= position

    @property
    def shows_several(self) -> bool:
        shown = [item for item, kind in self.items.items() if kind in IMAGES and item not in self.parts]
        return self.is_sequence or len(shown) > 1


class _Numbers:
    """The numbers in a box, one after another."""

    def __init__(self, box: memoryview) -> None:
        self._box = box
        self._at = 0

    def take(self, count: int) -> int:
        return int.from_bytes(self.take_bytes(count), "big")

    def take_bytes(self, count: int) -> bytes:
        self._at += count
        if self._at > len(self._box):
            raise DamagedFileError('has a box "meta" that doesn\'t add up')
        return bytes(self._box[self._at - count : self._at])

    @property
    def has_more(self) -> bool:
        return self._at < len(self._box)

    @property
    def rest(self) -> memoryview:
        return self._box[self._at :]


def _recognise(head: bytes) -> str | None:
    """Return what the first brand says. What a generic one stands for is only known after the boxes."""
    if head[4:8] != b"ftyp":
        return None
    major = head[8:12]
    return _branded_type(head) or HEIC if major in GENERIC_BRANDS else BRANDS.get(major)


def _branded_type(head: bytes) -> str | None:
    """Return what the brands of the first box say: its size, "ftyp", a brand, a version, other brands."""
    end = min(int.from_bytes(head[:4], "big"), len(head))
    brands = (BRANDS.get(head[at : at + 4]) for at in (8, *range(16, end, 4)))
    return next(filter(None, brands), None)


def _read(file: Incoming) -> Reading[Whole]:
    head = yield from file.peek(4096)
    found = _Image(media_type=_branded_type(head))
    file.at('before the box "meta"')
    cut_after_images = False
    while not cut_after_images and (yield from _is_box_next(file, found)):
        has_all = found.has_all_until(file.position)
        try:
            yield from _read_box(file, found)
        except DamagedFileError:
            if not has_all:
                raise
            cut_after_images = True
    if not (found.has_meta or found.is_sequence):
        raise file.cut()
    if found.end > file.position:
        raise DamagedFileError(f"ends after {file.position:,} bytes, but an image ends at byte {found.end:,}")
    whole = image(found.media_type, several=found.shows_several)
    if cut_after_images:
        whole = replace(whole, findings=whole.findings | {ContentFinding.TRAILING_DATA})
    return whole


def _is_box_next(file: Incoming, found: _Image) -> Reading[bool]:
    """Say whether a box follows. Anything else is trailing data, once there is an image."""
    header = yield from file.peek(8)
    size, kind = int.from_bytes(header[:4], "big"), header[4:]
    if len(kind) == 4 and (size >= 8 or size in (0, 1)) and kind.isascii() and kind.decode().isprintable():
        return True
    if header.strip(PADDING) and not (found.is_sequence or found.has_all_until(file.position)):
        if len(kind) < 4:
            raise file.cut()
        raise DamagedFileError(f"has something other than a box at byte {file.position:,}")
    return False


def _read_box(file: Incoming, found: _Image) -> Reading[None]:
    start = file.position
    header = yield from file.read(8)
    size, kind = int.from_bytes(header[:4], "big"), header[4:8]
    if size == 0:  # to the end of the file
        yield from file.skip_to_end()
        return
    if size == 1:
        size = yield from file.number(8, "big")
    rest = start + size - file.position
    if rest < 0:
        raise DamagedFileError(f"has a box of {size:,} bytes at byte {start:,}")
    file.at(f'inside the box "{kind.decode()}"', size)
    if kind == b"meta" and not found.has_meta and rest <= MOST_META_BYTES:
        _parse_meta(memoryview((yield from file.read(rest))), found)
    else:
        yield from file.skip(rest)
    found.has_meta |= kind == b"meta"
    found.is_sequence |= kind == b"moov"
    file.at("before its images" if found.has_meta else 'before the box "meta"')


def _parse_meta(box: memoryview, found: _Image) -> None:
    parsers = {b"iinf": _parse_items, b"iloc": _parse_places, b"iref": _parse_references}
    codings = []
    for kind, content in _boxes(box[4:]):
        if kind in parsers:
            parsers[kind](content, found)
        elif kind == b"iprp":
            codings += _codings(content)
    if found.media_type not in codings:
        found.media_type = codings[0] if codings else None


def _codings(properties: memoryview) -> list[str]:
    """Read the box "iprp"."""
    containers = [content for kind, content in _boxes(properties) if kind == b"ipco"]
    return [CODINGS[kind] for each in containers for kind, _ in _boxes(each) if kind in CODINGS]


def _boxes(content: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    fields = _Numbers(content)
    while fields.has_more:
        size, kind = fields.take(4), fields.take_bytes(4)
        rest = fields.rest
        size = size - 8 if size else len(rest)
        if not 0 <= size <= len(rest):
            raise DamagedFileError('has a box "meta" that doesn\'t add up')
        yield kind, rest[:size]
        fields = _Numbers(rest[size:])


def _parse_items(box: memoryview, found: _Image) -> None:
    """Read the box "iinf"."""
    fields = _Numbers(box)
    version = fields.take(4) >> 24
    fields.take(4 if version else 2)
    for kind, content in _boxes(fields.rest):
        entry = _Numbers(content)
        if kind == b"infe" and (version := (flags := entry.take(4)) >> 24) >= 2:
            item = entry.take(2 if version == 2 else 4)
            entry.take(2)
            if not flags & 1:  # hidden
                found.items[item] = entry.take_bytes(4)


def _parse_places(box: memoryview, found: _Image) -> None:
    """Read the box "iloc"."""
    fields = _Numbers(box)
    version, sizes = fields.take(4) >> 24, fields.take(2)
    offset_bytes, length_bytes, base_bytes, index_bytes = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    wide = 4 if version == 2 else 2
    for _ in range(fields.take(wide)):
        fields.take(wide)
        is_in_file = not version or fields.take(2) & 15 == 0
        fields.take(2)
        base = fields.take(base_bytes)
        extents = fields.take(2) if offset_bytes or length_bytes else 0
        for _ in range(extents):
            if version:
                fields.take(index_bytes)
            offset, length = fields.take(offset_bytes), fields.take(length_bytes)
            if is_in_file:
                found.end = max(found.end, base + offset + length)


def _parse_references(box: memoryview, found: _Image) -> None:
    """Read the box "iref"."""
    fields = _Numbers(box)
    wide = 4 if fields.take(4) >> 24 else 2
    for kind, content in _boxes(fields.rest):
        reference = _Numbers(content)
        item = reference.take(wide)
        others = [reference.take(wide) for _ in range(reference.take(2))]
        if kind in SUPPORTING:
            found.parts.add(item)
        elif kind == b"dimg":  # the item is made of the others
            found.parts.update(others)


FORMAT: Final = Format(recognise=_recognise, read=_read)
