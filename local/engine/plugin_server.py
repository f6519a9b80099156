"""A plugin of the Pulumi engine: a gRPC server on a free port, which it prints for the engine."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent import futures

import grpc

MESSAGE_BYTES = 400 * 1024 * 1024
"""The size of the largest message, as in Pulumi's own SDKs."""

WORKERS = 16
"""How many calls are answered at the same time. The engine makes four for each core."""

PARENT_SECONDS = 0.2
"""How often a plugin checks that its engine is still there."""


def serve(register: Callable[[grpc.Server], None]) -> None:
    """Serve what ``register`` adds to the server, until the engine ends this process or itself."""
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=WORKERS),
        options=[
            ("grpc.max_receive_message_length", MESSAGE_BYTES),
            ("grpc.max_send_message_length", MESSAGE_BYTES),
        ],
    )
    register(server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    for number in (signal.SIGINT, signal.SIGTERM):
        # At once, without waiting for threads: by then, the engine has all the answers that it needs.
        signal.signal(number, lambda *_: os._exit(0))
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    server.wait_for_termination()


def _end_with(engine: int) -> None:
    """End once the engine's process is gone, even if it was killed."""
    while os.getppid() == engine:
        time.sleep(PARENT_SECONDS)
    os._exit(1)
