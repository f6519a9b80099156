"""A fake stack that serves HTTP on 127.0.0.1: S3, which accepts objects and forms, and the ledger's API.

The code for callers makes its own HTTP requests, so faults have to come over HTTP, too.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from functions.contract.entry import Outcome, format_time, parse_time
from tests.cli.signatures import is_signed

BUCKET, REGION = "uploads", "eu-central-1"
KEY_ID, SECRET, TOKEN = "AKIDEXAMPLE", "secret-for-tests", "header.payload.signature"
MAX_BYTES = 5_000
API_PATH = "/_aws/execute-api/abc123/$default"
"""As the embedded AWS has it: the dollar sign is what a signature easily gets wrong."""
NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    document: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


@dataclass
class FakeStack:
    """What the server knows, and what it was asked. Tests change it to change what it does."""

    auth: str = "iam"
    upload_prefix: str = ""
    entries: list[dict[str, Any]] = field(default_factory=list)
    objects: dict[tuple[str, str], bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    planned: list[tuple[str, Answer]] = field(default_factory=list)
    """Answers to give once, each to the first request that starts so (`GET /receipts`)."""
    records: bool = True
    """Whether uploads get ledger entries."""
    when_stored: Callable[[int], None] = lambda _: None
    """Called after each object was stored, with the number of objects."""
    log: Path | None = None
    """The folder of the log, if the stack has one."""
    log_public_key: str | None = None
    proofs: dict[str, str] = field(default_factory=dict)
    """Proofs by what was asked for: a fingerprint, or an object id."""
    url: str = ""
    form_origin: str = ""
    """Where forms are sent, if it isn't `url`."""
    token: str = TOKEN
    lock: threading.Lock = field(default_factory=threading.Lock)

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs."""
        return {
            "uploads_bucket": BUCKET,
            "upload_prefix": self.upload_prefix,
            "api_url": f"{self.url}{API_PATH}",
            "region": REGION,
            "api_auth": self.auth,
            "max_receipt_bytes": MAX_BYTES,
            "accepted_types": ["image/png", "application/pdf"],
            "log_public_key": self.log_public_key,
        }

    def write_outputs(self, folder: Path) -> Path:
        """Write a file as the embedded AWS does."""
        file = folder / "outputs.json"
        document = {
            "endpoint_url": self.url,
            "region": REGION,
            "aws_access_key_id": KEY_ID,
            "aws_secret_access_key": SECRET,
            "outputs": self.outputs(),
        }
        file.write_text(json.dumps(document))
        return file

    def store(self, key: str, body: bytes) -> str:
        """Take an object, record its outcome, and return its version id."""
        with self.lock:
            version = f"v{len(self.objects) + 1}"
            self.objects[key, version] = body
            if self.records:
                self.entries.insert(0, self._entry(key, version, body))
        self.when_stored(len(self.objects))
        return version

    def _entry(self, key: str, version: str, body: bytes) -> dict[str, Any]:
        fingerprint = hashlib.sha256(body).hexdigest()
        same = (entry for entry in self.entries if entry["fingerprint"] == fingerprint)
        first = next((entry for entry in same if entry["outcome"] == Outcome.ACCEPTED), None)
        outcome: dict[str, Any] = {"outcome": "ACCEPTED"}
        if not body:
            outcome = {"outcome": "REJECTED", "reason": "empty", "detail": None}
        elif len(body) > MAX_BYTES:
            outcome = {"outcome": "REJECTED", "reason": "too_large", "detail": None}
        elif body.startswith(b"#!"):
            outcome = {"outcome": "REJECTED", "reason": "unsupported_type", "detail": None}
        elif first:
            outcome = {
                "outcome": "DUPLICATE",
                "duplicate_of": {name: first[name] for name in ("bucket", "key", "version_id")},
            }
        return entry(
            key=key,
            version_id=version,
            fingerprint=fingerprint,
            size_bytes=len(body),
            recorded_at=format_time(NOW + timedelta(seconds=len(self.entries))),
            **outcome,
        )

    def answer(self, method: str, target: str, headers: Message, body: bytes) -> Answer:
        """Answer a request, or refuse it as AWS would."""
        with self.lock:
            route = f"{method} {target.removeprefix(API_PATH)}"
            self.requests.append(route)
            for place, (start, planned) in enumerate(self.planned):
                if route.startswith(start):
                    del self.planned[place]
                    return planned
        if target.startswith(API_PATH):
            return self._api(method, target, headers, body)
        if method == "GET" and target.startswith("/file/"):
            return self._file(target, headers)
        if method == "POST" and target == "/form":
            return self._form(headers, body)
        return self._put_object(method, target, headers, body)

    def _put_object(self, method: str, target: str, headers: Message, body: bytes) -> Answer:
        if not is_signed(method, target, dict(headers.items()), body, SECRET, "s3"):
            return s3_error(403, "SignatureDoesNotMatch", "not signed by the key's holder")
        bucket, _, key = urlsplit(target).path[1:].partition("/")
        if bucket != BUCKET:
            return s3_error(404, "NoSuchBucket", "The specified bucket does not exist")
        checksum = base64.b64encode(hashlib.sha256(body).digest()).decode()
        if headers["x-amz-checksum-sha256"] != checksum:
            return s3_error(400, "BadDigest", "The SHA256 you specified did not match")
        return self._stored(200, unquote(key), body)

    def _file(self, target: str, headers: Message) -> Answer:
        if headers["Authorization"]:
            return s3_error(400, "InvalidArgument", "Only one auth mechanism allowed")
        version = unquote(urlsplit(target).path.removeprefix("/file/"))
        (body,) = (body for (_, id_), body in self.objects.items() if id_ == version)
        return Answer(200, body, content_type="application/octet-stream")

    def _form(self, headers: Message, body: bytes) -> Answer:
        message = BytesParser(policy=HTTP).parsebytes(
            f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode() + body
        )
        parts = [
            (part.get_param("name", header="content-disposition"), part) for part in message.iter_parts()
        ]
        fields = {str(name): part.get_payload(decode=True) for name, part in parts}
        assert [name for name, _ in parts][-1] == "file"
        data = fields["file"]
        assert isinstance(data, bytes)
        if base64.b64encode(hashlib.sha256(data).digest()) != fields["x-amz-checksum-sha256"]:
            return s3_error(400, "BadDigest", "The SHA256 you specified did not match")
        key = fields["key"]
        assert isinstance(key, bytes)
        return self._stored(204, key.decode(), data)

    def _stored(self, status: int, key: str, body: bytes) -> Answer:
        version = self.store(key, body)
        return Answer(
            status, headers={"x-amz-version-id": version, "Date": format_datetime(NOW, usegmt=True)}
        )

    def _api(self, method: str, target: str, headers: Message, body: bytes) -> Answer:
        if self.auth == "iam" and not is_signed(
            method, target, dict(headers.items()), body, SECRET, "execute-api"
        ):
            return Answer(403, {"message": "Forbidden"})
        if self.auth == "jwt" and headers["Authorization"] != f"Bearer {self.token}":
            return Answer(401, {"message": "Unauthorized"})
        parts = urlsplit(target.removeprefix(API_PATH))
        match method, parts.path.split("/")[1:]:
            case "GET", ["receipts"]:
                return self._list(parse_qs(parts.query))
            case "GET", ["receipts", fingerprint]:
                return self._history(fingerprint)
            case "GET", ["log", *_] | ["receipts", _, "proof"]:
                return self._sealed(parts.path, parse_qs(parts.query))
            case "GET", ["files", fingerprint]:
                return self._link(fingerprint, parse_qs(parts.query))
            case "POST", ["receipts", "lookup"]:
                wanted = json.loads(body)["fingerprints"]
                return Answer(
                    200, {"receipts": [item for item in self._accepted() if item["fingerprint"] in wanted]}
                )
            case "POST", ["uploads"]:
                return self._new_upload(json.loads(body))
            case _:
                return Answer(404, {"message": "Not Found"})

    def _sealed(self, path: str, query: dict[str, list[str]]) -> Answer:
        """Answer with a file of the log, or with a proof."""
        _, kind, *rest = path.split("/")
        if kind == "receipts":
            proof = self.proofs.get(query.get("object_id", rest)[0])
            if proof is None:
                return Answer(202, {"sealed": False})
            return Answer(200, proof, content_type="text/plain; charset=utf-8")
        place = Path(self.log or "nowhere").joinpath(*rest)
        if not place.is_file():
            return problem(404, "log-path-not-found", "The log has no such file")
        return Answer(200, place.read_bytes(), content_type="application/octet-stream")

    def _list(self, query: dict[str, list[str]]) -> Answer:
        cursor, limit = query.get("cursor", ["0"])[0], int(query["limit"][0])
        start = int(cursor) if cursor.isdecimal() else 0
        given = {name: values[0] for name, values in query.items()}
        chosen = [
            item
            for item in self.entries
            if given.get("outcome", item["outcome"]) == item["outcome"]
            and given.get("reason", item.get("reason")) == item.get("reason")
            and given.get("finding", "") in ("", *item["findings"])
            and given.get("uploader", "") in (item["uploader"]["principal"] or "")
            and given.get("key", "") in item["key"]
            and (item["fingerprint"] or "-").startswith(given.get("fingerprint", ""))
            and _time(given.get("from", "0001")) <= item["recorded_at"] < _time(given.get("to", "9999"))
        ]
        page = chosen[start : start + limit]
        more = start + limit < len(chosen)
        return Answer(200, {"entries": page, "next_cursor": str(start + limit) if more else None})

    def _history(self, fingerprint: str) -> Answer:
        found = [item for item in self.entries if item["fingerprint"] == fingerprint]
        if not found:
            return problem(404, "receipt-not-found", "The ledger has no such entry")
        receipts, duplicates, rejections = (
            [item for item in found if item["outcome"] == outcome] for outcome in Outcome
        )
        history = {"receipt": next(iter(receipts), None), "duplicates": duplicates, "rejections": rejections}
        return Answer(200, {**history, "truncated": False})

    def _link(self, fingerprint: str, query: dict[str, list[str]]) -> Answer:
        found = [item for item in self.entries if item["fingerprint"] == fingerprint]
        (wanted,) = query.get("version", [""])
        for item in found:
            if item["version_id"] == wanted or (not wanted and item["outcome"] == Outcome.ACCEPTED):
                described = ("bucket", "key", "version_id", "fingerprint", "size_bytes", "media_type")
                return Answer(
                    200,
                    {
                        "url": f"{self.url}/file/{item['version_id']}?signature=secret",
                        "expires_at": "2026-11-20T12:01:00Z",
                        **{name: item[name] for name in described},
                    },
                )
        return problem(404, "version-not-found" if found else "receipt-not-found", "There is no such file")

    def _accepted(self) -> list[dict[str, Any]]:
        with self.lock:
            return [item for item in self.entries if item["outcome"] == Outcome.ACCEPTED]

    def _new_upload(self, declared: dict[str, Any]) -> Answer:
        for item in self._accepted():
            if item["fingerprint"] == declared["fingerprint"] and not declared.get("again"):
                known = {name: item[name] for name in ("fingerprint", "recorded_at")}
                return problem(409, "already-accepted", "It was accepted before", **known)
        key = f"uploads/2026/11/20/{len(self.objects)}/{declared['filename']}"
        checksum = base64.b64encode(bytes.fromhex(declared["fingerprint"])).decode()
        fields = {"key": key, "x-amz-checksum-sha256": checksum}
        form = {
            "url": f"{self.form_origin or self.url}/form",
            "fields": fields,
            "key": key,
            "expires_at": "2026-11-20T12:15:00Z",
        }
        return Answer(201, form)


def _time(given: str) -> str:
    """A time of a query as the ledger writes it, or the first or the last year."""
    return given if len(given) == 4 else format_time(parse_time(given))


def entry(**members: Any) -> dict[str, Any]:
    """A ledger entry as the API returns it."""
    return {
        "outcome": "ACCEPTED",
        "fingerprint": "0" * 64,
        "bucket": BUCKET,
        "key": "receipt.png",
        "version_id": "v1",
        "size_bytes": 1234,
        "media_type": "image/png",
        "findings": [],
        "uploaded_at": "2026-11-20T11:59:59.000000Z",
        "recorded_at": "2026-11-20T12:00:00.000000Z",
        "uploader": {
            "principal": "AWS:AIDAEXAMPLE",
            "source_ip": "192.0.2.1",
            "via": "put",
            "caller": None,
        },
        "resent": False,
        **members,
    }


def problem(status: int, kind: str, detail: str, **members: Any) -> Answer:
    """An RFC 9457 problem."""
    document = {"type": f"/problems/{kind}", "status": status, "detail": detail, **members}
    return Answer(status, document, content_type="application/problem+json")


def s3_error(status: int, code: str, message: str) -> Answer:
    """An error as S3 writes it."""
    xml = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Answer(status, xml, content_type="application/xml")


@contextmanager
def running(stack: FakeStack) -> Iterator[FakeStack]:
    """Serve a stack at a free port of 127.0.0.1."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer = stack.answer(self.command, self.path, self.headers, body)
            content = b""
            if isinstance(answer.document, bytes):
                content = answer.document
            elif answer.document is not None:
                is_text = isinstance(answer.document, str)
                content = (answer.document if is_text else json.dumps(answer.document)).encode()
            self.send_response_only(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.status != 204:
                self.send_header("Content-Type", answer.content_type)
                if "Content-Length" in answer.headers:
                    self.close_connection = True
                else:
                    self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = _respond  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    stack.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield stack
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
