"""The place of the network: takes each signed request from botocore, waits, and answers it."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, cast
from urllib.parse import parse_qs, unquote, urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.handlers import BUILTIN_HANDLERS

from bench.simulated_aws.dynamodb import DynamoDb, Table
from bench.simulated_aws.s3 import S3

NO_SUCH_VERSION = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>NoSuchVersion</Code><Message>none</Message></Error>'
)


@dataclass(kw_only=True)
class Usage:
    """What was asked of AWS: calls by operation, how many at the same time, and capacity units."""

    calls: Counter[str] = field(default_factory=Counter)
    read_units: float = 0.0
    write_units: float = 0.0
    under_way: int = 0
    most_at_once: int = 0

    @property
    def requests(self) -> int:
        """How many calls there were in all."""
        return self.calls.total()


class SimulatedAws:
    """AWS for this process until it is closed: botocore sends everything here. There can be only one."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self.s3 = S3()
        self.dynamodb = DynamoDb(tables)
        self._delay_seconds = 0.0
        self._is_open = True
        self._usage = Usage()
        self._lock = threading.Lock()
        # Every session that is made from now on has it, also those that libraries make for themselves.
        BUILTIN_HANDLERS.append(("before-send", self._answer))

    def reset(self, tables: Mapping[str, Table]) -> None:
        """Forget everything that is stored, and start over with these tables."""
        self.s3 = S3()
        self.dynamodb = DynamoDb(tables)

    def close(self) -> None:
        """Let calls go to the network again."""
        self._is_open = False

    @contextmanager
    def delayed(self, seconds: float) -> Iterator[None]:
        """Let every call take so long while the context is open."""
        self._delay_seconds = seconds
        try:
            yield
        finally:
            self._delay_seconds = 0.0

    @contextmanager
    def metered(self) -> Iterator[Usage]:
        """Count what is asked of AWS while the context is open."""
        usage = self._usage = Usage()
        try:
            yield usage
        finally:
            self._usage = Usage()

    def _answer(self, request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse | None:
        if not self._is_open:
            return None
        service, operation = event_name.split(".")[1:]
        with self._under_way():
            if self._delay_seconds:
                time.sleep(self._delay_seconds)
            if service == "s3":
                return self._answer_s3(request, operation)
            return self._answer_dynamodb(request, operation)

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        with self._lock:
            usage = self._usage
            usage.under_way += 1
            usage.most_at_once = max(usage.most_at_once, usage.under_way)
        try:
            yield
        finally:
            with self._lock:
                usage.under_way -= 1

    def _answer_s3(self, request: AWSPreparedRequest, operation: str) -> AWSResponse:
        if operation != "GetObject":
            raise NotImplementedError(f"S3 {operation}")
        url = urlsplit(request.url)
        versions = parse_qs(url.query).get("versionId")
        found = self.s3.get(unquote(url.path).removeprefix("/"), versions[0] if versions else None)
        self._count("s3:GetObject")
        if found is None:
            return _response(request.url, 404, {"Content-Type": "application/xml"}, NO_SUCH_VERSION)
        stored, version_id = found
        return _response(request.url, 200, stored.headers(version_id), stored.body)

    def _answer_dynamodb(self, request: AWSPreparedRequest, operation: str) -> AWSResponse:
        answer = self.dynamodb.call(operation, json.loads(cast("bytes", request.body)))
        self._count(f"dynamodb:{operation}", read_units=answer.read_units, write_units=answer.write_units)
        headers = {"Content-Type": "application/x-amz-json-1.0"}
        return _response(request.url, answer.status, headers, json.dumps(answer.body).encode())

    def _count(self, call: str, *, read_units: float = 0.0, write_units: float = 0.0) -> None:
        with self._lock:
            self._usage.calls[call] += 1
            self._usage.read_units += read_units
            self._usage.write_units += write_units


class _Body(BytesIO):
    """A response body as urllib3 has it."""

    def stream(self, amt: int = 65536, **_: Any) -> Iterator[bytes]:
        while chunk := self.read(amt):
            yield chunk


def _response(url: str, status: int, headers: Mapping[str, str], body: bytes) -> AWSResponse:
    return AWSResponse(url, status, HTTPHeaders.from_dict(headers), _Body(body))
