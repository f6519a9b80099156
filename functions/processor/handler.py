"""The processor's entry point in Lambda.

The processor and its clients are made on import, once for each execution environment, because Lambda gives
initialisation more CPU than a small function has later.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from functions.contract.environment import ProcessorEnvironment, read_environment
from functions.log import LambdaContext, begin_invocation
from functions.processor.invocation import Deadline
from functions.processor.processor import Processor

if TYPE_CHECKING:
    from functions.processor.invocation import BatchResponse

_processor = Processor.connected(read_environment(ProcessorEnvironment, os.environ))


def handle(event: dict[str, Any], context: LambdaContext) -> BatchResponse:
    """Process a batch of SQS messages, and report the messages that have to come back."""
    begin_invocation(context.aws_request_id)
    return _processor.process(event, Deadline(context.get_remaining_time_in_millis))
