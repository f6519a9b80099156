"""The options that several subcommands take, and how their values are read."""

from __future__ import annotations

import os
import re
from argparse import Action, ArgumentParser, ArgumentTypeError, Namespace, _ActionsContainer
from datetime import UTC, datetime, timedelta
from pathlib import Path

import shtab

from cli.errors import UsageError
from cli.stack import StackAccess, find_stack
from functions.contract import http_api
from functions.sealing.note import VerifierKey

DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
MINUTES_AT_MOST = 366 * 24 * 60


def add_stack(parser: ArgumentParser) -> None:
    """Add the options that name a stack and identify the caller."""
    group = parser.add_argument_group("the stack (--stack or --outputs is required)")
    one = group.add_mutually_exclusive_group()
    one.add_argument(
        "--stack", metavar="NAME", help="a Pulumi stack of the project in this folder (or set BILL_E_STACK)"
    )
    outputs = one.add_argument(
        "--outputs",
        type=Path,
        metavar="FILE",
        help="a file with the output of `pulumi stack output --json`, or the one that `python -m local up` "
        "wrote (or set BILL_E_OUTPUTS)",
    )
    completed_as_file(outputs)
    group.add_argument(
        "--token",
        help="the bearer token, for a stack with apiAuth jwt; BILL_E_TOKEN is safer, since other users of "
        "this machine can't see it. BILL_E_TOKEN_COMMAND is a command that prints one, and another one when "
        "that has expired",
    )


def completed_as_file(action: Action) -> None:
    """Have shells complete the names of files for an argument (`bill-e completion`)."""
    action.complete = shtab.FILE  # type: ignore[attr-defined]


def stack_of(options: Namespace) -> StackAccess:
    """Read the stack that the options or the environment name."""
    return find_stack(options.stack, options.outputs)


def token_of(options: Namespace) -> str | None:
    """Read the bearer token from the options or the environment."""
    token: str | None = options.token or os.environ.get("BILL_E_TOKEN")
    return token


def add_json(parser: _ActionsContainer, help_text: str = "write one JSON document to stdout") -> None:
    """Add the option for output that programs can read."""
    parser.add_argument("--json", action="store_true", help=help_text)


def add_key_prefix(parser: ArgumentParser) -> None:
    """Add the option that selects object versions by their keys."""
    parser.add_argument(
        "--prefix",
        default="",
        help="only keys that start with this, after the stack's own prefix (default: all)",
    )


def add_time_range(parser: ArgumentParser) -> None:
    """Add the options `start` and `end`; `refuse_empty_range` checks them."""
    parser.add_argument(
        "--from",
        dest="start",
        type=moment,
        metavar="TIME",
        help="an RFC 3339 time, or YYYY-MM-DD for midnight UTC on that day",
    )
    parser.add_argument("--to", dest="end", type=moment, metavar="TIME", help="in the same format")


def refuse_empty_range(options: Namespace) -> None:
    """Raise UsageError unless the options' range of time has a length."""
    if options.start and options.end and options.start >= options.end:
        raise UsageError("--from must be before --to")


def positive_integer(text: str) -> int:
    """Read a whole number of 1 or more."""
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise ArgumentTypeError(f"{text!r} is not allowed: give a whole number, 1 or more")
    return int(text)


def port_number(text: str) -> int:
    """Read the number of a TCP port."""
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= 65535):
        raise ArgumentTypeError(f"{text!r} is not a port: a port is a number from 1 to 65535")
    return int(text)


def positive_number(text: str) -> float:
    """Read a number above 0."""
    number = _number(text)
    if not 0 < number < float("inf"):
        raise ArgumentTypeError(f"{text!r} is not allowed: give a number above 0")
    return number


def minutes(text: str) -> timedelta:
    """Read a number of minutes, 0 or more."""
    number = _number(text)
    if not 0 <= number <= MINUTES_AT_MOST:
        raise ArgumentTypeError(
            f"{text!r} is not allowed: give a number of minutes from 0 to {MINUTES_AT_MOST:,} (a year)"
        )
    return timedelta(minutes=number)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return -1.0


def named_path(text: str) -> Path:
    """Read a path. An empty one, as from a variable that isn't set, would mean the current folder."""
    if not text:
        raise ArgumentTypeError("'' does not name a file or folder; the current folder is '.'")
    return Path(text)


def verifier_key(text: str) -> VerifierKey:
    """Read a log's verifier key, or the file that has it. Raise UsageError if it is neither."""
    try:
        is_file = "+" not in text or Path(text).is_file()
        return VerifierKey.parse(Path(text).read_text(encoding="utf-8") if is_file else text)
    except (OSError, ValueError) as error:
        raise UsageError(f"--key {text!r} can't be used: {error}") from None


def moment(text: str) -> datetime:
    """Read an RFC 3339 time, or a day (YYYY-MM-DD), meaning midnight in UTC."""
    try:
        if DAY.fullmatch(text):
            return datetime.fromisoformat(text).replace(tzinfo=UTC)
        if re.fullmatch(http_api.RFC_3339, text, re.ASCII):
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ArgumentTypeError(
        f"{text!r} is not allowed: give a time such as 2026-11-22T14:00:00Z, or a day such as 2026-11-22, "
        "in the years 1 to 9999 in UTC"
    )
