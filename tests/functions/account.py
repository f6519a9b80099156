"""An AWS account with a bucket, a ledger and the three functions, whose calls and output a test can see."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from functions.contract import schema
from functions.contract.environment import (
    FileLinksEnvironment,
    ProcessorEnvironment,
    UploadFormsEnvironment,
    write_environment,
)
from functions.ledger.store import LedgerStore
from local.in_process.events import BUCKET, QUEUE_ARN, RESEND_QUEUE_ARN, SOURCE
from tests.functions.examples import PNG, context, entry_point, failed, sqs_batch, upload
from tests.functions.http_events import JSON, Answer, http_event, sent

if TYPE_CHECKING:
    from datetime import tzinfo

    import pytest
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_s3 import S3Client

    from functions.contract.entry import Entry, Outcome, Upload

SHARDS = 4
MAX_BYTES = 1_000_000
TOO_LARGE = PNG.ljust(MAX_BYTES + 1)
LAMBDA_RESPONSE_BYTES = 6_291_556
"""AWS Lambda Developer Guide, "Lambda quotas": the largest response of a synchronous invocation."""

LEDGER = {"ledger_table": "ledger", "ledger_shards": SHARDS}
ENVIRONMENT = {
    **write_environment(
        ProcessorEnvironment,
        service="test",
        stack="test",
        max_receipt_bytes=MAX_BYTES,
        accepted_types=["application/pdf", "image/png"],
        **LEDGER,
        **SOURCE,
    ),
    **write_environment(
        UploadFormsEnvironment,
        ledger_table=LEDGER["ledger_table"],
        location=SOURCE["location"],
        form_prefix="incoming/",
        form_lifetime_seconds=60,
        max_receipt_bytes=MAX_BYTES,
    ),
    **write_environment(
        FileLinksEnvironment,
        ledger_table=LEDGER["ledger_table"],
        location=SOURCE["location"],
        link_lifetime_seconds=60,
    ),
}


@dataclass(frozen=True, kw_only=True)
class LedgerTable:
    """The ledger's table in moto."""

    name: str
    client: DynamoDBClient


@dataclass(kw_only=True)
class Clock:
    """The processor's clock, which a test can set ahead."""

    ahead: timedelta = timedelta()

    def now(self, tz: tzinfo) -> datetime:
        return datetime.now(tz) + self.ahead


class Calls:
    """The functions' calls to AWS, in order. A test can make them fail, before or after they take effect."""

    def __init__(self) -> None:
        self.clients: list[str] = []
        self.made: list[str] = []
        self.parameters: list[dict[str, Any]] = []
        self.fail_before: Callable[[str, dict[str, Any]], Exception | None] = lambda *_: None
        self.fail_after: Callable[[str], Exception | None] = lambda _: None

    def watched(self, make_client: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a function that makes clients, so that no call goes unnoticed."""

        def make_watched_client(service: str, **options: Any) -> Any:
            self.clients.append(service)
            client = make_client(service, **options)
            client.meta.events.register("provide-client-params", self._prepare)
            client.meta.events.register("before-call", self._before)
            client.meta.events.register("after-call", self._after)
            return client

        return make_watched_client

    def _prepare(self, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context["as given"] = params

    def _before(self, model: Any, context: dict[str, Any], **_: Any) -> None:
        self.made.append(model.name)
        self.parameters.append(context["as given"])
        if error := self.fail_before(model.name, context["as given"]):
            raise error

    def _after(self, model: Any, **_: Any) -> None:
        if error := self.fail_after(model.name):
            raise error


@dataclass(frozen=True, kw_only=True)
class Account:
    """Does what people and AWS do with the functions. A function is imported when it is first used."""

    s3: S3Client
    table: LedgerTable
    calls: Calls
    clock: Clock
    capsys: pytest.CaptureFixture[str]
    _handlers: dict[str, Callable[..., dict[str, Any]]] = field(default_factory=dict)

    def handler(self, function: str) -> Callable[..., dict[str, Any]]:
        if function not in self._handlers:
            self._handlers[function] = entry_point(function)
        return self._handlers[function]

    def put(self, key: str, data: bytes) -> Upload:
        return upload(key, self.s3.put_object(Bucket=BUCKET, Key=key, Body=data)["VersionId"])

    def delete(self, made: Upload) -> None:
        """Delete an object version for good."""
        version = made.version
        self.s3.delete_object(Bucket=BUCKET, Key=version.key, VersionId=version.version_id)

    def process(
        self, *bodies: str, receive_count: int = 1, remaining_ms: int = 60_000, queue_arn: str = QUEUE_ARN
    ) -> list[str]:
        """Deliver message bodies as one batch, and return the names of the messages that come back."""
        batch = sqs_batch(*bodies, receive_count=receive_count, queue_arn=queue_arn)
        return failed(self.handler("processor")(batch, context(remaining_ms)))

    def process_resent(self, *bodies: str) -> list[str]:
        """Deliver message bodies from the queue that operators can send to."""
        return self.process(*bodies, queue_arn=RESEND_QUEUE_ARN)

    @property
    def store(self) -> LedgerStore:
        return LedgerStore(self.table.client, self.table.name, SHARDS)

    def entries(self) -> list[Entry]:
        items = self.table.client.scan(TableName=self.table.name, IndexName=schema.TIME_INDEX)["Items"]
        return sorted(map(schema.from_item, items), key=lambda entry: entry.recorded_at)

    def outcomes(self) -> dict[str, Outcome]:
        """The outcome of each key."""
        return {entry.upload.version.key: entry.outcome for entry in self.entries()}

    def empty_ledger(self) -> None:
        for item in self.table.client.scan(TableName=self.table.name)["Items"]:
            key = {name: item[name] for name in (schema.FINGERPRINT, schema.ENTRY)}
            self.table.client.delete_item(TableName=self.table.name, Key=key)

    def get(self, path: str, query: str = "", **parameters: object) -> Answer:
        return self.ask("reader", http_event("GET", path, query or urlencode(parameters)))

    def file(self, fingerprint: str | None, query: str = "", **parameters: str) -> Answer:
        event = http_event("GET", f"/files/{fingerprint}", query or urlencode(parameters))
        return self.ask("file_links", event)

    def look_up(self, body: str) -> Answer:
        return self.ask("reader", http_event("POST", "/receipts/lookup", body=body, headers=JSON))

    def post(self, body: str | None, **event: Any) -> Answer:
        event = {"headers": JSON, **event}
        return self.ask("upload_forms", http_event("POST", "/uploads", body=body, **event))

    def ask(self, function: str, event: dict[str, Any]) -> Answer:
        """Let a function answer a request, and check what is true of every answer."""
        response = self.handler(function)(event, context())
        assert len(json.dumps(response).encode()) < LAMBDA_RESPONSE_BYTES
        return sent(response)

    def output(self) -> str:
        """What the functions have written since the last call."""
        return "".join(self.capsys.readouterr())

    def log(self) -> list[dict[str, Any]]:
        return [line for line in self._lines() if "_aws" not in line]

    def metrics(self) -> list[dict[str, Any]]:
        return [line for line in self._lines() if "_aws" in line]

    def _lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.output().splitlines()]
