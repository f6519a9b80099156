"""The sealer's entry point in Lambda.

The clients are made on import, once for each execution environment.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from functions.contract.environment import SealerEnvironment, read_environment
from functions.contract.sealing import RUN_SECONDS, SETTLED_AFTER_SECONDS, SETTLING, TIMEOUT_SECONDS
from functions.log import LambdaContext, begin_invocation
from functions.sealer.sealer import Sealer

_RESERVE_MS = (TIMEOUT_SECONDS - RUN_SECONDS) * 1000

_sealer = Sealer.connected(read_environment(SealerEnvironment, os.environ))


def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Seal what was recorded, and return how much, and the size of the log."""
    begin_invocation(context.aws_request_id)
    settled_after = event.get(SETTLED_AFTER_SECONDS, SETTLING.total_seconds())
    return _sealer.run(
        lambda: context.get_remaining_time_in_millis() > _RESERVE_MS, timedelta(seconds=settled_after)
    )
