"""The `bill-e` command: uploads receipts to a stack, reads its ledger, and helps to keep it running."""

from __future__ import annotations

import signal


def start() -> int:
    """Run the command line and return its exit code. SIGTERM interrupts it as Ctrl-C does.

    Modules are imported here, because that takes long enough for somebody to press Ctrl-C.
    """
    try:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        from cli.main import main
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return main()
