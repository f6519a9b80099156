"""What the security tests do with the functions: upload, deliver, ask, and look at what comes of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from functions.contract import schema
from tests.functions.examples import context, failed, sqs_batch, upload
from tests.functions.http_events import Context, http_event

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Mapping
    from datetime import tzinfo

    from functions.contract.entry import Entry, Upload
    from tests.functions.conftest import LedgerTable, UploadsBucket

SHARDS = 4
MAX_BYTES = 1_000_000
LAMBDA_RESPONSE_BYTES = 6_291_556
"""AWS Lambda Developer Guide, "Lambda quotas": the largest response of a synchronous invocation."""

JSON = {"content-type": "application/json"}

ENVIRONMENT = {
    "LEDGER_TABLE": "ledger",
    "LEDGER_SHARDS": str(SHARDS),
    "MAX_RECEIPT_BYTES": str(MAX_BYTES),
    "ACCEPTED_TYPES": "application/pdf,image/png",
    "UPLOADS_BUCKET": "uploads",
    "FORM_PREFIX": "incoming/",
    "FORM_LIFETIME_SECONDS": "60",
}


@dataclass(kw_only=True)
class Clock:
    """The processor's clock, which can be put ahead."""

    ahead: timedelta = timedelta()

    def now(self, tz: tzinfo) -> datetime:
        return datetime.now(tz) + self.ahead


@dataclass(frozen=True, kw_only=True)
class Response:
    """A response that has passed `Account.ask`'s checks. ``text`` is the body as it was sent."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True, kw_only=True)
class Account:
    """A bucket, a ledger and the functions. ``calls`` are the AWS operations that the functions made.

    An exception in ``trouble`` is what each further call ends with.
    """

    bucket: UploadsBucket
    table: LedgerTable
    processor: Callable[..., dict[str, Any]]
    reader: Callable[..., dict[str, Any]]
    upload_forms: Callable[..., dict[str, Any]]
    calls: list[str]
    trouble: list[Exception]
    log: io.StringIO
    clock: Clock

    def put(self, key: str, data: bytes) -> Upload:
        version = self.bucket.client.put_object(Bucket=self.bucket.name, Key=key, Body=data)["VersionId"]
        return upload(key=key, version_id=version)

    def delete(self, made: Upload) -> None:
        """Delete an object version for good."""
        version = made.version
        self.bucket.client.delete_object(Bucket=version.bucket, Key=version.key, VersionId=version.version_id)

    def process(self, *bodies: str, receive_count: int = 1) -> list[str]:
        """Deliver message bodies as one batch, and return the names of the messages that come back."""
        return failed(self.processor(sqs_batch(*bodies, receive_count=receive_count), context()))

    def entries(self) -> list[Entry]:
        items = self.table.client.scan(TableName=self.table.name, IndexName=schema.TIME_INDEX)["Items"]
        return [schema.from_item(item) for item in items]

    def empty_ledger(self) -> None:
        for item in self.table.client.scan(TableName=self.table.name)["Items"]:
            key = {name: item[name] for name in (schema.FINGERPRINT, schema.ENTRY)}
            self.table.client.delete_item(TableName=self.table.name, Key=key)

    def ask(self, handle: Callable[..., dict[str, Any]], event: dict[str, Any]) -> Response:
        """Let a function answer a request, and check what holds for every answer to any request."""
        response = handle(event, Context())
        assert len(json.dumps(response).encode()) < LAMBDA_RESPONSE_BYTES
        status, headers, text = response["statusCode"], response["headers"], response["body"]
        assert isinstance(status, int)
        assert 200 <= status < 500
        for header in headers.items():
            assert all(isinstance(part, str) and part.isascii() and part.isprintable() for part in header)
        assert isinstance(text, str)
        # ASCII without control characters: nothing that was sent can steer whatever shows the answer.
        assert text.isascii()
        assert text.isprintable()
        assert not response.get("cookies")
        assert response["isBase64Encoded"] is False
        sent = {name.lower(): value for name, value in headers.items()}
        assert sent["cache-control"] == "no-store"
        body = json.loads(text)
        assert isinstance(body, dict)
        if status < 400:
            assert sent["content-type"] == "application/json"
        else:
            assert sent["content-type"] == "application/problem+json"
            assert body["status"] == status
            assert body["type"].startswith("/problems/")
            assert isinstance(body["title"], str)
            assert isinstance(body["detail"], str)
        return Response(status=status, headers=sent, text=text)

    def get(self, path: str, query: str = "") -> Response:
        return self.ask(self.reader, http_event("GET", path, query))

    def post(self, body: str | None, **event: Any) -> Response:
        return self.ask(
            self.upload_forms, http_event("POST", "/uploads", body=body, **{"headers": JSON, **event})
        )

    def new_log_lines(self) -> list[str]:
        """Return what the functions logged since the last look."""
        lines = self.log.getvalue().splitlines()
        self.log.seek(0)
        self.log.truncate()
        return lines
