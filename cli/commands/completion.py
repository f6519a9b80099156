"""Print the script with which a shell completes commands, options and files when you press Tab.

bash: add `eval "$(bill-e completion bash)"` to ~/.bashrc. zsh: add the same with zsh to ~/.zshrc, after
compinit. fish: bill-e completion fish > ~/.config/fish/completions/bill-e.fish
"""

from __future__ import annotations

import argparse

import shtab

from cli.commands import Audience, Command
from cli.screen.terminal import Terminal

SHELLS = ("bash", "zsh", "fish")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("shell", choices=SHELLS, help="the shell that you use")


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Print the script for the parser that these options came from."""
    terminal.out.file.write(f"{shtab.complete(options.whole_parser, shell=options.shell)}\n")
    return 0


COMMAND = Command(
    name="completion",
    audience=Audience.EVERYONE,
    summary="print a script that completes commands",
    description=__doc__,
    examples=('eval "$(bill-e completion bash)"',),
    add_options=add_options,
    run=run,
    needs_stack=False,
)
