"""What a subcommand is. A new one is a module with a `COMMAND`, and a line in `main.COMMANDS`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import dataclass

from cli.terminal import Terminal


@dataclass(frozen=True, kw_only=True)
class Command:
    """A subcommand: its help, its options besides those that name the stack, and what it does.

    `run` returns the exit code, and raises BillEError for what a user can act on.
    """

    name: str
    summary: str
    description: str
    examples: str
    add_options: Callable[[ArgumentParser], None]
    run: Callable[[Namespace, Terminal], int]
