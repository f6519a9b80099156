"""Uploads, entries and stored objects for the tests, and what SQS and Lambda give to the functions."""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from functions.contract.entry import Entry, ObjectVersion, Outcome, Reason, Upload, Uploader, Via
from local.in_process.events import BUCKET, QUEUE_ARN, sqs_event
from local.whole_files import jpeg, pdf, png

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from functions.log import LambdaContext

PNG, JPEG, PDF = png(), jpeg(), pdf()
MODIFIED = datetime(2026, 11, 22, 9, 59, 59, tzinfo=UTC)
TEXT = b"Total: 12.00 EUR"


def upload(key: str = "lunch.png", version_id: str = "v1", uploaded_at: datetime | None = None) -> Upload:
    """An upload to the bucket, a minute ago unless told otherwise."""
    return Upload(
        version=ObjectVersion(bucket=BUCKET, key=key, version_id=version_id),
        uploaded_at=uploaded_at or datetime.now(UTC) - timedelta(minutes=1),
        uploader=Uploader(principal="AWS:AIDAEXAMPLE", source_ip="192.0.2.7", via=Via.PUT),
    )


def entry(key: str, recorded_at: datetime, outcome: Outcome = Outcome.ACCEPTED, **changes: Any) -> Entry:
    """An entry. With another key, it has another object version and another fingerprint."""
    made = upload(key, uploaded_at=recorded_at)
    plain = Entry(
        outcome=outcome,
        upload=made,
        recorded_at=recorded_at,
        fingerprint=made.version.object_id,
        size_bytes=1024,
        media_type="image/png",
        reason=Reason.UNSUPPORTED_TYPE if outcome is Outcome.REJECTED else None,
        duplicate_of=made.version if outcome is Outcome.DUPLICATE else None,
    )
    return replace(plain, **changes)


@dataclass(kw_only=True)
class Stored:
    """An object in storage. Its pieces are counted, and can be generated while they are read."""

    pieces: Iterable[bytes]
    size_bytes: int
    is_readable: bool = True
    modified: datetime = MODIFIED
    metadata: Mapping[str, str] = field(default_factory=dict)
    sha256: str | None = None
    pieces_read: int = 0

    def chunks(self) -> Iterator[bytes]:
        for piece in self.pieces:
            self.pieces_read += 1
            yield piece


def stored(data: bytes, piece: int = 16, **changes: Any) -> Stored:
    """An object that is read in pieces of so many bytes."""
    pieces = [data[at : at + piece] for at in range(0, len(data), piece)]
    return Stored(**{"pieces": pieces, "size_bytes": len(data), **changes})


S3_TEST_EVENT = json.dumps(
    {"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-11-22T10:00:00.000Z", "Bucket": BUCKET}
)


def sqs_batch(*bodies: str, receive_count: int = 1, queue_arn: str = QUEUE_ARN) -> dict[str, Any]:
    """The event with which Lambda delivers message bodies, numbered "m0", "m1" and so on."""
    messages = {f"m{index}": body for index, body in enumerate(bodies)}
    return sqs_event(messages, receives=receive_count, queue_arn=queue_arn)


def failed(response: object) -> list[str]:
    """The messages that have to come back, according to a response, sorted."""
    assert isinstance(response, dict)
    return sorted(failure["itemIdentifier"] for failure in response["batchItemFailures"])


def context(remaining_ms: int = 60_000) -> LambdaContext:
    """What Lambda tells a function about an invocation."""
    told = SimpleNamespace(
        aws_request_id="9a5b3c1e-0000-4000-8000-000000000000",
        get_remaining_time_in_millis=lambda: remaining_ms,
    )
    return cast("LambdaContext", told)


def entry_point(function: str) -> Callable[..., Any]:
    """The handler of a function, imported again, as in a new execution environment."""
    name = f"functions.{function}.handler"
    sys.modules.pop(name, None)
    handle: Callable[..., Any] = importlib.import_module(name).handle
    return handle
