"""The `bill-e` command line: its parser, and how an error becomes a sentence and an exit code."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import version

from cli.commands import (
    backfill,
    dead_letters,
    get,
    open_file,
    receipts,
    reconcile,
    restore,
    resubmit,
    show,
    upload,
)
from cli.errors import BillEError
from cli.options import add_stack
from cli.screen.terminal import Terminal

COMMANDS = (
    *(upload.COMMAND, receipts.COMMAND, show.COMMAND, get.COMMAND, open_file.COMMAND),
    *(reconcile.COMMAND, backfill.COMMAND, dead_letters.COMMAND, resubmit.COMMAND, restore.COMMAND),
)

EPILOG = """\
examples:
  bill-e upload receipt.png scans/ --wait --stack dev
  bill-e receipts --outcome rejected --stack dev
  bill-e show receipt.png --outputs outputs.json
  bill-e get FINGERPRINT -o receipt.png --stack dev
  bill-e reconcile --stack dev

exit codes: 0 done, 1 something failed (stderr says what), 2 wrong usage, 3 an upload got an outcome that
--fail-on names, 130 interrupted.
With BILL_E_DEBUG=1, an error also shows where in the code it was raised.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code. No error ends in a stack trace."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Characters that the terminal's encoding lacks are shown escaped.
            stream.reconfigure(errors="backslashreplace")
    options = build_parser().parse_args(arguments)
    terminal = Terminal.over(sys.stdout, sys.stderr)
    try:
        code: int = options.run(options, terminal)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of stdout has closed it. Python flushes it once more on exit, which must not fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        _explain(terminal, "interrupted")
        return 128 + signal.SIGINT
    except BillEError as error:
        _explain(terminal, str(error))
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - the last place before the user
        _explain(terminal, f"unexpected {type(error).__name__}: {error}; BILL_E_DEBUG=1 shows where")
        return 1
    return code


def build_parser() -> argparse.ArgumentParser:
    """Build the parser for all commands."""
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="bill-e",
        description="Upload receipts to a Bill-E stack, read its ledger, and keep the ledger complete.",
        epilog=EPILOG,
        formatter_class=formatter,
    )
    parser.add_argument("--version", action="version", version=f"bill-e {version('bill-e')}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        subparser = subparsers.add_parser(
            command.name,
            help=command.summary,
            description=command.description,
            epilog="\n  ".join(("examples:", *command.examples)),
            formatter_class=formatter,
        )
        add_stack(subparser)
        command.add_options(subparser)
        subparser.set_defaults(run=command.run)
    return parser


def _explain(terminal: Terminal, sentence: str) -> None:
    if os.environ.get("BILL_E_DEBUG") == "1":
        terminal.err.file.write(traceback.format_exc())
    terminal.complain(f"bill-e: {sentence}", style="red")


if __name__ == "__main__":
    sys.exit(main())
