"""Rows on disk, divided by the first byte of their keys, so that millions can be compared part by part."""

from __future__ import annotations

import os
from itertools import islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MOST_PARTS: Final = 256
_PART_ROWS: Final = 1 << 15
"""How many rows a part has, unless there are more than `MOST_PARTS` of them."""

KEY_BYTES: Final = 32

_AT_ONCE: Final = 1 << 16
"""How many rows are held in memory before they are written."""


def parts_for(rows: int) -> int:
    """Say into how many parts to divide so many rows."""
    return min(1 + rows // _PART_ROWS, MOST_PARTS)


def spill(rows: Iterable[bytes], folder: Path, parts: int) -> int:
    """Add rows of one length that begin with a key, and return how many there were.

    Several processes can add rows to the same folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    source, count = iter(rows), 0
    while held := [*islice(source, _AT_ONCE)]:
        count += len(held)
        divided: list[list[bytes]] = [[] for _ in range(parts)]
        for row in held:
            divided[row[0] % parts].append(row)
        for part, its_rows in enumerate(divided):
            if its_rows:
                with (folder / f"{part:02x}.{os.getpid()}").open("ab") as file:
                    file.write(b"".join(its_rows))
    return count


def read_part(folder: Path, part: int) -> bytes:
    """Read the rows of a part, in no order."""
    return b"".join(path.read_bytes() for path in folder.glob(f"{part:02x}.*"))
