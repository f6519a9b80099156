"""The pipeline around the real processor: a versioned bucket, an at-least-once queue and the ledger's table.

Everything is in memory and has its own clock, so that hours pass in no time and every run is the same. The
processor is the real one, with real boto3 clients: requests are serialised and signed, and answers are bytes
that botocore parses. Only botocore's ``before-send`` event takes the place of AWS: there, a call can be
refused, lost, cut off or held up while other things happen.

The messages of a batch are processed one after the other, because an order of calls that threads decide could
not be repeated. Instead, a second invocation can run in the middle of a call (``Delivery.meanwhile``).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn, Self, cast

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from functions.contract import schema
from functions.contract.entry import Entry, ObjectVersion, Outcome, Reason, Upload
from functions.contract.environment import ProcessorEnvironment, write_environment
from functions.log import logger
from functions.processor import invocation, processor
from local.in_process.answers import Answer, dynamodb_error, s3_error
from local.in_process.aws import InProcessAws
from local.in_process.dynamodb import ledger_table
from local.in_process.events import SOURCE, s3_event, sqs_event
from local.in_process.s3 import StoredObject
from tests.functions.examples import JPEG, PDF, PNG, TEXT, entry_point, upload

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from botocore.awsrequest import AWSResponse

    from functions.log import LambdaContext

FUNCTION_TIMEOUT = timedelta(seconds=60)
VISIBILITY_TIMEOUT = 6 * FUNCTION_TIMEOUT
MAX_RECEIVES = 5
CALL_TIME = timedelta(milliseconds=10)
READ_TIMEOUT = timedelta(seconds=5)
START = datetime(2026, 11, 30, 23, 50, tzinfo=UTC)
"""Ten minutes before a new month, and with it a new partition of the time index."""

INDEX_LAG = timedelta(seconds=30)
"""How long an entry isn't in the time index yet: mostly milliseconds, but nobody promises any limit."""

INDEX_PAGE = 3
"""How many items a page of a query examines: few, so that there are several pages."""

BUCKET, TABLE, SHARDS, MAX_BYTES = "uploads", "ledger", 2, 1000


@dataclass(frozen=True, kw_only=True)
class Content:
    """Bytes to upload, and what the ledger has to say about them."""

    data: bytes
    media_type: str | None = None
    reason: Reason | None = None

    @property
    def fingerprint(self) -> str | None:
        """The SHA-256 of the bytes where they are read at all."""
        return None if self.reason is Reason.TOO_LARGE else hashlib.sha256(self.data).hexdigest()


LUNCH = Content(data=PNG, media_type="image/png")
TAXI = Content(data=PDF, media_type="application/pdf")
PHOTO = Content(data=JPEG, media_type="image/jpeg", reason=Reason.UNSUPPORTED_TYPE)
NOTE = Content(data=TEXT, reason=Reason.UNSUPPORTED_TYPE)
CUT = Content(data=PNG[:-1], media_type="image/png", reason=Reason.DAMAGED)
NOTHING = Content(data=b"", reason=Reason.EMPTY)
SCAN = Content(data=PNG.ljust(MAX_BYTES + 1), reason=Reason.TOO_LARGE)
CONTENTS = (LUNCH, TAXI, PHOTO, NOTE, CUT, NOTHING, SCAN)


class Fault(StrEnum):
    """What can go wrong with one call."""

    THROTTLED = "throttled"
    SERVER_ERROR = "server error"
    FORBIDDEN = "forbidden"
    NO_CONNECTION = "no connection"
    TIMED_OUT = "timed out"
    ANSWER_LOST = "took effect, answer lost"
    ANSWER_CUT = "answer cut in the middle"
    KILLED_BEFORE = "killed before"
    KILLED_AFTER = "killed after"

    def befalls(self, operation: str) -> bool:
        """Tell whether the fault makes sense for an operation: only an object is long enough to be cut."""
        return self is not Fault.ANSWER_CUT or operation == "GetObject"


REFUSALS = {
    Fault.THROTTLED: ((503, "SlowDown"), (400, "ProvisionedThroughputExceededException")),
    Fault.SERVER_ERROR: ((500, "InternalError"), (500, "InternalServerError")),
    Fault.FORBIDDEN: ((403, "AccessDenied"), (400, "AccessDeniedException")),
}
"""Status and code with which S3 and DynamoDB refuse a call."""

OF_S3 = ("GetObject", "HeadObject")


class Killed(BaseException):
    """The worker is gone: nothing in it runs on, not even what catches every Exception."""


@dataclass(kw_only=True, eq=False)
class Message:
    """A message of the queue; ``visible_at`` is when it can be received (again)."""

    name: str
    body: str
    uploads: tuple[Upload, ...]
    visible_at: datetime
    receives: int = 0
    state: str = "queued"  # or "done", or "dead": in the dead-letter queue


