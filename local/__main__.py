"""The command line of the embedded AWS: ``python -m local``."""

from __future__ import annotations

import argparse
import io
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from cli.options import port_number
from local import STOPPING, LocalError

INTERRUPTED = 130
"""The exit code that shells report for a command that was interrupted."""

DESCRIPTION = Path(".local", "outputs.json")
"""The file in which `make local` describes the embedded AWS."""

UPLOADS, LEAST_UPLOADS = 3_000, 30
"""For a soak: fewer would not include every kind of upload."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 1 failed (stderr says why), 130 interrupted."""
    options = _parse(_parser(), arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # By lines, so that stdout and stderr stay in order even in a file or a pipe.
        sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
    for number in STOPPING:
        signal.signal(number, _interrupt)
    try:
        options.run(options)
    except LocalError as error:
        print(f"local: {error}", file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _parse(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the arguments. Options that only Pulumi knows go to Pulumi, wherever they are."""
    options, unknown = parser.parse_known_args(arguments)
    if unknown and options.run is not _pulumi:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    if unknown:
        options.arguments = [*unknown, *options.arguments]
    return options


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """Stop once: signals that arrive while everything is being stopped are ignored."""
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _up(options: argparse.Namespace) -> None:
    from local.commands.up import up

    up(options.outputs, options.port)


def _emulator(options: argparse.Namespace) -> None:
    from local.commands.up import emulator

    emulator(options.port)


def _pulumi(options: argparse.Namespace) -> None:
    from local.engine.command import run_pulumi

    run_pulumi(options.arguments, options.outputs, options.state)


def _demo(_options: argparse.Namespace) -> None:
    from local.commands.demo import demo

    demo()


def _console(options: argparse.Namespace) -> None:
    from local.commands.console import console

    console(options.port, browser=not options.no_browser)


def _soak(options: argparse.Namespace) -> None:
    from local.commands.soak import soak

    soak(options.uploads)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description="Bill-E on an embedded AWS.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    listening = argparse.ArgumentParser(add_help=False)
    listening.add_argument(
        "--port", metavar="N", type=port_number, help="listen on this port (default: a free one)"
    )

    up = commands.add_parser(
        "up", parents=[listening], help="deploy the program, and keep it running until Ctrl-C or SIGTERM"
    )
    up.add_argument(
        "--outputs",
        metavar="FILE",
        type=Path,
        required=True,
        help="write the endpoint, credentials and stack outputs to FILE as JSON; removed at the end",
    )
    up.set_defaults(run=_up)

    empty = commands.add_parser(
        "emulator", parents=[listening], help="keep an empty embedded AWS running, for any AWS client"
    )
    empty.set_defaults(run=_emulator)

    pulumi = commands.add_parser(
        "pulumi",
        help="run the Pulumi CLI against the embedded AWS that `make local` runs",
        usage="python -m local pulumi [--outputs FILE] [--state FOLDER] ARGUMENTS...",
        description="Run the Pulumi CLI against the embedded AWS. --outputs and --state go before ARGUMENTS.",
    )
    pulumi.add_argument(
        "--outputs",
        metavar="FILE",
        type=Path,
        default=DESCRIPTION,
        help=f"the file that `local up` wrote (default: {DESCRIPTION})",
    )
    pulumi.add_argument(
        "--state",
        metavar="FOLDER",
        help="keep Pulumi's state in FOLDER (default: beside the emulator's data, and removed with it)",
    )
    pulumi.add_argument(
        "arguments", metavar="ARGUMENTS", nargs=argparse.REMAINDER, help="for example: preview"
    )
    pulumi.set_defaults(run=_pulumi)

    demo = commands.add_parser(
        "demo",
        help="deploy, upload samples/, wait for the outcomes, print the ledger and the dashboard, stop",
    )
    demo.set_defaults(run=_demo)

    console = commands.add_parser(
        "console", help="deploy, upload a few hundred receipts, and show them in a browser until Ctrl-C"
    )
    console.add_argument(
        "--port", metavar="N", type=port_number, help="serve the console on this port (default: a free one)"
    )
    console.add_argument("--no-browser", action="store_true", help="print the address, and don't open it")
    console.set_defaults(run=_console)

    load = commands.add_parser(
        "soak", help="deploy, upload a lot with faults and redeliveries, check that nothing is missing, stop"
    )
    load.add_argument(
        "--uploads",
        metavar="N",
        type=_uploads,
        default=UPLOADS,
        help=f"how many uploads, {LEAST_UPLOADS} or more (default: {UPLOADS:,})",
    )
    load.set_defaults(run=_soak)
    return parser


def _uploads(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) >= LEAST_UPLOADS):
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed: give a number, {LEAST_UPLOADS} or more")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
