"""A deployed stack as its users have it: S3 and HTTP, with none of the code under test in between."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import ssl
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local import whole_files
from local.aws import AccessKey
from local.embedded_stack import EmbeddedStack, running_stack
from tests.local.eventually import eventually

LARGEST_PAGE = 200

MAX_RECEIPT_BYTES = 1024 * 1024

CONFIG = {
    # So that a receipt that is too large is quick to make, and few function processes share the machine.
    "bill-e:maxReceiptMegabytes": 1,
    "bill-e:maxConcurrency": 2,
}


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True, kw_only=True)
class Object:
    """An uploaded object version."""

    key: str
    version_id: str
    fingerprint: str


@dataclass(frozen=True, kw_only=True)
class DeployedStack(EmbeddedStack):
    """The stack, and short ways to do what its callers do."""

    @property
    def bucket(self) -> str:
        return str(self.outputs["uploads_bucket"])

    def upload(self, key: str, content: bytes) -> Object:
        stored = self.caller.client("s3").put_object(Bucket=self.bucket, Key=key, Body=content)
        return Object(
            key=key, version_id=stored["VersionId"], fingerprint=hashlib.sha256(content).hexdigest()
        )

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Answer:
        return self.call("GET", path, query=query)

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        signed_by: AccessKey | None = None,
        unsigned: bool = False,
    ) -> Answer:
        """Call the API, signed by the caller unless said otherwise."""
        url = f"{self.outputs['api_url']}{path}"
        if query:
            url += f"?{urlencode(query, quote_via=quote)}"
        sent = {**(headers or {}), **({"Content-Type": "application/json"} if body is not None else {})}
        data = json.dumps(body) if body is not None else None
        request = AWSRequest(method=method, url=url, headers=sent, data=data)
        if not unsigned:
            key = signed_by or self.caller.key
            SigV4Auth(Credentials(key.id, key.secret), "execute-api", self.caller.region).add_auth(request)
        prepared = request.prepare()
        return self.send(method, prepared.url, dict(prepared.headers.items()), data)

    def post_form(self, form: Mapping[str, Any], content: bytes) -> Answer:
        """Send a presigned form with a file, as a browser would."""
        boundary = uuid.uuid4().hex
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in form["fields"].items()
        ]
        parts.append(
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'.encode()
        )
        body = b"".join([*parts, content, f"\r\n--{boundary}--\r\n".encode()])
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        return self.send("POST", form["url"], headers, body)

    def fetch(self, url: str) -> Answer:
        """Get what a link leads to, without any credentials."""
        return self.send("GET", url, {}, None)

    def send(self, method: str, url: str, headers: Mapping[str, str], body: str | bytes | None) -> Answer:
        parts = urlsplit(url)
        context = ssl.create_default_context(cafile=str(self.caller.ca_bundle))
        connection = http.client.HTTPSConnection(parts.netloc, timeout=60, context=context)
        try:
            target = f"{parts.path}?{parts.query}" if parts.query else parts.path
            connection.request(method, target, body=body, headers=dict(headers))
            response = connection.getresponse()
            received = {name.lower(): value for name, value in response.getheaders()}
            return Answer(status=response.status, headers=received, content=response.read())
        finally:
            connection.close()

    def entries(self, **query: str) -> list[dict[str, Any]]:
        """Every entry of the ledger, over all pages."""
        found: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            answer = self.get("/receipts", {"limit": str(LARGEST_PAGE), **query, **cursor})
            assert answer.status == 200, answer
            found += answer.json["entries"]
            if answer.json["next_cursor"] is None:
                return found
            cursor = {"cursor": answer.json["next_cursor"]}

    def entries_of(self, *objects: Object) -> list[dict[str, Any]]:
        """The entries of object versions, in their order, once all of them are there."""
        versions = [uploaded.version_id for uploaded in objects]

        def probe() -> list[dict[str, Any]] | None:
            found = [entry for entry in self.entries() if entry["version_id"] in versions]
            return found if {entry["version_id"] for entry in found} == set(versions) else None

        found = eventually(f"entries of {[uploaded.key for uploaded in objects]}", probe)
        assert len(found) == len(objects), "an object version has more than one entry"
        return sorted(found, key=lambda entry: versions.index(entry["version_id"]))

    def entry_of(self, uploaded: Object) -> dict[str, Any]:
        """The one entry of an object version, once it is there."""
        return self.entries_of(uploaded)[0]


@contextmanager
def deployed_stack(config: Mapping[str, Any] | None = None) -> Iterator[DeployedStack]:
    """Deploy the whole program on an embedded AWS of its own, with these settings beside `CONFIG`."""
    with running_stack(config={**CONFIG, **(config or {})}) as stack:
        yield DeployedStack(**vars(stack))


@contextmanager
def events_lost(stack: DeployedStack) -> Iterator[None]:
    """Let uploads go unnoticed, as if the bucket's notification were missing."""
    s3 = stack.administrator.client("s3")
    usual = s3.get_bucket_notification_configuration(Bucket=stack.bucket)
    s3.put_bucket_notification_configuration(Bucket=stack.bucket, NotificationConfiguration={})
    try:
        yield
    finally:
        s3.put_bucket_notification_configuration(
            Bucket=stack.bucket,
            NotificationConfiguration={"QueueConfigurations": usual["QueueConfigurations"]},
        )


def png(padding: int = 0) -> bytes:
    """A picture that no other test has."""
    return whole_files.png(uuid.uuid4().bytes + bytes(padding))


def declared(content: bytes, filename: str = "receipt.png") -> dict[str, Any]:
    """The body of `POST /uploads` for a file."""
    return {
        "filename": filename,
        "size_bytes": len(content),
        "fingerprint": hashlib.sha256(content).hexdigest(),
    }


def sha256_base64(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()
