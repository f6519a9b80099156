"""Reading objects, with botocore and with answers like those of S3, byte for byte."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import tracemalloc
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
from botocore.exceptions import BotoCoreError, ClientError, FlexibleChecksumError

from functions.contract.processing import S3_KEY
from functions.processor.examination import DamagedReadError, Rules, examine
from functions.processor.objects import ObjectMissingError, S3Object, S3Objects
from local.in_process.answers import Answer, s3_error
from local.in_process.events import SOURCE
from tests.functions.examples import JPEG, PNG, upload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.awsrequest import AWSResponse
    from types_boto3_s3 import S3Client

MIB = 1024 * 1024
DATA = PNG.ljust(3 * MIB + 17, b"\x07")
VERSION = upload(key="2026/lunch +%é.png", version_id="3HL4kqtJvjVBH40Nrjfkd").version


def b64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def sha256(data: bytes) -> dict[str, str]:
    return {"x-amz-checksum-sha256": b64(hashlib.sha256(data).digest()), "x-amz-checksum-type": "FULL_OBJECT"}


def crc32(data: bytes) -> dict[str, str]:
    return {
        "x-amz-checksum-crc32": b64(zlib.crc32(data).to_bytes(4, "big")),
        "x-amz-checksum-type": "FULL_OBJECT",
    }


def composite(algorithm: str) -> dict[str, str]:
    """The checksum of a multipart upload, which covers its parts' checksums and ends in their number."""
    digest = hashlib.sha256(b"the digests of the parts").digest()
    return {f"x-amz-checksum-{algorithm}": f"{b64(digest)}-2", "x-amz-checksum-type": "COMPOSITE"}


class Wire:
    """S3 at the other end of the line. Gives every request the same answer, and keeps both."""

    def __init__(self) -> None:
        self.answer = Answer(body=DATA)
        self.arrived: int | None = None
        self.breaks = False
        self.requests: list[Any] = []
        self.responses: list[AWSResponse] = []

    def __call__(self, request: Any, **_: Any) -> AWSResponse:
        headers = {"last-modified": "Sat, 21 Nov 2026 10:00:00 GMT", **self.answer.headers}
        response = replace(self.answer, headers=headers).response(request.url, arrived=self.arrived)
        if self.breaks:
            response.raw._fp = BrokenLine()
        self.requests.append(request)
        self.responses.append(response)
        return response


class BrokenLine(io.RawIOBase):
    """A connection that breaks after its first bytes."""

    def __init__(self) -> None:
        self._pieces = [JPEG]

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:  # noqa: ARG002 - the signature of a raw stream
        if self._pieces:
            return self._pieces.pop()
        raise ConnectionResetError("connection reset by peer")


@pytest.fixture
def client() -> Iterator[S3Client]:
    with contextlib.closing(boto3.client("s3")) as client:
        yield client


@pytest.fixture
def wire(client: S3Client) -> Wire:
    wire = Wire()
    # botocore uses what a handler returns as the answer, which its type stubs don't say.
    client.meta.events.register("before-send.s3", cast("Callable[..., None]", wire))
    return wire


@pytest.fixture
def objects(client: S3Client) -> S3Objects:
    return S3Objects(client, SOURCE["account_id"], {S3_KEY})


def read(objects: S3Objects) -> tuple[S3Object, bytes]:
    with objects.open(VERSION) as stored:
        return stored, b"".join(stored.chunks())


def test_one_request_asks_for_the_exact_version_with_its_checksum(objects: S3Objects, wire: Wire) -> None:
    read(objects)

    (request,) = wire.requests
    assert request.method == "GET"
    assert request.url.endswith("/2026/lunch%20%2B%25%C3%A9.png?versionId=3HL4kqtJvjVBH40Nrjfkd")
    assert request.headers["x-amz-checksum-mode"] == b"ENABLED"


