"""Who is measured: Bill-E and the baselines, each as the handler that Lambda would call."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from bench.events import UploadedFile
from bench.receipts import png
from bench.simulated_aws.dynamodb import Table
from bench.simulated_aws.s3 import StoredObject
from bench.simulated_aws.transport import SimulatedAws
from components import IngestPipelineArgs

SHARDS: Final = 4
MAX_RECEIPT_BYTES: Final = 20 * 1024 * 1024
ACCEPTED_TYPES: Final = "application/pdf,image/heic,image/jpeg,image/png,image/tiff,image/webp"

MEMORY_MEGABYTES: Final = IngestPipelineArgs.memory_megabytes
MEGABYTES_OF_A_VCPU: Final = 1769
"""Lambda gives a full vCPU at 1,769 MB, and less in proportion (developer guide, "Configure memory")."""

LEDGER, NAIVE, IDEMPOTENCY, LIMIT = "ledger", "naive", "idempotency", "limit"
"""Table names."""

ENVIRONMENT: Final[Mapping[str, str]] = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "example",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_LAMBDA_FUNCTION_NAME": "bench",
    "SERVICE_NAME": "bench",
    "STACK_NAME": "bench",
    "LEDGER_TABLE": LEDGER,
    "LEDGER_SHARDS": str(SHARDS),
    "MAX_RECEIPT_BYTES": str(MAX_RECEIPT_BYTES),
    "ACCEPTED_TYPES": ACCEPTED_TYPES,
    "NAIVE_TABLE": NAIVE,
    "IDEMPOTENCY_TABLE": IDEMPOTENCY,
    "LIMIT_TABLE": LIMIT,
}
"""The functions' environment variables."""

Handler = Callable[[dict[str, Any], Any], Any]


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """A handler of SQS batches. ``batch_size`` is the most messages that it is given at once."""

    name: str
    module: str
    table: str
    batch_size: int = 10

    def load(self) -> Handler:
        """Import the handler, as Lambda does once per execution environment."""
        return _handler(self.module)


BILL_E = Contestant(name="Bill-E", module="functions.processor.handler", table=LEDGER)
NAIVE_ONE = Contestant(name="naive", module="bench.baselines.naive", table=NAIVE, batch_size=1)
NAIVE_BATCH = Contestant(name="naive, batch 10", module="bench.baselines.naive_batch", table=NAIVE)
POWERTOOLS = Contestant(name="idempotency", module="bench.baselines.idempotency", table=NAIVE)
THE_LIMIT = Contestant(name="the limit", module="bench.baselines.limit", table=LIMIT)

CONTESTANTS: Final = (NAIVE_ONE, NAIVE_BATCH, POWERTOOLS, BILL_E, THE_LIMIT)


def empty_tables() -> dict[str, Table]:
    """Make the tables that the contestants write to."""
    indexed: dict[str, Any] = {
        "keys": ("fingerprint", "entry"),
        "index_keys": ("month_shard", "recorded"),
    }
    return {
        LEDGER: Table(**indexed),
        LIMIT: Table(**indexed),
        NAIVE: Table(keys=("id",)),
        IDEMPOTENCY: Table(keys=("id",)),
    }


@dataclass(frozen=True, kw_only=True)
class Bench:
    """The contestants, loaded in one process on one simulated AWS; ``log`` is what they print.

    ``readers`` are the naive one's handler of HTTP requests, and Bill-E's.
    """

    aws: SimulatedAws
    handlers: Mapping[str, Handler]
    readers: tuple[Handler, Handler]
    log: io.StringIO

    def run(self, contestant: Contestant, event: dict[str, Any], context: object) -> object:
        """Invoke a contestant once."""
        with contextlib.redirect_stdout(self.log):
            return self.handlers[contestant.name](event, context)

    def store_new(self, number: int, size_bytes: int, seeds: Iterator[int]) -> list[UploadedFile]:
        """Put receipts that nobody has seen into S3, and return what their events name."""
        files = []
        for seed in islice(seeds, number):
            file = UploadedFile(
                key=f"receipts/2026/11/21/{seed}.png", version_id=f"3sL4kqtJlcpXroDTDmJ{seed}"
            )
            stored = StoredObject(body=png(size_bytes, seed))
            _ = stored.digest  # S3 has it from the upload
            self.aws.s3.objects[file.key, file.version_id] = stored
            files.append(file)
        return files

    def reset(self) -> None:
        """Empty S3, DynamoDB and the log."""
        self.aws.reset(empty_tables())
        self.log.seek(0)
        self.log.truncate()


@contextlib.contextmanager
def loaded_bench() -> Iterator[Bench]:
    """Import every contestant over a simulated AWS, which is there while the context is open."""
    os.environ.update(ENVIRONMENT)
    aws, log = SimulatedAws(empty_tables()), io.StringIO()
    with contextlib.redirect_stdout(log):
        handlers = {contestant.name: contestant.load() for contestant in CONTESTANTS}
        readers = _handler("bench.baselines.naive_reader"), _handler("functions.reader.handler")
    try:
        yield Bench(aws=aws, handlers=handlers, readers=readers, log=log)
    finally:
        aws.close()


def _handler(module: str) -> Handler:
    handler: Handler = importlib.import_module(module).handle
    return handler
