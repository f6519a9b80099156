"""What Lambda hands the processor: a batch of SQS messages, and the time for it.

AWS Lambda Developer Guide, "Implementing partial batch responses" (``ReportBatchItemFailures``).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, TypedDict

from functions.contract.processing import CALL_SECONDS, READ_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAX_WORKERS = 10
"""How many messages are processed at a time: as many as a batch has by default."""


class Message(TypedDict):
    """The part of an SQS message, as Lambda delivers it, that the processor reads."""

    messageId: str
    body: str
    eventSourceARN: str


class BatchItemFailure(TypedDict):
    """A message that has to come back."""

    itemIdentifier: str


class BatchResponse(TypedDict):
    """The messages that Lambda must not delete."""

    batchItemFailures: list[BatchItemFailure]


class UnreadableBatchError(Exception):
    """The event isn't a batch of SQS messages."""


def messages_of(event: object) -> Sequence[Message]:
    """Return an event's messages. Raise UnreadableBatchError unless each has an id, a body and a queue."""
    messages = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(messages, list) or not messages:
        raise UnreadableBatchError("the event has no list of messages in Records")
    for index, message in enumerate(messages):
        for name in ("messageId", "body", "eventSourceARN"):
            value = message.get(name) if isinstance(message, dict) else None
            if not isinstance(value, str) or not value:
                raise UnreadableBatchError(f"Records[{index}].{name} is not text: this is not an SQS message")
    return messages


def process_batch(messages: Sequence[Message], process: Callable[[Message], None]) -> BatchResponse:
    """Process messages at the same time, as they mostly wait, and report those that ``process`` raises for.

    If all of them fail, they are reported in the same way. An exception would count as an error of the
    function.
    """

    def fails(message: Message) -> bool:
        try:
            process(message)
        except Exception:  # noqa: BLE001 - `process` has logged it
            return True
        return False

    with ThreadPoolExecutor(max_workers=min(MAX_WORKERS, len(messages))) as pool:
        failed = list(pool.map(fails, messages))
    return {
        "batchItemFailures": [
            {"itemIdentifier": message["messageId"]}
            for message, has_failed in zip(messages, failed, strict=True)
            if has_failed
        ]
    }


class OutOfTimeError(Exception):
    """There is too little time left, so the message has to come back."""


class Deadline:
    """The end of an invocation. ``remaining_ms`` returns the milliseconds until then (Lambda's context).

    ``allotted`` is how much time there was at first, which is the function's time-out.
    """

    def __init__(self, remaining_ms: Callable[[], int]) -> None:
        self._remaining_ms = remaining_ms
        self.allotted = timedelta(milliseconds=remaining_ms())

    def allow_call(self) -> None:
        """Raise OutOfTimeError if there is too little time for another call to AWS."""
        self._require(CALL_SECONDS * 1000)

    def allow_read(self) -> None:
        """Raise OutOfTimeError if there is too little time to read more of an open object."""
        self._require(READ_SECONDS * 1000)

    def _require(self, margin_ms: int) -> None:
        remaining_ms = self._remaining_ms()
        if remaining_ms < margin_ms:
            raise OutOfTimeError(f"{remaining_ms} ms left, {margin_ms} ms needed")
