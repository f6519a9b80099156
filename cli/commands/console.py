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
from pathlib import Path
from typing import TYPE_CHECKING

from cli.commands import Audience, Command
from cli.errors import BillEError
from cli.options import port_number, stack_of, token_of, verifier_key

if TYPE_CHECKING:
    from cli.screen.terminal import Terminal


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
        from cli.console.app import open_console
        from cli.console.serve import serve
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        raise BillEError(
            f"the console needs the package {package}: install Bill-E with its extra, "
            "`pip install 'bill-e[console]'`"
        ) from error
    pinned = verifier_key(options.key) if options.key else None
    with open_console(
        stack_of(options), name=_name(options), token=token_of(options), pinned=pinned
    ) as console:
        serve(
            console,
            port=options.port,
            browser=not options.no_browser,
            on_start=lambda address: say_address(address, terminal),
        )
    return 0


def say_address(address: str, terminal: Terminal) -> None:
    """Write where the console is."""
    terminal.write(address)
    terminal.complain("this address works once, in one browser; Ctrl-C ends the console")


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