@pytest.mark.usefixtures("wire")
def test_the_bytes_come_in_pieces_of_bounded_size(objects: S3Objects) -> None:
    with objects.open(VERSION) as stored:
        pieces = list(stored.chunks())

    assert stored.size_bytes == len(DATA)
    assert b"".join(pieces) == DATA
    assert max(map(len, pieces)) == MIB


def test_an_object_is_closed_when_it_is_not_read_to_its_end(objects: S3Objects, wire: Wire) -> None:
    with objects.open(VERSION) as stored:
        next(stored.chunks())

    (response,) = wire.responses
    assert response.raw.closed


@pytest.mark.parametrize(
    ("headers", "known"),
    [
        ({}, None),
        (crc32(DATA), None),
        (composite("sha256"), None),
        (composite("crc32"), None),
        (sha256(DATA), hashlib.sha256(DATA).hexdigest()),
    ],
    ids=["none", "CRC-32", "SHA-256 of the parts", "CRC-32 of the parts", "SHA-256"],
)
def test_bytes_that_fit_their_checksum_are_read_and_only_the_sha256_of_all_of_them_is_known(
    headers: dict[str, str], known: str | None, objects: S3Objects, wire: Wire
) -> None:
    wire.answer = Answer(body=DATA, headers=headers)

    stored, data = read(objects)

    assert data == DATA
    assert stored.sha256 == known


def test_bytes_that_do_not_fit_their_checksum_are_an_error(objects: S3Objects, wire: Wire) -> None:
    wire.answer = Answer(body=DATA, headers=crc32(b"other bytes"))

    with pytest.raises(FlexibleChecksumError):
        read(objects)


@pytest.mark.parametrize("unnamed", [set(), {"x-amz-checksum-type"}])
def test_only_the_fingerprint_is_compared_with_a_sha256(
    unnamed: set[str], objects: S3Objects, wire: Wire
) -> None:
    checksum = {name: value for name, value in sha256(b"other bytes").items() if name not in unnamed}
    wire.answer = Answer(body=DATA, headers=checksum)
    _, data = read(objects)
    assert data == DATA, "botocore compared it, too"

    with objects.open(VERSION) as stored, pytest.raises(DamagedReadError, match="SHA-256"):
        examine(stored, Rules(accepted_types=frozenset(), max_bytes=len(DATA)))


@pytest.mark.parametrize("arrived", [0, 2 * MIB, len(DATA) - 1])
def test_a_body_that_is_cut_off_is_an_error(arrived: int, objects: S3Objects, wire: Wire) -> None:
    wire.arrived = arrived

    with pytest.raises(BotoCoreError, match="IncompleteRead"):
        read(objects)


def test_a_connection_that_breaks_is_an_error_of_botocore(objects: S3Objects, wire: Wire) -> None:
    wire.breaks = True

    with pytest.raises(BotoCoreError, match="connection reset by peer"):
        read(objects)


@pytest.mark.parametrize("code", ["NoSuchKey", "NoSuchVersion"])
def test_a_version_that_is_not_there_is_missing(code: str, objects: S3Objects, wire: Wire) -> None:
    wire.answer = s3_error(404, code)

    with pytest.raises(ObjectMissingError):
        read(objects)


@pytest.mark.parametrize(
    ("status", "code"),
    [(403, "AccessDenied"), (404, "NoSuchBucket"), (400, "InvalidArgument"), (405, "MethodNotAllowed")],
)
def test_any_other_refusal_is_not_taken_for_missing(
    status: int, code: str, objects: S3Objects, wire: Wire
) -> None:
    wire.answer = s3_error(status, code)

    with pytest.raises(ClientError, match=code):
        read(objects)


def test_a_200_mb_object_goes_through_the_client_in_constant_memory(objects: S3Objects, wire: Wire) -> None:
    size = 200 * MIB
    wire.answer = Answer(body=bytes(64 * 1024), repeats=size // (64 * 1024))
    tracemalloc.start()
    try:
        with objects.open(VERSION) as stored:
            finding = examine(stored, Rules(accepted_types=frozenset(), max_bytes=size))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert finding.size_bytes == size
    assert peak < 10 * MIB
