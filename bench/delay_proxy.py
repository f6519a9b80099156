"""A network between functions and the embedded AWS: delays each request, and counts it by operation.

``python -m bench.delay_proxy UPSTREAM_PORT CA_BUNDLE DELAY_SECONDS`` listens on a free port of 127.0.0.1,
which it prints, and passes requests on over TLS. ``GET /counts`` answers the counts so far, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

HOST = "127.0.0.1"

Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


async def main(upstream_port: int, ca_bundle: str, delay_seconds: float) -> None:
    """Serve until the parent closes this process's stdin, or is gone."""
    counts: Counter[str] = Counter()
    context = ssl.create_default_context(cafile=ca_bundle)
    serve = partial(
        _serve, counts=counts, connect=partial(_connect, upstream_port, context), delay_seconds=delay_seconds
    )
    server = await asyncio.start_server(serve, HOST, 0)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 (what the parent reads)
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)  # connections that are open would only complain


async def _connect(port: int, context: ssl.SSLContext) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(HOST, port, ssl=context)


async def _serve(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    *,
    counts: Counter[str],
    connect: Connect,
    delay_seconds: float,
) -> None:
    """Pass the requests of one connection on. Answers flow back unread: nobody here sends two at once."""
    upstream: asyncio.StreamWriter | None = None
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"GET /counts "):
                await _answer(writer, json.dumps(counts).encode())
                break
            body = await reader.readexactly(_content_length(head))
            counts[_operation(head)] += 1
            await asyncio.sleep(delay_seconds)
            if upstream is None:
                answers, upstream = await connect()
                answering = asyncio.create_task(_relay(answers, writer))
            upstream.write(head + body)
            await upstream.drain()
    if upstream is not None:
        upstream.close()
        answering.cancel()
    writer.close()


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(1 << 18):
            writer.write(data)
            await writer.drain()
        writer.close()


async def _answer(writer: asyncio.StreamWriter, body: bytes) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)
    await writer.drain()


def _content_length(head: bytes) -> int:
    return int(_header(head, b"content-length") or 0)


def _operation(head: bytes) -> str:
    target = _header(head, b"x-amz-target")
    if target:
        return target.rpartition(b".")[2].decode()
    return {"GET": "GetObject"}.get(head.partition(b" ")[0].decode(), "other")


def _header(head: bytes, name: bytes) -> bytes:
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.strip().lower() == name:
            return value.strip()
    return b""


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3])))
