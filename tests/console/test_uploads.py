"""Uploads go on to S3 as they come, under the person's own rights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from cli.console import uploads
from cli.console.received_file import KEPT_BYTES, ReceivedBody
from cli.console.uploads import BROKEN_RULE, MOST_SOCKETS, PIECE_BYTES, PIECES_AHEAD, TRY_AGAIN_LATER
from cli.errors import UnavailableError
from tests.cli.fake_stack import BUCKET, FakeStack, s3_error
from tests.console.served import Served
from tests.console.sockets import Closed, Socket, opened

CONTENT = b"receipt" * 700
LARGE = bytes(PIECE_BYTES * (PIECES_AHEAD + 2) + 1)


def upload(page: Served, content: bytes = CONTENT, **members: object) -> Any:
    with opened(page) as socket:
        return socket.upload(content, **members)


def kind(answer: Any) -> tuple[int, str]:
    return answer["status"], answer["type"].rpartition("/")[2]


def test_a_file_gets_the_key_that_the_page_says_below_the_prefix(stack: FakeStack, page: Served) -> None:
    assert upload(page, key="2026/größe+1% .pdf") == {
        "key": "2026/größe+1% .pdf",
        "version_id": "v1",
        "fingerprint": hashlib.sha256(CONTENT).hexdigest(),
        "size_bytes": len(CONTENT),
        "already_accepted": None,
    }
    assert stack.objects == {("2026/größe+1% .pdf", "v1"): CONTENT}


@pytest.mark.parametrize("stack", ["iam", "jwt"], indirect=True)
def test_files_come_one_after_the_other_in_pieces(stack: FakeStack, page: Served) -> None:
    with opened(page) as socket:
        socket.upload(LARGE)
        assert socket.taken == [*range(PIECE_BYTES, len(LARGE), PIECE_BYTES), len(LARGE)]
        assert socket.upload(CONTENT, key="b.png")["version_id"] == "v2"
        assert socket.upload(b"", key="c.png")["version_id"] == "v3"

    assert [*stack.objects.values()] == [LARGE, CONTENT, b""]


@pytest.mark.parametrize("stack", ["jwt"], indirect=True)
def test_with_tokens_a_form_is_asked_for_unless_the_bytes_are_known(stack: FakeStack, page: Served) -> None:
    with opened(page) as socket:
        sent = socket.upload(CONTENT, key="2026/taxi.pdf")
        socket.announce(CONTENT, key="other.pdf")
        known = socket.told()
        # It was on its way, and isn't wanted. The next file can be sent all the same.
        socket.send(CONTENT)
        again = socket.upload(CONTENT, key="other.pdf", again=True)

    assert (sent["key"], sent["version_id"]) == ("uploads/2026/11/20/0/taxi.pdf", "v1")
    assert known["already_accepted"] == {"recorded_at": stack.entries[-1]["recorded_at"]}
    assert (known["key"], known["version_id"]) == (None, None)
    assert (again["version_id"], again["already_accepted"]) == ("v2", None)
    assert [*stack.objects.values()] == [CONTENT, CONTENT]


@pytest.mark.parametrize("stack", ["iam", "jwt"], indirect=True)
def test_a_file_that_is_not_what_the_page_says_is_refused_by_s3(stack: FakeStack, page: Served) -> None:
    refused = upload(page, fingerprint="a" * 64)

    assert kind(refused) == (502, "failed")
    assert "BadDigest" in refused["detail"]
    assert stack.objects == {}


ANNOUNCED: dict[str, object] = {"key": "a", "size_bytes": 0, "fingerprint": "a" * 64}
WRONG: dict[str, tuple[object, ...]] = {
    "key": ("", None, 1, ["a"]),
    "size_bytes": (-1, 5 * 1024**3 + 1, 1.0, True, "1", None),
    "fingerprint": ("A" * 64, "", None, 1),
    "again": (1, "1", None),
}


@pytest.mark.parametrize(
    "said",
    [
        *("", "{", "null", "[]", "[" * 100_000, '"a"', json.dumps(["key"])),
        *(json.dumps({**ANNOUNCED, name: value}) for name, values in WRONG.items() for value in values),
        *(json.dumps({name: ANNOUNCED[name] for name in ANNOUNCED if name != left}) for left in ANNOUNCED),
    ],
)
def test_an_upload_that_isnt_announced_as_it_must_be_is_refused(
    stack: FakeStack, page: Served, said: str
) -> None:
    with opened(page) as socket:
        socket.send(said)
        assert kind(socket.told()) == (400, "invalid-request")
        assert stack.requests == []
        assert socket.upload(CONTENT)["version_id"] == "v1"


def test_a_name_that_is_not_utf8_is_refused(stack: FakeStack, page: Served) -> None:
    assert kind(upload(page, key="a\ud800.png")) == (502, "failed")
    assert stack.objects == {}


TOO_LARGE = Closed(1009, f"Message exceeds the maximum size ({PIECE_BYTES} bytes)")
NO_PART = Closed(BROKEN_RULE, "This is not a part of the file.")
SILENT = Closed(BROKEN_RULE, "Nothing came for too long.")


@pytest.mark.claim(
    "the console keeps little of an upload in memory, and ends a web socket that breaks its rules",
    section="The console",
)
@pytest.mark.parametrize(
    ("messages", "ended"),
    [
        pytest.param([bytes(PIECE_BYTES + 1)], TOO_LARGE, id="too large a piece"),
        pytest.param(["x" * (PIECE_BYTES + 1)], TOO_LARGE, id="too large a text"),
        pytest.param([b""], NO_PART, id="an empty piece"),
        pytest.param([bytes(1000), bytes(1)], NO_PART, id="more than was announced"),
        pytest.param(["{}"], NO_PART, id="a text in a file"),
    ],
)
def test_a_socket_ends_if_the_page_breaks_a_rule(
    stack: FakeStack, page: Served, messages: list[str | bytes], ended: Closed
) -> None:
    with opened(page) as socket:
        socket.announce(size_bytes=1000, fingerprint="a" * 64)
        for message in messages:
            socket.send(message)

        assert socket.closed() == ended
    assert stack.objects == {}


@pytest.fixture
def s3_is_slow(page: Served, monkeypatch: pytest.MonkeyPatch) -> Iterator[Socket]:
    """An upload that doesn't go on, and that others have to wait for."""
    monkeypatch.setattr(uploads, "AT_ONCE", 1)
    with opened(page) as socket:
        socket.announce(size_bytes=1000, key="slow.png", fingerprint="a" * 64)
        socket.send(b"piece")
        assert socket.told() == {"taken": 5}
        yield socket


