"""The queues of a stack: counting their messages, and deciding when the processor gets them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from local.embedded_stack import EmbeddedStack

PROCESSED = ("queue_url", "resend_queue_url")
"""The stack outputs of the queues whose messages the processor takes."""


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


def depth(stack: EmbeddedStack, queue: str = "queue_url") -> Depth:
    """Ask for the depth of the queue with this stack output."""
    held = stack.administrator.client("sqs").get_queue_attributes(
        QueueUrl=stack.outputs[queue], AttributeNames=["All"]
    )["Attributes"]
    return Depth(
        waiting=int(held["ApproximateNumberOfMessages"]),
        in_work=int(held["ApproximateNumberOfMessagesNotVisible"]),
        delayed=int(held["ApproximateNumberOfMessagesDelayed"]),
    )


@contextlib.contextmanager
def processor_held(stack: EmbeddedStack) -> Iterator[None]:
    """Let messages gather in the queues; at the end, the processor takes as many at once as it can."""
    functions = stack.administrator.client("lambda")
    mappings = [each["UUID"] for each in functions.list_event_source_mappings()["EventSourceMappings"]]

    def enable(enabled: bool) -> None:
        for mapping in mappings:
            functions.update_event_source_mapping(UUID=mapping, Enabled=enabled)

    enable(False)
    try:
        yield
    finally:
        enable(True)


@contextlib.contextmanager
def redelivery_after(stack: EmbeddedStack, seconds: int) -> Iterator[None]:
    """Deliver a message that was received and not deleted again after ``seconds``, instead of minutes.

    With the program's visibility time-out, six times that of the function, a message never comes back while a
    function works on it. With a shorter one, that can happen, and must do no harm either.
    """
    sqs, urls = stack.administrator.client("sqs"), [stack.outputs[name] for name in PROCESSED]
    usual = {
        url: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
        for url in urls
    }
    for url in urls:
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(seconds)})
    try:
        yield
    finally:
        for url in urls:
            sqs.set_queue_attributes(QueueUrl=url, Attributes=usual[url])
