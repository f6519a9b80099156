"""The `bill-e` command: uploads receipts to a stack, reads its ledger, and helps to operate it."""

from __future__ import annotations

import signal


def start() -> int:
    """Run the command line and return its exit code.

    Modules are loaded here, since that takes long enough to be interrupted.
    """
    try:
        from cli.main import main
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return main()
