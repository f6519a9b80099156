"""Rows on disk, divided by the first byte of their keys, so that millions can be compared part by part."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PARTS: Final = 256
"""Into how many parts the rows of a large log are divided. Those of a small one stay in one part."""

KEY_BYTES: Final = 32

_AT_ONCE: Final = 1 << 16
"""How many rows are held in memory before they are written."""


class Spill:
    """Rows of one length that begin with a key. Several processes can add rows to the same folder."""

    def __init__(self, folder: Path, parts: int) -> None:
        self._folder = folder
        self._parts: list[list[bytes]] = [[] for _ in range(parts)]
        self._held = 0

    def add(self, row: bytes) -> None:
        """Add a row."""
        self._parts[row[0] % len(self._parts)].append(row)
        self._held += 1
        if self._held == _AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Write the rows that are held."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for number, rows in enumerate(self._parts):
            if rows:
                with (self._folder / f"{number:02x}.{os.getpid()}").open("ab") as file:
                    file.write(b"".join(rows))
                rows.clear()
        self._held = 0


def read_part(folder: Path, row_bytes: int, part: int) -> Iterator[bytes]:
    """Read the rows of a part, in no order."""
    for path in folder.glob(f"{part:02x}.*"):
        data = path.read_bytes()
        yield from (data[at : at + row_bytes] for at in range(0, len(data), row_bytes))
