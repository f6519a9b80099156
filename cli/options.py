"""Options that commands share, and what their values may be."""

from __future__ import annotations

import argparse
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cli.outputs import StackAccess, find_stack

DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})")

MINUTES_AT_MOST = 366 * 24 * 60


def stack_options() -> argparse.ArgumentParser:
    """Make a parent parser with the options that name a stack and who calls it."""
    parent = argparse.ArgumentParser(add_help=False)
    group = parent.add_argument_group("the stack (one of the first two is needed)")
    one = group.add_mutually_exclusive_group()
    one.add_argument(
        "--stack", metavar="NAME", help="a Pulumi stack, run in its project's folder (BILL_E_STACK)"
    )
    one.add_argument(
        "--outputs",
        type=Path,
        metavar="FILE",
        help="a file with what `pulumi stack output --json` prints, or that `python -m local up` wrote "
        "(BILL_E_OUTPUTS)",
    )
    group.add_argument(
        "--token",
        help="the bearer token, for a stack whose apiAuth is jwt; better in the environment, where other "
        "users of this machine don't see it (BILL_E_TOKEN)",
    )
    return parent


def stack_of(options: argparse.Namespace) -> StackAccess:
    """Find the stack that the options or the environment name."""
    return find_stack(options.stack, options.outputs)


def token_of(options: argparse.Namespace) -> str | None:
    """Find the bearer token in the options or the environment."""
    token: str | None = options.token or os.environ.get("BILL_E_TOKEN")
    return token


def positive_integer(text: str) -> int:
    """Read a whole number from 1."""
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed: give a whole number from 1")
    return int(text)


def minutes(text: str) -> timedelta:
    """Read a number of minutes, from 0."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= MINUTES_AT_MOST:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not allowed: give a number of minutes from 0 to {MINUTES_AT_MOST:,} (a year)"
        )
    return timedelta(minutes=number)


def named_path(text: str) -> Path:
    """Read a path; an empty one, such as of a variable that isn't set, would mean the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("'' is no name of a file or a folder; the current folder is '.'")
    return Path(text)


def positive_number(text: str) -> float:
    """Read a number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed: give a number above 0")
    return number


def moment(text: str) -> datetime:
    """Read a time as RFC 3339 has it, or a day (YYYY-MM-DD), meaning its midnight in UTC."""
    try:
        if DAY.fullmatch(text):
            return datetime.fromisoformat(text).replace(tzinfo=UTC)
        if RFC3339.fullmatch(text):
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise argparse.ArgumentTypeError(
        f"{text!r} is not allowed: give a time such as 2026-11-22T14:00:00Z, or a day such as 2026-11-22"
    )
