"""Files that are made to exhaust their reader's time, memory or stack, or to mislead it."""

from __future__ import annotations

import gc
import gzip
import hashlib
import http.server
import socket
import sys
import threading
import tracemalloc
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import repeat
from typing import TYPE_CHECKING

import boto3
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from functions.contract.entry import ObjectVersion, Outcome, Reason
from functions.contract.processing import ACCEPTABLE_TYPES, S3_KEY
from functions.processor.examination import DamagedReadError, Rules, examine
from functions.processor.formats.inspector import HEAD_BYTES
from functions.processor.objects import CHUNK_BYTES, S3Objects
from local.in_process.events import SOURCE, s3_event
from tests.functions.examples import JPEG, PDF, PNG, Stored, stored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.functions.account import Account

MEBIBYTE = 1024 * 1024
RULES = Rules(accepted_types=frozenset({"image/png", "application/pdf"}), max_bytes=100 * MEBIBYTE)
EVERY_TYPE = replace(RULES, accepted_types=frozenset(ACCEPTABLE_TYPES))

SKIPPABLE_FRAME = b"\x50\x2a\x4d\x18" + bytes(4)
"""An empty one of Zstandard (RFC 8878, section 3.1.2). Another may follow it."""

FTYP = b"\xff\xff\xff\xffftyp"
READ = [
    *(PNG, PNG[:16], JPEG, JPEG[:3], PDF, PDF[:9], b"%%EOF", b"<?xml", b"From: a\nDate: b\n\n"),
    *(FTYP, FTYP + b"mif1", FTYP + b"heic", b"\x00\x00\x00\x00ftyp", b"RIFF", b"WEBP", b"II*\x00"),
    *(b"MM\x00*", b"GIF89a", b"BM", b"\x89PNG\r\n\x1a\n\x00\x00\x00\x08acTL"),
]
"""What begins a file of which the structure is read, and parts of one."""

NOT_READ = [
    *(SKIPPABLE_FRAME, b"\x50\x2a\x4d\x18\xff\xff\xff\xff", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"),
    *(b"mimetype", b"word/", b"[Content_Types].xml", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
    *(b"\x1a\x45\xdf\xa3", b"\x1f\x8b\x08", b"BZh9", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"MZ"),
    *(b"\x7fELF", b"OggS", b"ID3", b"%!PS", b"{\\rtf"),
]
FILES = st.lists(st.sampled_from(READ + NOT_READ) | st.binary(max_size=16), max_size=12).map(b"".join)

CONNECT = socket.socket.connect
"""As it was before the tests made it refuse every connection."""


@given(FILES, st.integers(0, 2 * HEAD_BYTES))
@example(SKIPPABLE_FRAME, 2 * HEAD_BYTES)
@pytest.mark.claim(
    "a file is judged whatever its bytes are, and in whatever pieces they arrive", section="Hostile input"
)
def test_any_file_is_judged_in_whatever_pieces_it_arrives(start: bytes, size: int) -> None:
    repeated = (start * (size // max(len(start), 1) + 1))[:size]
    for data in (start, repeated, start + repeated):
        examined = examine(stored(data, CHUNK_BYTES), EVERY_TYPE)

        assert examined == examine(stored(data, 100), EVERY_TYPE)
        assert examined.media_type in EVERY_TYPE.accepted_types or examined.reason is not None
        assert (examined.detail is None) == (examined.reason is not Reason.DAMAGED)


@pytest.mark.parametrize("unit", NOT_READ)
@pytest.mark.claim("recognising the type of a larger file takes no longer", section="Hostile input")
def test_recognising_the_type_of_a_larger_file_takes_no_longer(unit: bytes) -> None:
    """A file of no known type isn't read any further than to see that."""
    head = unit * (2 * HEAD_BYTES // len(unit))
    calls_to_examine(head)  # does what is only done once

    assert calls_to_examine(head * 100) == calls_to_examine(head) < 20_000


def calls_to_examine(data: bytes) -> int:
    """Count the calls of Python and C functions that it takes to examine a file in one piece."""
    count = 0

    def profile(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    gc.disable()  # or its calls would count
    sys.setprofile(profile)
    try:
        examine(stored(data, len(data)), EVERY_TYPE)
    finally:
        sys.setprofile(None)
        gc.enable()
    return count


def test_a_file_of_frames_in_frames_is_judged_in_the_processor(account: Account) -> None:
    """In a worker thread, below the batch, less of the stack is left than in a small test."""
    made = account.put("frames.png", SKIPPABLE_FRAME * 100_000)

    assert account.process(s3_event(made)) == []

    (entry,) = account.entries()
    assert (entry.outcome, entry.reason) == (Outcome.REJECTED, Reason.UNSUPPORTED_TYPE)


@contextmanager
def peak_below(bytes_: int) -> Iterator[None]:
    """Check that no more memory is used at any time."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < bytes_
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("mebibytes", [1, 64])
@pytest.mark.claim("memory does not grow with the file", section="Hostile input")
def test_memory_does_not_grow_with_the_file(mebibytes: int) -> None:
    pieces = (bytes([number]) * CHUNK_BYTES for number in range(mebibytes))

    with peak_below(4 * CHUNK_BYTES):
        finding = examine(Stored(size_bytes=mebibytes * MEBIBYTE, pieces=pieces), RULES)

    assert finding.size_bytes == mebibytes * MEBIBYTE


@pytest.mark.claim("an endless file is given up after its declared size", section="Hostile input")
def test_an_endless_file_is_given_up_after_its_declared_size() -> None:
    endless = Stored(size_bytes=10_000, pieces=repeat(bytes(1024)))

    with pytest.raises(DamagedReadError):
        examine(endless, RULES)
    assert endless.pieces_read == 10


@pytest.mark.claim("a compressed upload is read as it is stored, and never unpacked", section="Hostile input")
def test_a_compressed_upload_is_read_as_it_is_stored_and_never_unpacked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An uploader chooses ``Content-Encoding``. A client that heeded it would unpack a bomb."""
    bomb = gzip.compress(bytes(64 * MEBIBYTE))
    monkeypatch.setattr(socket.socket, "connect", CONNECT)
    version = ObjectVersion(bucket="uploads", key="bomb.pdf", version_id="v1")

    with storage_with(bomb, {"content-encoding": "gzip"}) as endpoint:
        client = boto3.Session().client("s3", endpoint_url=endpoint)
        objects = S3Objects(client, SOURCE["account_id"], {S3_KEY})
        with closing(client), objects.open(version) as stored, peak_below(4 * CHUNK_BYTES):
            finding = examine(stored, RULES)

    assert finding.fingerprint == hashlib.sha256(bomb).hexdigest()
    assert finding.size_bytes == len(bomb)
    assert finding.media_type == "application/gzip"


@contextmanager
def storage_with(data: bytes, headers: dict[str, str]) -> Iterator[str]:
    """Serve one object on a loopback port, whatever the request, and yield the endpoint's URL."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            always = {"content-length": str(len(data)), "last-modified": "Sat, 21 Nov 2026 10:00:00 GMT"}
            for name, value in {**always, **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
