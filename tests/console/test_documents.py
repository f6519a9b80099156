"""Documents come from S3 as they are sent, and are never anything but bytes to be saved."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from tests.cli.fake_stack import Answer, FakeStack, entry, s3_error
from tests.console.served import Served

A = "a" * 64
WAIT_SECONDS = 60


@pytest.mark.claim(
    "a document leaves the console as bytes to be saved, whatever it is, and its link never does",
    section="The console",
)
@pytest.mark.parametrize("stack", ["iam", "jwt"], indirect=True)
def test_a_document_comes_as_bytes_to_be_saved(page: Served, stack: FakeStack) -> None:
    content = b"<script>alert(1)</script>" + bytes(range(256)) * 10_000
    stack.entries.append(entry(fingerprint=A, key="a/page <1>.html", version_id="v7", media_type="text/html"))

    for target in (f"/api/files/{A}", f"/api/files/{A}?version=v7"):
        headers = {"Content-Disposition": "inline"}
        stack.planned.append(("GET /file/", Answer(200, content, headers, content_type="text/html")))
        document = page.get(target)

        assert (document.status, document.content) == (200, content)
        assert document.headers["content-type"] == "application/octet-stream"
        assert document.headers["content-disposition"] == "attachment; filename*=UTF-8''page%20_1_.html"
        assert document.headers["content-length"] == str(len(content))
    # The address of the file, which works for anybody, stays on the server.
    assert not any("signature=secret" in value for value in document.headers.values())


@pytest.mark.parametrize(
    ("start", "answer", "expected", "right"),
    [
        ("GET /files", Answer(403, {"message": "Forbidden"}), (403, "missing-right"), "auditor_policy"),
        ("GET /file/", s3_error(403, "AccessDenied", "Request has expired"), (502, "failed"), None),
        ("GET /file/", s3_error(500, "InternalError", "Try again"), (503, "unavailable"), None),
    ],
)
def test_what_cannot_be_had_is_said_in_words(
    page: Served, stack: FakeStack, start: str, answer: Answer, expected: tuple[int, str], right: str | None
) -> None:
    stack.entries.append(entry(fingerprint=A))
    stack.objects["receipt.png", "v1"] = b"bytes"
    stack.planned.append((start, answer))

    refused = page.get(f"/api/files/{A}")

    assert refused.problem == expected
    assert refused.json.get("missing_right") == right
    assert page.get(f"/api/files/{'b' * 64}").problem == (404, "receipt-not-found")


@contextmanager
def slow_s3(stack: FakeStack, length: int) -> Iterator[socket.socket]:
    """Have the next link lead to a server that this test plays itself."""
    link = {
        "bucket": "uploads",
        "key": "slow.pdf",
        "version_id": "v1",
        "fingerprint": A,
        "size_bytes": length,
        "media_type": None,
        "expires_at": "2026-11-20T12:01:00Z",
    }
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        listening.settimeout(WAIT_SECONDS)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/slow"
        stack.planned.append(("GET /files", Answer(200, {**link, "url": url})))
        yield listening


def ask(page: Served) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=WAIT_SECONDS)
    connection.request("GET", f"/api/files/{A}", headers=page.own)
    return connection


def accept(listening: socket.socket, length: int) -> socket.socket:
    connection, _ = listening.accept()
    connection.settimeout(WAIT_SECONDS)
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length)
    return connection


def test_a_document_is_not_held_back_until_it_is_whole(page: Served, stack: FakeStack) -> None:
    part = 2 * 1024 * 1024

    with slow_s3(stack, 2 * part) as listening, closing(ask(page)) as browser:
        with accept(listening, 2 * part) as s3:
            s3.sendall(b"1" * part)
            answer = browser.getresponse()
            # The second half hasn't been sent yet.
            assert answer.read(part) == b"1" * part
            s3.sendall(b"2" * part)
        assert answer.read() == b"2" * part


def test_a_document_that_breaks_off_is_not_taken_for_a_whole_one(page: Served, stack: FakeStack) -> None:
    with slow_s3(stack, 1000) as listening, closing(ask(page)) as browser:
        with accept(listening, 1000) as s3:
            s3.sendall(b"1" * 10)
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            browser.getresponse().read()


def test_s3_is_left_alone_once_the_browser_has_gone(page: Served, stack: FakeStack) -> None:
    length = 1024**3
    gone = threading.Event()

    with slow_s3(stack, length) as listening:
        browser = ask(page)
        with accept(listening, length) as s3:

            def send() -> None:
                try:
                    while True:
                        s3.sendall(bytes(1024 * 1024))
                except OSError:
                    gone.set()

            sending = threading.Thread(target=send)
            sending.start()
            assert browser.getresponse().read(1000) == bytes(1000)
            browser.close()
            assert gone.wait(WAIT_SECONDS)
            sending.join()
    assert page.get("/api/session").status == 200
