"""List the ledger's entries, newest recorded first: one for each upload.

--from is inclusive, --to is exclusive; both select by the time when an entry was recorded. If the table shows
only the start of each fingerprint, use --json to see all of it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from itertools import groupby

from cli.answers import ApiPage
from cli.caller.api_client import ApiClient, EntryFilter
from cli.caller.connection import connect
from cli.commands import Command
from cli.options import add_json, add_time_range, positive_integer, refuse_empty_range, stack_of, token_of
from cli.screen.entries import entry_row
from cli.screen.terminal import Row, Terminal
from functions.contract.entry import Outcome

NARROWEST_FULL = 170
"""In a table with fewer columns than this, a fingerprint is cut to its first 12 digits."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--outcome",
        type=str.upper,
        choices=[*map(str, Outcome)],
        help="list only entries with this outcome",
    )
    add_time_range(parser)
    count = parser.add_mutually_exclusive_group()
    count.add_argument(
        "--limit", type=positive_integer, default=50, metavar="N", help="list at most this many (default: 50)"
    )
    count.add_argument("--all", action="store_true", help="list all of them")
    add_json(parser, 'write {"entries": […], "next_cursor": …} to stdout, like the API')


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """List entries page by page as they come, so that any number fits into memory."""
    refuse_empty_range(options)
    chosen = EntryFilter(outcome=options.outcome, start=options.start, end=options.end)
    with connect(stack_of(options), token=token_of(options)) as stack:
        listing = Listing(stack.api, chosen, None if options.all else options.limit)
        if options.json:
            write_json(listing, terminal)
        else:
            write_table(listing, terminal)
    return 0


class Listing:
    """The pages of a listing, remembering where they ended."""

    def __init__(self, api: ApiClient, chosen: EntryFilter, limit: int | None) -> None:
        self._pages = api.pages(chosen, limit=limit)
        self.count = 0
        self.next_cursor: str | None = None

    def __iter__(self) -> Iterator[ApiPage]:
        for page in self._pages:
            self.count += len(page["entries"])
            self.next_cursor = page["next_cursor"]
            yield page


def write_table(listing: Listing, terminal: Terminal) -> None:
    """Write entries as rows, and whether there are more."""
    fits = terminal.stacks_rows or terminal.out.width >= NARROWEST_FULL
    wide = fits or not terminal.out.is_terminal
    rows: Iterator[Row] = (
        entry_row(entry, full_fingerprint=wide)
        for page in _without_empty_ones(listing, terminal)
        for entry in page["entries"]
    )
    terminal.table(rows)
    if listing.count == 0:
        terminal.complain("no entries")
    elif listing.next_cursor is not None:
        terminal.complain(
            f"these are the first {listing.count}; there are more: use --all, or a larger --limit"
        )


def _without_empty_ones(pages: Iterable[ApiPage], terminal: Terminal) -> Iterator[ApiPage]:
    """Leave out empty pages, but show how many have come: if an outcome is rare, there can be very many."""
    for has_entries, group in groupby(pages, key=lambda page: bool(page["entries"])):
        if has_entries:
            yield from group
            continue
        with terminal.counting("pages without an entry to list") as advance:
            for _ in group:
                advance(1)


def write_json(listing: Listing, terminal: Terminal) -> None:
    """Write what the API would answer if its pages had no size limit, entry by entry."""
    separator = '{"entries": [\n'
    for page in listing:
        for entry in page["entries"]:
            terminal.out.file.write(f"{separator}{json.dumps(entry)}")
            separator = ",\n"
    opening = separator if listing.count == 0 else ""
    terminal.out.file.write(f'{opening}\n], "next_cursor": {json.dumps(listing.next_cursor)}}}\n')


COMMAND = Command(
    name="receipts",
    summary="list the ledger's entries",
    description=__doc__,
    examples=(
        "bill-e receipts --stack dev",
        "bill-e receipts --outcome rejected --from 2026-11-01 --to 2026-12-01 --stack dev",
        "bill-e receipts --all --json --outputs outputs.json",
    ),
    add_options=add_options,
    run=run,
)
