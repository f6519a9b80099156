"""Sending one file with its SHA-256, by S3 PutObject or by an upload form, and what can become of it."""

from __future__ import annotations

import base64
import html
import os
import re
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from botocore.awsrequest import AWSRequest

from cli.errors import BillEError, UnavailableError, explained
from functions.contract.s3_events import LONGEST_KEY_BYTES

if TYPE_CHECKING:
    from botocore.awsrequest import AWSResponse
    from types_boto3_s3 import S3Client

    from cli.caller.api_client import ApiClient
    from cli.caller.files import Found, LocalFile
    from cli.caller.http_client import HttpClient


@dataclass(frozen=True, kw_only=True)
class HashedFile:
    """A file whose bytes have been read once. If they change before it is sent, S3 refuses it."""

    path: Path
    name: str
    size_bytes: int
    fingerprint: str

    def open(self) -> BinaryIO:
        """Open it for reading."""
        return self.path.open("rb")


@dataclass(frozen=True, kw_only=True)
class Uploaded:
    """A file that arrived. `version_id` is None if S3 didn't say; `stored_at` is by S3's clock."""

    path: Path
    bucket: str
    key: str
    version_id: str | None
    fingerprint: str
    size_bytes: int
    stored_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class AlreadyAccepted:
    """A file that was not sent, because its bytes were accepted before. `recorded_at` is RFC 3339.

    `key` is that of the receipt; None if the API didn't say it.
    """

    path: Path
    fingerprint: str
    size_bytes: int
    recorded_at: str
    key: str | None


@dataclass(frozen=True, kw_only=True)
class Failed:
    """A file that didn't arrive, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, kw_only=True)
class NotSent:
    """A file that the run didn't send, or not to its end, because it was stopped."""

    path: Path


Result = Uploaded | AlreadyAccepted | Failed | NotSent

CountBytes = Callable[[int], None]
"""Counts bytes of a file that were handed to the network. It can raise to stop the transfer."""

SendFile = Callable[[HashedFile, CountBytes], Uploaded | AlreadyAccepted]
"""Sends one file. Raises BillEError, BecameShorterError, or OSError if the file can't be read."""


def require_distinct_keys(found: Found) -> None:
    """Raise BillEError if two files would get one key: the later one would hide the other."""
    files: dict[str, LocalFile] = {}
    for file in found.files:
        key = _normal(file.name)
        other = files.setdefault(key, file)
        if other is not file:
            spelt = "" if other.name == file.name else ", which is in Unicode normal form C"
            raise BillEError(
                f"{str(other.path)!a} and {str(file.path)!a} would get the same key{spelt}: rename one of "
                "them, upload the folder that both are in, or give each run its own --prefix"
            )


def put_object_sender(s3: S3Client, bucket: str, prefix: str) -> SendFile:
    """Send by S3 PutObject, to the key `prefix` + the file's name. S3 verifies the SHA-256 computed here."""

    def send(file: HashedFile, count: CountBytes) -> Uploaded:
        key = _key_of(prefix + file.name)
        doing = f"upload to bucket {bucket} (s3:PutObject)"
        with file.open() as stream, explained(doing, granted_by="caller_policy"):
            answer = s3.put_object(
                Bucket=bucket,
                Key=key,
                Body=cast("IO[bytes]", _CountedFile(stream, file.size_bytes, count)),
                ContentLength=file.size_bytes,
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=base64.b64encode(bytes.fromhex(file.fingerprint)).decode(),
            )
        return Uploaded(
            path=file.path,
            bucket=bucket,
            key=key,
            version_id=answer.get("VersionId"),
            fingerprint=file.fingerprint,
            size_bytes=file.size_bytes,
            stored_at=_http_date(answer["ResponseMetadata"]["HTTPHeaders"].get("date")),
        )

    return send


