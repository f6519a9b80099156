"""Show what the ledger has on a receipt: its entry, and its duplicates and rejections.

Name it by its fingerprint (the SHA-256 of its bytes), by the first 8 or more digits of that, such as the 12
that tables show, by a file, or by a key. If an argument could be several of these, a file is taken before a
fingerprint, and a fingerprint before a key. With less than a whole fingerprint, the command goes through the
ledger from the newest entry on.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

from cli.answers import ApiEntry, ApiHistory
from cli.caller.connection import connect
from cli.caller.subjects import Subject, SubjectSearch
from cli.commands import Audience, Command
from cli.options import add_json, completed_as_file, stack_of, token_of
from cli.screen.entries import entry_fields, history_row
from cli.screen.terminal import Terminal
from functions.contract.entry import Outcome


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    subject = parser.add_argument(
        "subject",
        metavar="FINGERPRINT|FILE|KEY",
        help="64 hexadecimal digits or the first 8 or more",
    )
    completed_as_file(subject)
    add_json(
        parser, 'write the API\'s answer to stdout, or {"entry": …} for an upload that was rejected unread'
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Show the entries of a fingerprint; fail if the ledger has none."""
    access = stack_of(options)
    with connect(access, token=token_of(options)) as stack:
        subject = find_subject(SubjectSearch(api=stack.api, access=access), options.subject, terminal)
    if options.json:
        terminal.json(subject.history or {"entry": subject.entry})
    elif subject.history:
        write_history(str(subject.fingerprint), subject.history, subject.entry, terminal)
    elif subject.entry:
        terminal.fields(entry_fields(subject.entry))
        terminal.write("")
        terminal.write("it was rejected without being read, so it has no fingerprint")
    return 0


def find_subject(search: SubjectSearch, text: str, terminal: Terminal) -> Subject:
    """Find what an argument names, showing how much of the ledger has been searched."""
    with terminal.counting("pages of the ledger searched") as advance:
        subject = replace(search, on_page=lambda: advance(1)).find(text)
    if subject.note:
        terminal.complain(f"note: {subject.note}")
    return subject


def write_history(fingerprint: str, history: ApiHistory, asked: ApiEntry | None, terminal: Terminal) -> None:
    """Write the entry that was asked for by its key, the receipt, and the uploads that were none."""
    receipt, rejections = history["receipt"], history["rejections"]
    if asked and asked["outcome"] == Outcome.DUPLICATE:
        terminal.fields(entry_fields(asked))
        terminal.write("")
        terminal.write("which has the bytes of this receipt")
    if receipt:
        terminal.fields(entry_fields(receipt))
    else:
        terminal.write(f"{fingerprint} was never accepted")
        if rejections:
            terminal.fields(entry_fields(rejections[0]))
    for title, entries in (("duplicate", history["duplicates"]), ("rejection", rejections)):
        if entries:
            terminal.write("")
            terminal.write(f"{len(entries)} {title}{'' if len(entries) == 1 else 's'}")
            terminal.table(map(history_row, entries))
    if history.get("truncated"):
        terminal.complain("there are more entries than the API returns for one fingerprint")


COMMAND = Command(
    name="show",
    audience=Audience.AUDITORS,
    summary="show one receipt and its history",
    description=__doc__,
    examples=(
        "bill-e show receipt.png --stack dev",
        "bill-e show 9f86d081884c --stack dev",
        "bill-e show '2026/taxi.pdf' --stack dev",
        "bill-e show 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 --stack dev",
    ),
    add_options=add_options,
    run=run,
)
