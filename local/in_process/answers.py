"""A service's answers, in the form that botocore reads."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.awsrequest import AWSResponse, HeadersDict
from urllib3 import HTTPResponse


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A response as it goes over the wire, and the capacity units that the call consumed.

    The content is ``body``, as many times as ``repeats`` says. Without a body, the answer ``to_head`` may
    still say how long it would be.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    repeats: int = 1
    to_head: bool = False
    read_units: float = 0.0
    write_units: float = 0.0

    def response(self, url: str, *, arrived: int | None = None) -> AWSResponse:
        """Make botocore's response of it. Only ``arrived`` bytes of the content come, if that is given."""
        size = len(self.body) * self.repeats
        headers = {"Content-Length": str(size), **self.headers}
        raw = HTTPResponse(
            body=_Content(self.body, size if arrived is None else arrived),
            headers=headers,
            status=self.status,
            request_method="HEAD" if self.to_head else None,
            preload_content=False,
            decode_content=False,
        )
        return AWSResponse(url, self.status, HeadersDict(headers), raw)  # type: ignore[arg-type]


class _Content(io.BufferedIOBase):
    """Bytes that are made when they are read, as from a socket, so that memory never holds all of them."""

    def __init__(self, piece: bytes, size: int) -> None:
        self._piece, self._size, self._at = piece, size, 0

    def read(self, size: int | None = -1, /) -> bytes:
        left = self._size - self._at
        amount = left if size is None or size < 0 else min(size, left)
        if amount == 0:
            return b""
        start = self._at % len(self._piece)
        self._at += amount
        return (self._piece * -(-(start + amount) // len(self._piece)))[start : start + amount]


def s3_error(status: int, code: str) -> Answer:
    """Make an error of S3."""
    xml = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>no</Message></Error>'
    return Answer(status=status, headers={"Content-Type": "application/xml"}, body=xml.encode())


def dynamodb_answer(
    body: Mapping[str, Any], *, status: int = 200, read_units: float = 0.0, write_units: float = 0.0
) -> Answer:
    """Make an answer of DynamoDB."""
    return Answer(
        status=status,
        headers={"Content-Type": "application/x-amz-json-1.0"},
        body=json.dumps(body).encode(),
        read_units=read_units,
        write_units=write_units,
    )


def dynamodb_error(status: int, code: str, *, write_units: float = 0.0, **more: Any) -> Answer:
    """Make an error of DynamoDB, which may say ``more`` beside its code."""
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": code, **more}
    return dynamodb_answer(body, status=status, write_units=write_units)
