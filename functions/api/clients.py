"""How the HTTP functions talk to AWS."""

from __future__ import annotations

from botocore.config import Config

CLIENT_CONFIG = Config(
    # An HTTP API gives up after 30 s: all attempts of one call stay below, so that a problem can be told.
    connect_timeout=2,
    read_timeout=3,
    retries={"mode": "standard", "total_max_attempts": 3},
)
