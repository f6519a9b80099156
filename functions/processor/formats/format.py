"""What each format says about a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.contract.entry import ContentFinding

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.processor.formats.incoming import Incoming, Reading


@dataclass(frozen=True, kw_only=True)
class Whole:
    """A file that was read to its end. ``media_type`` is ``None`` if it only looked like the format."""

    media_type: str | None
    findings: frozenset[ContentFinding] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Format:
    """``recognise`` takes the first bytes of a file and returns its media type, or ``None``.

    ``read`` reads a file that was recognised, to the end of its content, and raises DamagedFileError if the
    file ends before. Bytes that it leaves are trailing data.
    """

    recognise: Callable[[bytes], str | None]
    read: Callable[[Incoming], Reading[Whole]]


def image(media_type: str | None, *, several: bool) -> Whole:
    """Return what is said of a file of one or more images."""
    found = {ContentFinding.MULTIPLE_IMAGES} if several else set()
    return Whole(media_type=media_type, findings=frozenset(found))
