"""The `bill-e` command line: its parser, and how an error becomes a sentence and an exit code."""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
import traceback
from collections.abc import Sequence
from difflib import get_close_matches
from importlib.metadata import version
from typing import NoReturn

from cli import code_of_interrupt, start
from cli.commands import (
    Audience,
    backfill,
    completion,
    console,
    dead_letters,
    export,
    get,
    open_file,
    proof,
    receipts,
    reconcile,
    restore,
    resubmit,
    show,
    upload,
    verify,
    watch,
)
from cli.errors import BillEError, UnreadError
from cli.options import add_stack
from cli.screen.help import HelpFormatter
from cli.screen.terminal import Terminal

COMMANDS = (
    *(upload.COMMAND, watch.COMMAND),
    *(
        receipts.COMMAND,
        show.COMMAND,
        get.COMMAND,
        open_file.COMMAND,
        export.COMMAND,
        verify.COMMAND,
        proof.COMMAND,
        console.COMMAND,
    ),
    *(reconcile.COMMAND, backfill.COMMAND, dead_letters.COMMAND, resubmit.COMMAND, restore.COMMAND),
    completion.COMMAND,
)

USAGE = "bill-e [--help] [--version] COMMAND …"

DESCRIPTION = "Upload receipts to a Bill-E stack, read its ledger, and keep it complete."

EPILOG = """\
bill-e COMMAND --help shows a command's options and examples.
Exit codes: 0 done, 1 failed (stderr says why), 2 wrong usage, 3 an outcome that
--fail-on names, 130 interrupted. BILL_E_DEBUG=1 shows where errors come from.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code. No error ends in a stack trace."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Characters that the terminal's encoding lacks are shown escaped.
            stream.reconfigure(errors="backslashreplace")
    options = parsed(arguments)
    terminal = Terminal.over(sys.stdout, sys.stderr)
    try:
        code: int = options.run(options, terminal)
        sys.stdout.flush()
    except BrokenPipeError as error:
        # The reader of stdout has closed it. Python flushes it once more on exit, which must not fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1 if isinstance(error, UnreadError) else 0
    except KeyboardInterrupt:
        _explain(terminal, "interrupted")
        return code_of_interrupt()
    except BillEError as error:
        _explain(terminal, str(error))
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - the last place before the user
        _explain(terminal, f"unexpected {type(error).__name__}: {error}; BILL_E_DEBUG=1 shows where")
        return 1
    return code


class Parser(argparse.ArgumentParser):
    """A parser that names the nearest of the words that it knows when one is mistyped."""

    def error(self, message: str) -> NoReturn:
        """Write the usage and the message, and end with exit code 2."""
        refused = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message)
        if refused:
            message += _nearest(refused[1], re.findall(r"[\w-]+", refused[2]))
        super().error(message)


class WholeParser(Parser):
    """The parser for all commands, whose help lists them by who uses them."""

    def format_help(self) -> str:
        """Return a help that fits a screen."""
        return "\n\n".join((f"usage: {USAGE}", DESCRIPTION, _list_of_commands(), EPILOG))


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse a command line. What a command doesn't know is refused with the usage of that command."""
    whole = build_parser()
    options, unknown = whole.parse_known_args(arguments)
    if unknown:
        known = list(options.parser._option_string_actions)  # noqa: SLF001 - there is no other list of them
        options.parser.error(f"unrecognized arguments: {' '.join(unknown)}{_nearest(unknown[0], known)}")
    options.whole_parser = whole
    return options


def _nearest(word: str, known: Sequence[str]) -> str:
    near = get_close_matches(word.partition("=")[0], known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def build_parser() -> Parser:
    """Build the parser for all commands."""
    parser = WholeParser(prog="bill-e", usage=USAGE)
    parser.add_argument("--version", action="version", version=f"bill-e {version('bill-e')}")
    subparsers = parser.add_subparsers(prog="bill-e", metavar="COMMAND", required=True, parser_class=Parser)
    for command in COMMANDS:
        subparser = subparsers.add_parser(
            command.name,
            help=command.summary,
            description=command.description,
            epilog="\n  ".join(("examples:", *command.examples)),
            formatter_class=HelpFormatter,
        )
        if command.needs_stack:
            add_stack(subparser)
        command.add_options(subparser)
        subparser.set_defaults(run=command.run, parser=subparser)
    return parser


def _list_of_commands() -> str:
    """List the commands by who uses them, one in a line."""
    lines = []
    for audience in Audience:
        of_audience = [command for command in COMMANDS if command.audience is audience]
        for place, command in enumerate(of_audience):
            label = "" if place else audience
            lines.append(f"  {label:<15} {command.name:<13} {command.summary}")
    return "\n".join(lines)


def _explain(terminal: Terminal, sentence: str) -> None:
    if os.environ.get("BILL_E_DEBUG") == "1":
        terminal.err.file.write(traceback.format_exc())
    terminal.complain(f"bill-e: {sentence}", style="red")


if __name__ == "__main__":
    sys.exit(start())
