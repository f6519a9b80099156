"""Show the receipt with a fingerprint, and its duplicates and rejections.

A fingerprint is the SHA-256 of the bytes, as 64 hexadecimal digits; for a file, the command computes it. An
argument that is both a fingerprint and the name of a file is taken to be the file.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from cli.answers import ApiHistory
from cli.caller.connection import connect
from cli.caller.files import fingerprint_of_file
from cli.commands import Command
from cli.errors import BillEError
from cli.options import add_json, stack_of, token_of
from cli.screen.entries import entry_fields, history_row
from cli.screen.terminal import Terminal

FINGERPRINT = re.compile(r"[0-9a-fA-F]{64}")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("subject", metavar="FINGERPRINT|FILE", help="64 hexadecimal digits, or a file")
    add_json(parser, "write the API's answer to stdout")


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Show the entries of a fingerprint; fail if the ledger has none."""
    access = stack_of(options)
    fingerprint = fingerprint_from(options.subject, terminal)
    with connect(access, token=token_of(options)) as stack:
        history = stack.api.history(fingerprint)
    if history is None:
        named = "" if options.subject.lower() == fingerprint else f" ({options.subject})"
        raise BillEError(f"the ledger at {access.api_url} has no entry for {fingerprint}{named}")
    if options.json:
        terminal.json(history)
    else:
        write_history(fingerprint, history, terminal)
    return 0


def fingerprint_from(subject: str, terminal: Terminal) -> str:
    """Return the fingerprint of the file that an argument names, or else the argument as a fingerprint."""
    path, is_fingerprint = Path(subject), FINGERPRINT.fullmatch(subject) is not None
    if path.is_file():
        if is_fingerprint:
            terminal.complain(f"note: {subject} is a fingerprint and the name of a file; showing the file")
        return fingerprint_of_file(path)
    if is_fingerprint:
        return subject.lower()
    raise BillEError(f"{subject!r} is neither a file nor a fingerprint (64 hexadecimal digits)")


def write_history(fingerprint: str, history: ApiHistory, terminal: Terminal) -> None:
    """Write the receipt, then the uploads that were duplicates or rejected."""
    if history["receipt"]:
        terminal.fields(entry_fields(history["receipt"]))
    else:
        terminal.write(f"{fingerprint} was never accepted")
    for title, entries in (("duplicate", history["duplicates"]), ("rejection", history["rejections"])):
        if entries:
            terminal.write("")
            terminal.write(f"{len(entries)} {title}{'' if len(entries) == 1 else 's'}")
            terminal.table(map(history_row, entries))
    if history.get("truncated"):
        terminal.complain("there are more entries than the API returns for one fingerprint")


COMMAND = Command(
    name="show",
    summary="show one receipt and its history",
    description=__doc__,
    examples=(
        "bill-e show receipt.png --stack dev",
        "bill-e show 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 --stack dev",
    ),
    add_options=add_options,
    run=run,
)
