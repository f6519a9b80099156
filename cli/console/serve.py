"""Serves the console on 127.0.0.1 until it is interrupted."""

from __future__ import annotations

import os
import socket
import threading
import webbrowser
from contextlib import suppress
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.websockets.wsproto_impl import WSProtocol

from cli.console.app import console_app
from cli.console.session import Session
from cli.console.uploads import PIECE_BYTES
from cli.errors import BillEError

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

    from cli.console.app import Console

HOST = "127.0.0.1"
ENDING_SECONDS = 2
"""How long an answer that is under way may still take after Ctrl-C."""

SIGNALS_SECONDS = 0.5
"""How often signals are looked for. On Windows, none ends a wait."""


def listen(port: int | None) -> socket.socket:
    """Listen on a port of this machine alone, or on a free one. Raise BillEError if it is taken."""
    listening = socket.socket()
    try:
        # Otherwise a console that is started again has to wait until the system forgets the last one.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((HOST, port or 0))
        listening.listen()
    except OSError as error:
        listening.close()
        raise BillEError(f"port {port} of {HOST} can't be used: {error.strerror}") from error
    return listening


def server_of(app: ASGIApp) -> uvicorn.Server:
    """Make the server for an app. It logs no requests, since an address can have a key or a name in it."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            log_level="error" if os.environ.get("BILL_E_DEBUG") == "1" else "critical",
            access_log=False,
            lifespan="off",
            server_header=False,
            proxy_headers=False,
            ws=WSProtocol,
            ws_max_size=PIECE_BYTES,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=ENDING_SECONDS,
        )
    )


def serve(console: Console, *, port: int | None, browser: bool, on_start: Callable[[str], None]) -> None:
    """Serve until Ctrl-C or SIGTERM. `on_start` gets the address, which works once.

    The browser's command line has the address for a moment, and other users of the machine can see it. If
    one of them is faster, the browser shows that the address has been used.
    """
    with listen(port) as listening:
        session = Session(listening.getsockname()[1])
        server = server_of(console_app(console, session))
        threading.Thread(target=console.look_ahead, name="look-ahead", daemon=True).start()
        on_start(session.first_address)
        if browser:
            # A browser in a terminal, such as w3m, ends when the person is done.
            threading.Thread(target=webbrowser.open, args=(session.first_address,), daemon=True).start()
        _run(server, listening)


def _run(server: uvicorn.Server, listening: socket.socket) -> None:
    """Run a server until a signal comes, in a thread that is a daemon, as those that it begins then are.

    Otherwise the process would only end once S3 has answered in each of them.
    """
    ended = threading.Event()

    def run() -> None:
        try:
            server.run(sockets=[listening])
        finally:
            ended.set()

    threading.Thread(target=run, name="server", daemon=True).start()
    with suppress(KeyboardInterrupt):
        while not ended.wait(SIGNALS_SECONDS):
            pass
    server.should_exit = True
    with suppress(KeyboardInterrupt):  # Who interrupts twice doesn't want to wait.
        ended.wait()
