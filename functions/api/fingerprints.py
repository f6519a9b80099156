"""Fingerprints as callers write them."""

from __future__ import annotations

import re

ALLOWED = "the SHA-256 of the file: 64 hexadecimal digits, lower-case"

PATTERN = "[0-9a-f]{64}"


def is_fingerprint(value: object) -> bool:
    """Say whether a value is a fingerprint.

    Upper-case is not: a fingerprint is spelt in one way everywhere, so that it can be compared as text.
    """
    return isinstance(value, str) and re.fullmatch(PATTERN, value) is not None
