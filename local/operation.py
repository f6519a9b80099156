"""What an operator can do to a running stack besides the command line: hold things back, and hasten them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from local.environment import Environment


@dataclass(frozen=True, kw_only=True)
class Depth:
    """How many messages a queue holds: ready, received and not deleted yet, and held back for a while."""

    waiting: int
    in_work: int
    delayed: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.waiting + self.in_work + self.delayed


def depth(environment: Environment, queue: str = "queue_url") -> Depth:
    """Ask for the depth of the queue with this stack output."""
    held = environment.emulator.operator.client("sqs").get_queue_attributes(
        QueueUrl=environment.outputs[queue], AttributeNames=["All"]
    )["Attributes"]
    return Depth(
        waiting=int(held["ApproximateNumberOfMessages"]),
        in_work=int(held["ApproximateNumberOfMessagesNotVisible"]),
        delayed=int(held["ApproximateNumberOfMessagesDelayed"]),
    )


@contextlib.contextmanager
def processor_held(environment: Environment) -> Iterator[None]:
    """Let messages gather in the queue; at the end, the processor takes as many at once as it can."""
    functions = environment.emulator.operator.client("lambda")
    (mapping,) = functions.list_event_source_mappings()["EventSourceMappings"]
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    try:
        yield
    finally:
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)


@contextlib.contextmanager
def redelivery_after(environment: Environment, seconds: int) -> Iterator[None]:
    """Bring messages back so soon that were received and not deleted, instead of after minutes.

    The program's visibility time-out (six times that of the function) is there for functions that take their
    time; with a shorter one, a message may be worked on twice at once, which must do no harm either.
    """
    sqs, url = environment.emulator.operator.client("sqs"), environment.outputs["queue_url"]
    usual = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(seconds)})
    try:
        yield
    finally:
        sqs.set_queue_attributes(QueueUrl=url, Attributes=usual)
