"""Bytes to measure with."""

from __future__ import annotations

import random
from functools import cache

PNG_HEAD = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
NOT_A_RECEIPT = b"Total: 12.00 EUR"
SEED_BYTES = 8


def png(size_bytes: int, seed: int = 0) -> bytes:
    """Return bytes that start as a PNG does, different for each seed."""
    return PNG_HEAD + seed.to_bytes(SEED_BYTES) + _noise(size_bytes - len(PNG_HEAD) - SEED_BYTES)


@cache
def _noise(size_bytes: int) -> bytes:
    return random.Random(size_bytes).randbytes(size_bytes)  # noqa: S311 (not a secret)