@dataclass(kw_only=True)
class Delivery:
    """One invocation. ``faults`` and ``meanwhile`` are by the number of the call, from 0.

    What happens ``meanwhile`` happens after the call took effect and before its answer arrives.
    """

    ends_at: datetime
    faults: Mapping[int, Fault]
    meanwhile: Mapping[int, Sequence[Callable[[], None]]]
    calls: list[str] = field(default_factory=list)
    killed: bool = False


class Pipeline:
    """A bucket, a queue, a ledger and the processor between them, empty at first."""

    def __init__(self, line: Line) -> None:
        self.now = START
        self.table = ledger_table(index_lag=INDEX_LAG, now=lambda: self.now, page_items=INDEX_PAGE)
        self.aws = InProcessAws({TABLE: self.table})
        self.messages: list[Message] = []
        self.uploads: dict[ObjectVersion, tuple[Upload, Content]] = {}
        self.deleted: set[ObjectVersion] = set()
        self.broken: list[str] = []
        self.faults_met: Counter[Fault] = Counter()
        self.outages: dict[str, Fault] = {}
        self.calls: list[str] = []
        self._deliveries: list[Delivery] = []
        self.line = line
        line.pipeline = self
        line.deploy(shards=SHARDS)

    # What people and S3 do.

    def upload(self, *files: tuple[str, Content]) -> list[Upload]:
        """Upload files, the events of which come in one message."""
        made = []
        for key, content in files:
            self.wait(CALL_TIME)
            one = upload(key=key, version_id=f"v{len(self.uploads)}", uploaded_at=self._event_time())
            self.uploads[one.version] = (one, content)
            self.aws.objects[one.version] = StoredObject(piece=content.data, checksum="SHA256")
            made.append(one)
        self.send(*made)
        return made

    def send(self, *uploads: Upload) -> Message:
        """Let S3 send the events of uploads, again or for the first time, in one message."""
        return self.send_body(s3_event(*uploads), uploads)

    def send_body(self, body: str, uploads: Sequence[Upload] = ()) -> Message:
        message = Message(
            name=f"m{len(self.messages)}", body=body, uploads=tuple(uploads), visible_at=self.now
        )
        self.messages.append(message)
        return message

    def delete(self, version: ObjectVersion) -> None:
        """Delete a version for good."""
        self.aws.objects.pop(version, None)
        self.deleted.add(version)

    def wait(self, time: timedelta) -> None:
        self.now += time

    # What SQS and Lambda do.

    def visible(self) -> list[Message]:
        return [each for each in self.messages if each.state == "queued" and each.visible_at <= self.now]

    def dead(self) -> list[Message]:
        return [each for each in self.messages if each.state == "dead"]

    def deliver(
        self,
        messages: Iterable[Message],
        *,
        faults: Mapping[int, Fault] | None = None,
        meanwhile: Mapping[int, Sequence[Callable[[], None]]] | None = None,
    ) -> None:
        """Invoke the processor with a batch; messages that were received too often go to the DLQ instead."""
        received = [each for each in messages if self._receive(each)]
        if not received:
            return
        delivery = Delivery(
            ends_at=self.now + FUNCTION_TIMEOUT, faults=faults or {}, meanwhile=meanwhile or {}
        )
        self._deliveries.append(delivery)
        try:
            response = self.line.handle(_batch(received), _context(self, delivery))
        except Killed:
            return  # the invocation failed: everything comes back
        finally:
            self._deliveries.remove(delivery)
        failed = {failure["itemIdentifier"] for failure in response["batchItemFailures"]}
        for message in received:
            if message.name not in failed:
                self._acknowledge(message)

    def raise_shards(self) -> None:
        """Deploy the processor with one shard more."""
        self.line.deploy(shards=self.line.shards + 1)

    def redrive(self) -> None:
        """Move what is in the DLQ back to the queue, as new messages."""
        for message in self.dead():
            message.state, message.receives, message.visible_at = "queued", 0, self.now

    def drain(self, faults: Mapping[int, Fault] | None = None) -> None:
        """Deliver until the queue is empty; ``faults`` are by the number of the call from here on."""
        first = len(self.calls)
        while any(message.state == "queued" for message in self.messages):
            done = len(self.calls) - first
            ahead = {number - done: fault for number, fault in (faults or {}).items() if number >= done}
            self.deliver(self.visible(), faults=ahead)
            self.wait(VISIBILITY_TIMEOUT)

    def _receive(self, message: Message) -> bool:
        if message.state == "queued" and message.receives >= MAX_RECEIVES:
            message.state = "dead"
        if message.state == "dead":
            return False
        message.receives += 1
        message.visible_at = self.now + VISIBILITY_TIMEOUT
        return True

    def _acknowledge(self, message: Message) -> None:
        message.state = "done"
        if not message.uploads and message.body != TEST_EVENT:
            self.broken.append(f"{message.name} was acknowledged and cannot be understood")
        for each in message.uploads:
            if each.version not in self.recorded():
                self.broken.append(f"{message.name} was acknowledged, and {each.version} has no entry")

    # What AWS does with a call.

    def answer(self, operation: str, url: str, body: bytes) -> AWSResponse:
        """Answer a call of the processor, or do what the plan of the delivery says instead."""
        delivery = self._deliveries[-1]
        number = len(delivery.calls)
        delivery.calls.append(operation)
        self.calls.append(operation)
        self._take(CALL_TIME, delivery)
        fault = delivery.faults.get(number, self.outages.get(operation))
        if fault is not None and fault.befalls(operation):
            self.faults_met[fault] += 1
            refused = self._fail_before(fault, delivery, operation, url)
            if refused is not None:
                return refused.response(url)
        answer = self._carry_out(operation, url, body)
        for happen in delivery.meanwhile.get(number, ()):
            happen()
            self._take(timedelta(0), delivery)
        self._fail_after(fault, delivery, url)
        is_cut = fault is Fault.ANSWER_CUT and fault.befalls(operation)
        return answer.response(url, arrived=len(answer.body) // 2 if is_cut else None)

    def _fail_before(self, fault: Fault, delivery: Delivery, operation: str, url: str) -> Answer | None:
        """Let a call come to nothing: return what refuses it, or raise where nothing comes back at all."""
        if fault in REFUSALS:
            of_s3, of_dynamodb = REFUSALS[fault]
            return s3_error(*of_s3) if operation in OF_S3 else dynamodb_error(*of_dynamodb)
        match fault:
            case Fault.NO_CONNECTION:
                raise ConnectionClosedError(endpoint_url=url)
            case Fault.TIMED_OUT:
                self._take(READ_TIMEOUT, delivery)
                raise ReadTimeoutError(endpoint_url=url)
            case Fault.KILLED_BEFORE:
                self._kill(delivery)
        return None

    def _fail_after(self, fault: Fault | None, delivery: Delivery, url: str) -> None:
        """Let the answer to a call that took effect be lost."""
        match fault:
            case Fault.ANSWER_LOST:
                self._take(READ_TIMEOUT, delivery)
                raise ReadTimeoutError(endpoint_url=url)
            case Fault.KILLED_AFTER:
                self._kill(delivery)

    def _take(self, time: timedelta, delivery: Delivery) -> None:
        """Let time pass; an invocation that is out of it is killed."""
        self.wait(time)
        if delivery.killed or self.now > delivery.ends_at:
            self._kill(delivery)

    def _kill(self, delivery: Delivery) -> NoReturn:
        delivery.killed = True
        raise Killed

    def _carry_out(self, operation: str, url: str, body: bytes) -> Answer:
        try:
            return self.aws.answer(operation, url, body)
        except Exception as error:
            # botocore would take it for a broken connection.
            self.broken.append(f"{operation} cannot be answered in this process: {error!r}")
            raise

    # What is in the ledger.

    def entries(self) -> list[Entry]:
        return [schema.from_item(item) for item in self.table.items.values() if not schema.is_note(item)]

    def recorded(self) -> set[ObjectVersion]:
        return {entry.upload.version for entry in self.entries()}

    def items(self) -> dict[tuple[str, ...], schema.Item]:
        """Every item as it stands, for comparing with a later look."""
        return dict(self.table.items)

    def _event_time(self) -> datetime:
        """S3 gives event times in milliseconds."""
        return self.now.replace(microsecond=self.now.microsecond // 1000 * 1000)


TEST_EVENT = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": BUCKET})


def _batch(messages: Sequence[Message]) -> dict[str, Any]:
    events = (sqs_event({each.name: each.body}, receives=each.receives) for each in messages)
    return {"Records": [record for event in events for record in event["Records"]]}


def _context(pipeline: Pipeline, delivery: Delivery) -> LambdaContext:
    return cast("LambdaContext", _Context(lambda: delivery.ends_at - pipeline.now))


@dataclass
class _Context:
    """The part of Lambda's context that the function uses."""

    time_left: Callable[[], timedelta]
    aws_request_id: str = "9a5b3c1e-0000-4000-8000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        return max(0, self.time_left() // timedelta(milliseconds=1))


class Line:
    """The far end of the processor's connections: whichever pipeline was made last is there."""

    pipeline: Pipeline
    handle: Callable[..., Any]
    shards = 0

    def deploy(self, *, shards: int) -> None:
        """Have the processor start anew, with as many shards."""
        if shards != self.shards:
            self.shards = shards
            os.environ["LEDGER_SHARDS"] = str(shards)
            self.handle = entry_point("processor")

    def __call__(self, request: Any, event_name: str, **_: Any) -> AWSResponse:
        return self.pipeline.answer(event_name.rpartition(".")[2], request.url, request.body or b"")


@contextlib.contextmanager
def processor_on_line() -> Iterator[Line]:
    """Set the real processor up, with its clients on a line to a pipeline in memory, and without retries.

    botocore would try again by itself, and a fault would never reach the processor.
    """
    line = Line()
    make_client = boto3.client

    @cache
    def connected(service: Any, **kwargs: Any) -> Any:
        client = make_client(service, **kwargs)
        clients.callback(client.close)
        client.meta.events.register("before-send", line)
        return client

    class PipelineTime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromtimestamp(line.pipeline.now.timestamp(), tz)

    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as clients:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "eu-central-1",
            **write_environment(
                ProcessorEnvironment,
                service="test",
                stack="test",
                ledger_table=TABLE,
                ledger_shards=SHARDS,
                max_receipt_bytes=MAX_BYTES,
                accepted_types=["application/pdf", "image/png"],
                **SOURCE,
            ),
        }.items():
            patch.setenv(name, value)
        once = processor.CLIENT_CONFIG.merge(Config(retries={"total_max_attempts": 1}))
        patch.setattr(processor, "CLIENT_CONFIG", once)
        patch.setattr(processor, "datetime", PipelineTime)
        patch.setattr(boto3, "client", connected)
        patch.setattr(invocation, "MAX_WORKERS", 1)
        level = logger.level
        logger.setLevel("CRITICAL")
        try:
            yield line
        finally:
            logger.setLevel(level)


def wrongs(pipeline: Pipeline, before: Mapping[tuple[str, ...], schema.Item]) -> list[str]:
    """Say what is wrong at this moment, whatever is still on its way; nothing where all is well.

    ``before`` is how the ledger stood at an earlier moment.
    """
    found = list(pipeline.broken)
    now = pipeline.items()
    found += [
        f"{key} has changed or is gone"
        for key, item in before.items()
        if now.get(key) != item and not (key in now and key[1] == schema.BACKING)
    ]
    entries = pipeline.entries()
    counts = Counter(entry.upload.version for entry in entries)
    found += [f"{version} has {count} entries" for version, count in counts.items() if count > 1]
    receipts = {entry.fingerprint: entry for entry in entries if entry.outcome is Outcome.ACCEPTED}
    accepted = sum(entry.outcome is Outcome.ACCEPTED for entry in entries)
    if accepted != len(receipts):
        found.append(f"{accepted} receipts of {len(receipts)} fingerprints")
    for entry in entries:
        if entry.upload.version not in pipeline.uploads:
            found.append(f"{entry.upload.version} was never uploaded")
        elif not _is_right(entry, pipeline):
            found.append(f"{entry} is not what was uploaded")
        if entry.outcome is Outcome.DUPLICATE:
            first = receipts.get(entry.fingerprint)
            if first is None or entry.duplicate_of != first.upload.version:
                found.append(f"{entry} is a duplicate of what isn't the receipt")
    return found + _wrong_restorations(pipeline)


def _wrong_restorations(pipeline: Pipeline) -> list[str]:
    """Say what was restored although it is there, or by two uploads that are there."""
    restoring = [entry for entry in pipeline.entries() if entry.restores]
    left = Counter(entry.fingerprint for entry in restoring if entry.upload.version not in pipeline.deleted)
    return [
        *(
            f"{entry} restores what is there"
            for entry in restoring
            if entry.duplicate_of not in pipeline.deleted
        ),
        *(f"{fingerprint} is restored {count} times" for fingerprint, count in left.items() if count > 1),
    ]


def losses(pipeline: Pipeline) -> list[str]:
    """Say which uploads have neither an entry nor a message that is kept; for when the queue is empty."""
    kept = {each.version for message in pipeline.dead() for each in message.uploads}
    missing = set(pipeline.uploads) - pipeline.recorded() - kept
    return [f"{version} is lost" for version in missing]


def _is_right(entry: Entry, pipeline: Pipeline) -> bool:
    """Compare an entry with its upload: the outcome may depend on nothing else but who was first."""
    version = entry.upload.version
    made, content = pipeline.uploads[version]
    if entry.upload != made:
        return False
    if entry.reason is Reason.OBJECT_MISSING:
        unread = (entry.fingerprint, entry.size_bytes, entry.media_type) == (None, None, None)
        return version in pipeline.deleted and unread and entry.outcome is Outcome.REJECTED
    return (
        (entry.outcome is Outcome.REJECTED) == (content.reason is not None)
        and entry.reason is content.reason
        and entry.fingerprint == content.fingerprint
        and entry.size_bytes == len(content.data)
        and entry.media_type == content.media_type
    )
