"""Settings for every test."""

from __future__ import annotations

from hypothesis import settings

# No test says how fast this machine has to be.
settings.register_profile("bill-e", deadline=None)
settings.load_profile("bill-e")
