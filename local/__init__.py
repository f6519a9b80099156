"""The embedded AWS: an AWS emulator on this machine, and the unmodified Pulumi program deployed on it."""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


class LocalError(Exception):
    """A failure. Its message is the sentence that the user gets to read."""
