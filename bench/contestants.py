"""The contestants: Bill-E and the baselines, each as the handler that Lambda would call."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count, islice
from types import SimpleNamespace
from typing import Any, Final

from bench.files import noise
from functions.contract import http_api
from functions.contract.entry import ObjectVersion, Upload, Uploader, Via
from functions.contract.environment import (
    FileLinksEnvironment,
    ProcessorEnvironment,
    ReaderEnvironment,
    UploadFormsEnvironment,
    write_environment,
)
from functions.contract.processing import ACCEPTABLE_TYPES
from local import whole_files
from local.in_process.aws import InProcessAws
from local.in_process.dynamodb import Table, ledger_table
from local.in_process.events import BUCKET, SOURCE, s3_event, sqs_event
from local.in_process.s3 import StoredObject

SHARDS: Final = 4
RECEIPT_KB: Final = 200
"""The size of a receipt, unless a measure sets another one."""

LEDGER, NAIVE, IDEMPOTENCY, LIMIT = "ledger", "naive", "idempotency", "limit"
"""Table names."""

ENVIRONMENT: Final[Mapping[str, str]] = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "example",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_LAMBDA_FUNCTION_NAME": "bench",
    **write_environment(
        ProcessorEnvironment,
        service="bench",
        stack="bench",
        ledger_table=LEDGER,
        ledger_shards=SHARDS,
        max_receipt_bytes=1024 * 1024 * 1024,
        accepted_types=ACCEPTABLE_TYPES,
        **SOURCE,
    ),
    **write_environment(ReaderEnvironment, ledger_table=LEDGER, ledger_shards=SHARDS, log_bucket="log"),
    **write_environment(
        FileLinksEnvironment,
        ledger_table=LEDGER,
        location=SOURCE["location"],
        link_lifetime_seconds=60,
    ),
    **write_environment(
        UploadFormsEnvironment,
        ledger_table=LEDGER,
        location=SOURCE["location"],
        form_prefix="uploads/",
        form_lifetime_seconds=900,
        max_receipt_bytes=1024 * 1024 * 1024,
    ),
    "NAIVE_TABLE": NAIVE,
    "IDEMPOTENCY_TABLE": IDEMPOTENCY,
    "LIMIT_TABLE": LIMIT,
}
"""The environment variables of all functions."""

UPLOADED_AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
SEEDS = count()
"""A receipt made with a new seed is like no other."""


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """A handler of SQS batches. ``batch_size`` is the most messages that it is given at once."""

    name: str
    module: str
    table: str
    batch_size: int = 10


BILL_E = Contestant(name="Bill-E", module="functions.processor.handler", table=LEDGER)
NAIVE_ONE = Contestant(name="naive", module="bench.baselines.naive", table=NAIVE, batch_size=1)
NAIVE_BATCH = Contestant(name="naive, batch 10", module="bench.baselines.naive", table=NAIVE)
POWERTOOLS = Contestant(name="idempotency", module="bench.baselines.idempotency", table=NAIVE)
THE_LIMIT = Contestant(name="the limit", module="bench.baselines.limit", table=LIMIT)
CONTESTANTS: Final = (NAIVE_ONE, NAIVE_BATCH, POWERTOOLS, BILL_E, THE_LIMIT)

CONTEXT = SimpleNamespace(
    aws_request_id="9a5b3c1e-0000-4000-8000-000000000000", get_remaining_time_in_millis=lambda: 60_000
)
"""What a function reads of Lambda's context, in an invocation that has just begun."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """AWS in this process, and what the contestants on it print."""

    aws: InProcessAws
    log: io.StringIO

    def store(self, uploads: Mapping[Upload, StoredObject]) -> None:
        """Put objects into S3, which has their checksums from the upload."""
        for upload, stored in uploads.items():
            _ = stored.digest
            self.aws.objects[upload.version] = stored

    def store_new(self, number: int, size_kb: int = RECEIPT_KB) -> list[list[Upload]]:
        """Put new receipts into S3, and return a message for each."""
        seeds = islice(SEEDS, number)
        made = {upload(f"{seed}.png"): StoredObject(piece=png(size_kb * 1000, seed)) for seed in seeds}
        self.store(made)
        return [[each] for each in made]

    def run(self, contestant: Contestant, event: dict[str, Any]) -> None:
        """Invoke a contestant once."""
        with contextlib.redirect_stdout(self.log):
            answer = importlib.import_module(contestant.module).handle(event, CONTEXT)
        if answer and answer["batchItemFailures"]:
            raise RuntimeError(f"{contestant.name} failed: {answer}")

    def get_receipts(self, module: str, query: str) -> dict[str, Any]:
        """Invoke a reader once, and return its response."""
        request = {"routeKey": http_api.LIST_RECEIPTS, "rawQueryString": query}
        response: dict[str, Any] = importlib.import_module(module).handle(request, CONTEXT)
        return response

    def items(self, contestant: Contestant) -> list[dict[str, Any]]:
        """Return what a contestant has in its table."""
        return [*self.aws.tables[contestant.table].items.values()]

    def reset(self) -> None:
        """Empty S3, DynamoDB and the log."""
        by_id = {name: Table(keys=("id",)) for name in (NAIVE, IDEMPOTENCY)}
        self.aws.reset({LEDGER: ledger_table(), LIMIT: ledger_table(), **by_id})
        self.log.seek(0)
        self.log.truncate()


@contextlib.contextmanager
def loaded_bench() -> Iterator[Bench]:
    """Put AWS into this process, with the functions' environment variables, while the context is open."""
    os.environ.update(ENVIRONMENT)
    bench = Bench(aws=InProcessAws({}), log=io.StringIO())
    bench.reset()
    with bench.aws.in_place_of_the_network():
        yield bench


def batch(*messages: Sequence[Upload]) -> dict[str, Any]:
    """Make the event with which Lambda delivers messages about uploads, usually one upload each."""
    return sqs_event({message[0].version.object_id[:32]: s3_event(*message) for message in messages})


def upload(key: str) -> Upload:
    """Make an upload with this key in a folder of receipts."""
    return Upload(
        version=ObjectVersion(
            bucket=BUCKET,
            key=f"receipts/2026/11/21/{key}",
            version_id="3sL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY",
        ),
        uploaded_at=UPLOADED_AT,
        uploader=Uploader(principal="AWS:AIDAJDPLRKLG7UEXAMPLE", source_ip="192.0.2.7", via=Via.PUT),
    )


def png(size_bytes: int, seed: int = 0) -> bytes:
    """Return a whole PNG of this size, different for each seed."""
    return _sized(whole_files.png, size_bytes, seed)


def pdf(size_bytes: int, seed: int = 0) -> bytes:
    """Return a whole PDF of this size, different for each seed. Several in a row are one PDF as well."""
    return _sized(whole_files.pdf, size_bytes, seed)


def _sized(make: Callable[[bytes], bytes], size_bytes: int, seed: int) -> bytes:
    rest = size_bytes - (len(make(bytes(size_bytes))) - size_bytes)
    # Numbers in a smaller file may have fewer digits.
    return make(seed.to_bytes(8) + noise(rest - 8)).ljust(size_bytes, b"\n")
