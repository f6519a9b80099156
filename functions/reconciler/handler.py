"""The reconciler's entry point in Lambda.

The clients are made on import, once for each execution environment.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from functions.contract.environment import ReconcilerEnvironment, read_environment
from functions.contract.reconciliation import BEGIN_WITH_AGE, SLICE_SECONDS, TIMEOUT_SECONDS
from functions.log import LambdaContext, begin_invocation
from functions.reconciler.reconciliation import Reconciliation

_RESERVE_MS = (TIMEOUT_SECONDS - SLICE_SECONDS) * 1000

_reconciliation = Reconciliation.connected(read_environment(ReconcilerEnvironment, os.environ))


def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take one slice of a round, if one is due, and return how far it has come."""
    begin_invocation(context.aws_request_id)
    return _reconciliation.run(
        lambda: context.get_remaining_time_in_millis() > _RESERVE_MS,
        timedelta(milliseconds=context.get_remaining_time_in_millis()),
        event.get(BEGIN_WITH_AGE),
    )
