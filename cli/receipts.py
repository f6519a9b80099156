"""`bill-e receipts`: the ledger, newest recorded first."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator

from cli.api import OUTCOMES, LedgerApi, Page, Query
from cli.command import Command
from cli.errors import UsageError
from cli.options import moment, positive_integer, stack_of, token_of
from cli.session import connect
from cli.terminal import Row, Terminal, entry_row

NARROWEST_FULL = 170
"""In a table of fewer columns than this a fingerprint is cut to its first 12 digits."""

DESCRIPTION = """\
List the ledger's entries, newest recorded first: one for each upload. --from is inclusive, --to exclusive;
both are about the time when an entry was recorded. Where a fingerprint is shortened, --json has it all.
"""

EXAMPLES = """\
examples:
  bill-e receipts --stack dev
  bill-e receipts --outcome rejected --from 2026-11-01 --to 2026-12-01 --stack dev
  bill-e receipts --all --json --outputs outputs.json
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--outcome", type=str.upper, choices=OUTCOMES, help="only these: ACCEPTED, DUPLICATE or REJECTED"
    )
    parser.add_argument(
        "--from",
        dest="start",
        type=moment,
        metavar="TIME",
        help="RFC 3339, or YYYY-MM-DD for its midnight in UTC",
    )
    parser.add_argument("--to", dest="end", type=moment, metavar="TIME", help="likewise")
    count = parser.add_mutually_exclusive_group()
    count.add_argument(
        "--limit", type=positive_integer, default=50, metavar="N", help="at most so many (default: 50)"
    )
    count.add_argument("--all", action="store_true", help="all of them")
    parser.add_argument(
        "--json",
        action="store_true",
        help='write {"entries": […], "next_cursor": …} to stdout, as the API does',
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """List entries as they come, page by page: any number fits into memory."""
    if options.start and options.end and options.start >= options.end:
        raise UsageError("--from must be before --to")
    query = Query(outcome=options.outcome, start=options.start, end=options.end)
    with connect(stack_of(options), token=token_of(options)) as stack:
        listing = Listing(stack.api, query, None if options.all else options.limit)
        if options.json:
            write_json(listing, terminal)
        else:
            write_table(listing, terminal)
    return 0


class Listing:
    """The pages of a query, remembering where they ended."""

    def __init__(self, api: LedgerApi, query: Query, limit: int | None) -> None:
        self._pages = api.pages(query, limit=limit)
        self.count = 0
        self.next_cursor: str | None = None

    def __iter__(self) -> Iterator[Page]:
        for page in self._pages:
            self.count += len(page["entries"])
            self.next_cursor = page["next_cursor"]
            yield page


def write_table(listing: Listing, terminal: Terminal) -> None:
    """Write entries as rows, and whether there are more."""
    fits = terminal.stacks_rows or terminal.out.width >= NARROWEST_FULL
    wide = fits or not terminal.out.is_terminal
    rows: Iterator[Row] = (
        entry_row(entry, full_fingerprint=wide) for page in listing for entry in page["entries"]
    )
    terminal.table(rows)
    if listing.count == 0:
        terminal.complain("no entries")
    elif listing.next_cursor is not None:
        terminal.complain(f"the first {listing.count}; there are more: --all, or a larger --limit")


def write_json(listing: Listing, terminal: Terminal) -> None:
    """Write the document that the API would answer if its pages had no largest size, entry by entry."""
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
    description=DESCRIPTION,
    examples=EXAMPLES,
    add_options=add_options,
    run=run,
)
