"""Takes the place of the network: gets each signed request from botocore, waits, and answers it."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.handlers import BUILTIN_HANDLERS

from functions.contract.entry import ObjectVersion
from local.in_process import dynamodb, s3
from local.in_process.answers import Answer
from local.in_process.dynamodb import Table
from local.in_process.s3 import StoredObject


@dataclass(kw_only=True)
class Usage:
    """The use of AWS: calls by operation, how many at the same time, and capacity units."""

    calls: Counter[str] = field(default_factory=Counter)
    read_units: float = 0.0
    write_units: float = 0.0
    under_way: int = 0
    most_at_once: int = 0


class InProcessAws:
    """S3's objects by version, and DynamoDB's tables by name."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self._delay_seconds = 0.0
        self._usage = Usage()
        self._lock = threading.Lock()
        self.reset(tables)

    def reset(self, tables: Mapping[str, Table]) -> None:
        """Forget everything that is stored, and start over with these tables."""
        self.objects: dict[ObjectVersion, StoredObject] = {}
        self.tables = tables

    def answer(self, operation: str, url: str, body: bytes) -> Answer:
        """Answer one call."""
        if operation == "GetObject":
            return s3.get_object(self.objects, url)
        if operation == "HeadObject":
            return s3.head_object(self.objects, url)
        with self._lock:  # DynamoDB's calls are atomic
            return dynamodb.call(self.tables, operation, json.loads(body))

    @contextmanager
    def in_place_of_the_network(self) -> Iterator[None]:
        """Answer every call of the sessions that are made while the context is open, even later."""
        handler = ("before-send", self._serve)
        BUILTIN_HANDLERS.append(handler)
        try:
            yield
        finally:
            BUILTIN_HANDLERS.remove(handler)

    @contextmanager
    def delayed(self, seconds: float) -> Iterator[None]:
        """Make every call take this long while the context is open."""
        self._delay_seconds = seconds
        try:
            yield
        finally:
            self._delay_seconds = 0.0

    @contextmanager
    def metered(self) -> Iterator[Usage]:
        """Count the use of AWS while the context is open."""
        usage = self._usage = Usage()
        try:
            yield usage
        finally:
            self._usage = Usage()

    def _serve(self, request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse:
        operation, usage = event_name.rpartition(".")[2], self._usage
        with self._lock:
            usage.under_way += 1
            usage.most_at_once = max(usage.most_at_once, usage.under_way)
        if self._delay_seconds:
            time.sleep(self._delay_seconds)
        answer = self.answer(operation, request.url, request.body or b"")  # type: ignore[arg-type]
        with self._lock:
            usage.under_way -= 1
            usage.calls[operation] += 1
            usage.read_units += answer.read_units
            usage.write_units += answer.write_units
        return answer.response(request.url)
