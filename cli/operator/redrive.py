"""Redriving dead letters: an SQS task moves them to the resend queue."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cli.errors import BillEError, explained
from cli.operator.resources import Queue
from functions.contract.entry import format_time

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

POLL_SECONDS = 1.0
RUNNING = ("RUNNING", "CANCELLING")
"""States of a move task that has not ended (ListMessageMoveTasks). SQS runs one for each queue at a time."""


@dataclass(frozen=True, kw_only=True)
class Move:
    """How far a move task has come: `moved` of about `to_move` messages."""

    status: str
    moved: int
    to_move: int
    started_at: str
    failure: str | None = None

    @property
    def is_running(self) -> bool:
        """Whether the task is still running."""
        return self.status in RUNNING


def latest_move(sqs: SQSClient, dead_letters: Queue) -> Move | None:
    """Return the newest move task of a dead-letter queue, which may have ended; None if there was none."""
    with explained("looking for redrives (sqs:ListMessageMoveTasks)", granted_by="operator_policy"):
        answer = sqs.list_message_move_tasks(SourceArn=dead_letters.arn, MaxResults=1)
    for task in answer.get("Results", ()):
        started = datetime.fromtimestamp(task.get("StartedTimestamp", 0) / 1000, UTC)
        return Move(
            status=task.get("Status", "UNKNOWN"),
            moved=task.get("ApproximateNumberOfMessagesMoved", 0),
            to_move=task.get("ApproximateNumberOfMessagesToMove", 0),
            started_at=format_time(started),
            failure=task.get("FailureReason"),
        )
    return None


def refuse_second(move: Move | None) -> None:
    """Raise BillEError if a redrive is running."""
    if move and move.is_running:
        raise BillEError(
            f"a redrive has been running since {move.started_at}: {move.moved:,} of about "
            f"{move.to_move:,} moved. Nothing was changed; try again when it has ended"
        )


def start_move(sqs: SQSClient, dead_letters: Queue, resends: Queue) -> None:
    """Start moving all dead letters to the resend queue.

    Without a named queue, SQS would move each letter back to the queue that it came from. Only S3 can send to
    one of those.
    """
    try:
        with explained("starting the redrive (sqs:StartMessageMoveTask)", granted_by="operator_policy"):
            sqs.start_message_move_task(SourceArn=dead_letters.arn, DestinationArn=resends.arn)
    except BillEError:
        # Somebody else may have been faster.
        refuse_second(latest_move(sqs, dead_letters))
        raise


def follow_move(
    sqs: SQSClient, dead_letters: Queue, pause: Callable[[float], None] = time.sleep
) -> Iterator[Move]:
    """Yield from time to time how far the newest move task has got, until it has ended."""
    while True:
        move = latest_move(sqs, dead_letters)
        if move is None:
            raise BillEError("SQS no longer lists the redrive: look at the dead letters again")
        yield move
        if not move.is_running:
            return
        pause(POLL_SECONDS)
