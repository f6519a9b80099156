"""Settings for every test."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import settings

from local import interrupted_by_signals

# No test says how fast this machine has to be.
settings.register_profile("bill-e", deadline=None)
settings.load_profile("bill-e")


def pytest_configure(config: pytest.Config) -> None:
    """Let a run be interrupted, also in the background: each of its workers may run an embedded AWS."""
    until_the_end = contextlib.ExitStack()
    until_the_end.enter_context(interrupted_by_signals())
    config.add_cleanup(until_the_end.close)
