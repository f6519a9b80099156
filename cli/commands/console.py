"""Look at the ledger in a browser: entries as they come, documents, and proofs.

Serves the console on 127.0.0.1, to the browser that opens its address first, until Ctrl-C. It uses your own
credentials or token, and may do what you may. To see a document you need the permissions in the stack's
output auditor_policy, and to see queues and dead letters those in operator_policy.

The page itself checks that an entry is sealed, with the key that the stack's outputs name. Give --key if you
got the key in another way, which is the safer one.
"""

from __future__ import annotations

import argparse
import os
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cli.caller.connection import connect
from cli.commands import Audience, Command
from cli.errors import BillEError
from cli.options import port_number, stack_of, token_of, verifier_key
from functions.sealing.note import VerifierKey

if TYPE_CHECKING:
    from cli.screen.terminal import Terminal

CONCURRENCY = 32
"""As many requests can run at the same time as threads that make them, with a few to spare."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--port", type=port_number, metavar="N", help="listen on this port (default: a free one)"
    )
    parser.add_argument("--no-browser", action="store_true", help="print the address, and don't open it")
    parser.add_argument(
        "--key",
        metavar="VKEY|FILE",
        help="the log's verifier key, or a file with it (default: the stack's output log_public_key)",
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Serve the console until it is interrupted."""
    try:
        from cli.console.app import Console, console_app
        from cli.console.operations import Operations
        from cli.console.serve import serve
    except ModuleNotFoundError as error:
        raise BillEError(
            f"the console needs the package {error.name}: install Bill-E with its extra, "
            "`pip install 'bill-e[console]'`"
        ) from error
    access = stack_of(options)
    pinned = verifier_key(options.key) if options.key else None
    of_stack = VerifierKey.parse(access.log_public_key) if access.log_public_key else None
    token = token_of(options)
    with ExitStack() as opened:
        connected = partial(connect, access, token=token, concurrency=CONCURRENCY)
        reading = opened.enter_context(connected(as_auditor=True))
        console = Console(
            name=_name(options),
            access=access,
            reading=reading,
            uploading=opened.enter_context(connected()) if access.auditor_key else reading,
            operations=opened.enter_context(Operations(access)),
            log_key=pinned or of_stack,
            pinned_by="option" if pinned else "stack" if of_stack else None,
        )

        def on_start(address: str) -> None:
            terminal.write(address)
            terminal.complain("this address works once, in one browser; Ctrl-C ends the console")

        serve(
            lambda session: console_app(console, session),
            port=options.port,
            on_start=on_start,
            browser=not options.no_browser,
        )
    return 0


def _name(options: argparse.Namespace) -> str:
    """Return what to call the stack: its name, or else that of the file with its outputs."""
    named: str | None = options.stack or (None if options.outputs else os.environ.get("BILL_E_STACK"))
    file = options.outputs or os.environ.get("BILL_E_OUTPUTS")
    return named or (Path(file).name if file else "")


COMMAND = Command(
    name="console",
    audience=Audience.AUDITORS,
    summary="look at the ledger in a browser",
    description=__doc__,
    examples=(
        "bill-e console --stack prod",
        "bill-e console --stack prod --key log-key.txt --port 8080 --no-browser",
    ),
    add_options=add_options,
    run=run,
)
