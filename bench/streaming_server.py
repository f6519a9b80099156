"""A plain HTTP server in place of S3 and DynamoDB, for objects that nobody has to hold in memory."""

from __future__ import annotations

import base64
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from bench.receipts import png

MEGABYTE = 1024 * 1024


@dataclass
class Served:
    """A server's base URL, and what it did since it was asked last."""

    url: str
    bytes_sent: int = 0
    posts: int = 0

    def since_last(self) -> tuple[int, int]:
        """Return the bytes of objects that were sent, and how many POSTs there were; start anew."""
        done = self.bytes_sent, self.posts
        self.bytes_sent = self.posts = 0
        return done


@contextmanager
def serving_object(megabytes: int) -> Iterator[Served]:
    """Answer every GET with an object of this size, and every POST with ``{}``."""
    lock = threading.Lock()
    chunk, checksum = png(MEGABYTE), 0
    for _ in range(megabytes):
        checksum = zlib.crc32(chunk, checksum)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(megabytes * MEGABYTE))
            self.send_header("ETag", '"0123456789abcdef0123456789abcdef"')
            self.send_header("x-amz-checksum-type", "FULL_OBJECT")
            self.send_header("x-amz-checksum-crc32", base64.b64encode(checksum.to_bytes(4, "big")).decode())
            self.end_headers()
            for _ in range(megabytes):
                self.wfile.write(chunk)
            with lock:
                served.bytes_sent += megabytes * MEGABYTE

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                served.posts += 1
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Say nothing: thousands of requests are no news."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served = Served(url=f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()
