"""A table in memory for tens of millions of rows, which a dictionary would take six times as much for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY_BYTES: Final = 16
"""How much of a SHA-256 is a key. Nobody finds another upload whose key begins with the same 128 bits."""

_HEAD: Final = 2


class CompactTable:
    """Values of a fixed size, maybe none, by the first `KEY_BYTES` of a SHA-256.

    Rows whose keys begin alike are written one after another. A row takes as many bytes as its key and its
    value have, less `_HEAD`, and an eighth for growth.
    """

    def __init__(self, value_bytes: int) -> None:
        self._row_bytes = KEY_BYTES + value_bytes
        self._rows: dict[bytes, bytearray] = {}

    def add(self, rows: bytes) -> None:
        """Add rows, each a key and its value. Nothing is checked for being there already."""
        for start in range(0, len(rows), self._row_bytes):
            head_end, end = start + _HEAD, start + self._row_bytes
            self._rows.setdefault(rows[start:head_end], bytearray()).extend(rows[head_end:end])

    def value_of(self, digest: bytes) -> bytes | None:
        """Return the first value of a key, or None if there is none."""
        rows, rest = self._rows.get(digest[:_HEAD], b""), digest[_HEAD:KEY_BYTES]
        stride, start = self._row_bytes - _HEAD, rows.find(rest)
        # Bytes at the end of one row and the beginning of the next can look like the key.
        while start >= 0 and start % stride:
            start = rows.find(rest, start + 1)
        return None if start < 0 else bytes(rows[start + len(rest) : start + stride])

    def values(self) -> Iterator[bytes]:
        """Yield the value of each row, in no order."""
        stride, offset = self._row_bytes - _HEAD, KEY_BYTES - _HEAD
        for rows in self._rows.values():
            for start in range(0, len(rows), stride):
                yield bytes(rows[start + offset : start + stride])