def test_as_much_may_be_sent_ahead_as_is_agreed(page: Served, stack: FakeStack, s3_is_slow: Socket) -> None:
    with opened(page) as socket:
        socket.announce(LARGE)
        for start in range(0, PIECES_AHEAD * PIECE_BYTES, PIECE_BYTES):
            socket.send(LARGE[start : start + PIECE_BYTES])
        s3_is_slow.close()
        for start in range(PIECES_AHEAD * PIECE_BYTES, len(LARGE), PIECE_BYTES):
            assert "taken" in socket.told()
            socket.send(LARGE[start : start + PIECE_BYTES])

        assert socket.answer()["version_id"] == "v1"
    assert [*stack.objects.values()] == [LARGE]


@pytest.mark.claim(
    "the console keeps little of an upload in memory, and ends a web socket that breaks its rules",
    section="The console",
)
@pytest.mark.usefixtures("s3_is_slow")
def test_no_more_is_taken_ahead_than_s3_takes(page: Served, stack: FakeStack) -> None:
    with opened(page) as socket:
        socket.announce(LARGE)
        for _ in range(PIECES_AHEAD + 1):
            socket.send(bytes(PIECE_BYTES))

        assert socket.closed() == Closed(BROKEN_RULE, f"More than {PIECES_AHEAD} pieces were sent ahead.")
    assert stack.objects == {}


def test_pieces_without_a_file_end_the_socket(page: Served) -> None:
    with opened(page) as socket:
        for _ in range(PIECES_AHEAD + 1):
            socket.send(b"piece")

        assert socket.closed() == Closed(BROKEN_RULE, "These pieces belong to no file.")


@pytest.mark.parametrize("announced", [True, False])
def test_a_socket_on_which_nothing_comes_is_closed(
    stack: FakeStack, page: Served, monkeypatch: pytest.MonkeyPatch, announced: bool
) -> None:
    monkeypatch.setattr(uploads, "SILENT_SECONDS", 0.1)
    with opened(page) as socket:
        if announced:
            socket.announce(CONTENT)

        assert socket.closed() == SILENT
    assert stack.objects == {}


def test_there_are_only_so_many_sockets(page: Served) -> None:
    with ExitStack() as open_ones:
        first, *_ = [open_ones.enter_context(opened(page)) for _ in range(MOST_SOCKETS)]
        with opened(page) as one_more:
            assert one_more.closed().code == TRY_AGAIN_LATER
        first.close()
        assert upload(page)["version_id"] == "v1"


def test_a_file_is_sent_once_more_when_s3_is_busy(stack: FakeStack, page: Served) -> None:
    stack.planned.append((f"PUT /{BUCKET}/", s3_error(503, "SlowDown", "Please reduce your request rate")))

    assert upload(page)["version_id"] == "v1"
    assert [*stack.objects.values()] == [CONTENT]


@pytest.mark.parametrize(
    ("code", "refused", "allowed"),
    [("AccessDenied", (403, "missing-right"), False), ("BadDigest", (502, "failed"), True)],
)
def test_once_an_upload_was_denied_the_page_knows_that_others_will_be(
    stack: FakeStack, page: Served, code: str, refused: tuple[int, str], allowed: bool
) -> None:
    stack.planned.append((f"PUT /{BUCKET}/", s3_error(403, code, "no")))

    assert kind(upload(page)) == refused
    assert page.get("/api/session").json["can"]["upload"] is allowed


@pytest.mark.parametrize("ends_properly", [True, False])
def test_an_upload_that_the_browser_cancels_does_not_arrive(
    stack: FakeStack, page: Served, ends_properly: bool
) -> None:
    with opened(page) as socket:
        socket.announce(size_bytes=100_000)
        socket.send(b"half")
        assert socket.told() == {"taken": 4}
        if ends_properly:
            socket.close()

    assert upload(page, key="b.png")["version_id"] == "v1"
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
