"""A network between functions and the embedded AWS: delays each request, and counts it by operation.

``python -m bench.embedded.proxy UPSTREAM_PORT CA_BUNDLE DELAY_SECONDS`` listens on a free port of 127.0.0.1,
which it prints, and passes requests on over TLS. For each line on stdin, it prints the counts so far as JSON;
it ends with stdin.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import sys
from collections import Counter
from contextlib import suppress

HOST = "127.0.0.1"
PIECE_BYTES = 1 << 18


async def main(upstream_port: int, ca_bundle: str, delay_seconds: float) -> None:
    """Serve until the parent closes this process's stdin, or is gone."""
    counts: Counter[str] = Counter()
    context = ssl.create_default_context(cafile=ca_bundle)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass the requests of one connection on. Answers flow back unread: nobody here sends two at once."""
        answers, upstream = await asyncio.open_connection(HOST, upstream_port, ssl=context)
        relaying = asyncio.create_task(_relay(answers, writer))
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                operation, length = _read(head)
                body = await reader.readexactly(length)
                counts[operation] += 1
                await asyncio.sleep(delay_seconds)
                upstream.write(head + body)
                await upstream.drain()
        upstream.close()
        relaying.cancel()
        writer.close()

    server = await asyncio.start_server(serve, HOST, 0)
    _say(server.sockets[0].getsockname()[1])
    while await asyncio.to_thread(sys.stdin.readline):
        _say(counts)
    os._exit(0)  # connections that are open would only complain


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(PIECE_BYTES):
            writer.write(data)
            await writer.drain()
        writer.close()


def _read(head: bytes) -> tuple[str, int]:
    """Return the operation that a request is for, and how long its body is."""
    request, *lines = head.decode("latin-1").rstrip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    of_s3 = "GetObject" if request.startswith("GET ") else "other"
    operation = headers["x-amz-target"].rpartition(".")[2] if "x-amz-target" in headers else of_s3
    return operation, int(headers.get("content-length", 0))


def _say(what: object) -> None:
    sys.stdout.write(f"{json.dumps(what)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3])))
