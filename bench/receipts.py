"""Bytes to measure with."""

from __future__ import annotations

import random

PNG_HEAD = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
NOT_A_RECEIPT = b"Total: 12.00 EUR"


def png(size_bytes: int, seed: int = 0) -> bytes:
    """Return bytes that start as a PNG does, different for each seed."""
    return PNG_HEAD + random.Random(seed).randbytes(size_bytes - len(PNG_HEAD))  # noqa: S311 (not a secret)
