"""A plain HTTP server in place of S3 and DynamoDB, for objects that nobody has to hold in memory."""

from __future__ import annotations

import base64
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from bench.receipts import png

MEGABYTE = 1024 * 1024


@contextmanager
def serving_object(megabytes: int) -> Iterator[str]:
    """Answer every GET with an object of this size, and every POST with ``{}``; yields the base URL."""
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

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Say nothing: thousands of requests are no news."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
