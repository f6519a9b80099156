"""What can go wrong in the embedded AWS, as its user reads it."""

from __future__ import annotations


class LocalError(Exception):
    """A failure, told to the user as it stands: one sentence with what, where and what is allowed."""