def form_sender(api: ApiClient, http: HttpClient, bucket: str, *, again: bool) -> SendFile:
    """Send with a form that the API signs for exactly these bytes.

    Unless `again`, what was accepted before isn't sent.
    """

    def send(file: HashedFile, count: CountBytes) -> Uploaded | AlreadyAccepted:
        answer = api.request_form(
            filename=_key_of(Path(file.name).name),
            size_bytes=file.size_bytes,
            fingerprint=file.fingerprint,
            again=again,
        )
        if "recorded_at" in answer:
            return AlreadyAccepted(
                path=file.path,
                fingerprint=file.fingerprint,
                size_bytes=file.size_bytes,
                recorded_at=answer["recorded_at"],
                key=None,
            )
        url, fields = answer["url"], answer["fields"]
        with file.open() as stream:
            response = http.send(
                lambda: form_request(
                    url, fields, _CountedFile(stream, file.size_bytes, count), file.size_bytes
                ),
                f"upload to {url}",
            )
        if not 200 <= response.status_code < 300:
            raise refusal_of_s3(response, "S3 refused it")
        return Uploaded(
            path=file.path,
            bucket=bucket,
            key=answer["key"],
            version_id=response.headers.get("x-amz-version-id"),
            fingerprint=file.fingerprint,
            size_bytes=file.size_bytes,
            stored_at=_http_date(response.headers.get("Date")),
        )

    return send


def form_request(url: str, fields: dict[str, str], file: _CountedFile, size_bytes: int) -> AWSRequest:
    """Make a POST of `fields` and then the file, from its start, as multipart/form-data (RFC 7578)."""
    boundary = secrets.token_hex(16)
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    # S3 takes the key from the fields, not from the file's name.
    parts.append(
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="file"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    head, tail = "".join(parts).encode(), f"\r\n--{boundary}--\r\n".encode()
    file.seek(0)
    return AWSRequest(
        method="POST",
        url=url,
        headers={
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(len(head) + size_bytes + len(tail)),
        },
        data=_Joined(BytesIO(head), file, BytesIO(tail)),
    )


class BecameShorterError(CancelledError):
    """A file ends before its announced size. botocore retries every failure except a cancellation."""


class _CountedFile:
    """The first `size_bytes` of a file, counted as they are read.

    Bytes that a retry reads again are not counted twice. A file that became shorter is an error here, since
    the receiver would wait for the rest. One that became longer has another fingerprint, which S3 refuses.
    """

    def __init__(self, stream: BinaryIO, size_bytes: int, count: CountBytes) -> None:
        self._stream = stream
        self._size_bytes = size_bytes
        self._count = count
        self._counted = 0

    def read(self, size: int = -1) -> bytes:
        left = self._size_bytes - self._stream.tell()
        chunk = self._stream.read(left if size < 0 else min(size, left))
        if left and size and not chunk:
            raise BecameShorterError
        if chunk:
            # Not at the end: a transfer whose last byte is on its way must not be stopped, since it arrives.
            new = max(self._stream.tell() - self._counted, 0)
            self._counted += new
            self._count(new)
        return chunk

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()


class _Joined:
    """Several streams, read one after the other."""

    def __init__(self, *streams: BytesIO | _CountedFile) -> None:
        self._streams = streams

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            return b"".join(stream.read() for stream in self._streams)
        return next((chunk for stream in self._streams if (chunk := stream.read(size))), b"")


def _key_of(name: str) -> str:
    """Return a name as a key, or raise BillEError. Unlike names from macOS, a key has composed accents.

    The prefix of a stack has only ASCII, so it stays as it is.
    """
    name = _normal(name)
    try:
        encoded = name.encode()
    except UnicodeEncodeError as error:
        raise BillEError("its name is not UTF-8, which a key has to be: rename the file") from error
    if len(encoded) > LONGEST_KEY_BYTES:
        raise BillEError(f"its key has {len(encoded)} bytes: {LONGEST_KEY_BYTES} at most")
    return name


def _normal(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def refusal_of_s3(response: AWSResponse, doing: str) -> BillEError:
    """Read the code and the message in the XML of S3's answer, as far as they are there."""
    text = response.content.decode(errors="replace")
    said = {
        name: html.unescape(found[1])
        for name in ("Code", "Message")
        if (found := re.search(f"<{name}>([^<]*)</{name}>", text))
    }
    reason = said.get("Message", "no reason given")
    sentence = f"{doing}: {reason} ({said.get('Code', response.status_code)})"
    return UnavailableError(sentence) if response.status_code >= 500 else BillEError(sentence)


def _http_date(text: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(text) if text else None
    except ValueError:
        return None
