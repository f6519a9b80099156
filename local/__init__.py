"""The embedded AWS: an AWS emulator on this machine, and the unmodified Pulumi program deployed on it."""

from __future__ import annotations


class LocalError(Exception):
    """A failure. Its message is the sentence that the user gets to read."""
