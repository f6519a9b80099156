"""Uploads go on to S3 as they come, under the person's own rights."""

from __future__ import annotations

import hashlib
import http.client
from collections.abc import Iterator
from contextlib import closing

import pytest

from cli.console.uploads import KEPT_BYTES, ReceivedBody
from cli.errors import UnavailableError
from tests.cli.fake_stack import BUCKET, FakeStack, s3_error
from tests.console.served import Received, Served

CONTENT = b"receipt" * 700


def put(page: Served, key: str, content: bytes = CONTENT, fingerprint: str | None = None) -> Received:
    digest = fingerprint or hashlib.sha256(content).hexdigest()
    return page.ask("PUT", f"/api/uploads?key={key}", {**page.own, "X-Sha256": digest}, content)


def test_a_file_gets_the_key_that_the_page_says_below_the_prefix(stack: FakeStack, page: Served) -> None:
    sent = put(page, "2026/gr%C3%B6%C3%9Fe%2B1%25%20.pdf")

    assert sent.json == {
        "key": "2026/größe+1% .pdf",
        "version_id": "v1",
        "fingerprint": hashlib.sha256(CONTENT).hexdigest(),
        "size_bytes": len(CONTENT),
        "already_accepted": None,
    }
    assert stack.objects == {("2026/größe+1% .pdf", "v1"): CONTENT}


@pytest.mark.parametrize("stack", ["jwt"], indirect=True)
def test_with_tokens_a_form_is_asked_for_unless_the_bytes_are_known(stack: FakeStack, page: Served) -> None:
    sent = put(page, "2026/taxi.pdf").json
    known = put(page, "other.pdf").json
    again = put(page, "other.pdf&again=1").json

    assert (sent["key"], sent["version_id"]) == ("uploads/2026/11/20/0/taxi.pdf", "v1")
    assert known["already_accepted"] == {"recorded_at": stack.entries[-1]["recorded_at"]}
    assert (known["key"], known["version_id"]) == (None, None)
    assert (again["version_id"], again["already_accepted"]) == ("v2", None)
    assert [*stack.objects.values()] == [CONTENT, CONTENT]


@pytest.mark.parametrize("stack", ["iam", "jwt"], indirect=True)
def test_a_file_that_is_not_what_the_page_says_is_refused_by_s3(stack: FakeStack, page: Served) -> None:
    refused = put(page, "a.png", fingerprint="a" * 64)

    assert refused.problem == (502, "failed")
    assert "BadDigest" in refused.json["detail"]
    assert stack.objects == {}


@pytest.mark.parametrize(
    ("target", "changed"),
    [
        ("/api/uploads", {}),
        ("/api/uploads?key=", {}),
        ("/api/uploads?key=a", {"X-Sha256": "A" * 64}),
        ("/api/uploads?key=a", {"X-Sha256": ""}),
        ("/api/uploads?key=a", {"Content-Length": str(5 * 1024**3 + 1)}),
    ],
)
def test_an_upload_that_isnt_announced_as_it_must_be_is_refused(
    stack: FakeStack, page: Served, target: str, changed: dict[str, str]
) -> None:
    headers = {**page.own, "X-Sha256": "a" * 64, "Content-Length": "0", **changed}

    assert page.ask("PUT", target, headers).problem == (400, "invalid-request")
    assert stack.requests == []


def test_a_file_is_sent_once_more_when_s3_is_busy(stack: FakeStack, page: Served) -> None:
    stack.planned.append((f"PUT /{BUCKET}/", s3_error(503, "SlowDown", "Please reduce your request rate")))

    assert put(page, "a.png").status == 200
    assert [*stack.objects.values()] == [CONTENT]


@pytest.mark.parametrize(
    ("code", "kind", "allowed"),
    [("AccessDenied", (403, "missing-right"), False), ("BadDigest", (502, "failed"), True)],
)
def test_once_an_upload_was_denied_the_page_knows_that_others_will_be(
    stack: FakeStack, page: Served, code: str, kind: tuple[int, str], allowed: bool
) -> None:
    stack.planned.append((f"PUT /{BUCKET}/", s3_error(403, code, "no")))

    assert put(page, "a.png").problem == kind
    assert page.get("/api/session").json["can"]["upload"] is allowed


def test_an_upload_that_the_browser_cancels_does_not_arrive(stack: FakeStack, page: Served) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=60)
    with closing(connection):
        connection.putrequest("PUT", "/api/uploads?key=a.png")
        for name, value in {**page.own, "X-Sha256": "a" * 64, "Content-Length": "100000"}.items():
            connection.putheader(name, value)
        connection.endheaders(b"half")

    assert put(page, "b.png").status == 200
    assert [key for key, _ in stack.objects] == ["b.png"]


class TestReceivedBody:
    def test_it_is_read_in_pieces_of_any_size(self) -> None:
        body = body_of(b"abc", b"defgh", b"i")

        assert [body.read(size) for size in (2, 2, 4, 10, 10, 10)] == [b"ab", b"c", b"defg", b"h", b"i", b""]
        assert body.tell() == 9

    def test_it_can_be_read_again(self) -> None:
        body = body_of(b"abc", b"def")

        assert body.read(3) + body.read(1) == b"abcd"
        assert body.seek(1) == 1
        assert body.read(2) + body.read(10) == b"bcd"
        assert body.read(10) == b"ef"

    def test_what_is_too_large_to_be_kept_is_read_once(self) -> None:
        body = body_of(bytes(KEPT_BYTES), b"x")

        assert len(body.read(KEPT_BYTES)) == KEPT_BYTES
        body.seek(0)
        assert len(body.read(KEPT_BYTES) + body.read(1)) == KEPT_BYTES + 1
        assert body.seek(KEPT_BYTES + 1) == KEPT_BYTES + 1
        with pytest.raises(UnavailableError, match="start it again"):
            body.seek(0)


def body_of(*chunks: bytes) -> ReceivedBody:
    coming: Iterator[bytes] = iter(chunks)
    return ReceivedBody(lambda: next(coming, b""))
