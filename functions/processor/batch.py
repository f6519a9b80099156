"""Powertools' batch processing of SQS messages, several at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType

MAX_WORKERS = 10
"""How many messages of a batch are processed at a time: as many as a batch has by default."""


class ConcurrentBatchProcessor(BatchProcessor):
    """A BatchProcessor whose messages wait for the network together instead of in turn.

    `BatchProcessor._process_record` turns a message's exception into that message's failure, and shares
    nothing between messages but the lists it appends to. Take a new one for every invocation.
    """

    def __init__(self) -> None:
        # A batch that failed as a whole is reported message by message like any other: an exception would
        # only be counted as an error of the function.
        super().__init__(event_type=EventType.SQS, raise_on_entire_batch_failure=False)

    def process(self) -> list[tuple[Any, ...]]:
        """Process all messages of the batch, and return when all are done."""
        with ThreadPoolExecutor(max_workers=min(MAX_WORKERS, len(self.records))) as pool:
            return list(pool.map(self._process_record, self.records))
