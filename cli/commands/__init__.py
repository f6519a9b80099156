"""The subcommands. To add one, write a module here with a `COMMAND`, and list it in `main.COMMANDS`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from cli.screen.terminal import Terminal


class Audience(StrEnum):
    """Who a command is for, in the order in which `bill-e --help` lists them."""

    CALLERS = "callers"
    AUDITORS = "auditors"
    OPERATORS = "operators"
    ADMINISTRATORS = "administrators"
    EVERYONE = "everyone"


@dataclass(frozen=True, kw_only=True)
class Command:
    """A subcommand: its help, its options besides those that name a stack, and the function that runs it.

    `run` returns the exit code. It raises BillEError if something fails that the user can act on.
    """

    name: str
    audience: Audience
    summary: str
    description: str | None
    examples: Sequence[str]
    add_options: Callable[[ArgumentParser], None]
    run: Callable[[Namespace, Terminal], int]
    needs_stack: bool = True
