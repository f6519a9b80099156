"""The embedded AWS: the unmodified Pulumi program, deployed on an AWS emulator on this machine."""

from __future__ import annotations


class LocalError(Exception):
    """A failure in one sentence that the user reads as it stands."""
