"""List the ledger's entries, newest recorded first: one for each upload.

--from is inclusive, --to is exclusive; both select by the time when an entry was recorded, in UTC. --key and
--uploader are parts of what they search for, in the same upper and lower case. All filters that are given
have to fit. The last line has the number of the entries listed, and their bytes, by outcome.

--csv writes every field of each entry listed, in UTF-8 and in quotes (RFC 4180). A cell that a spreadsheet
could take for a formula, since it begins with = + - @ a tab or a line break, has an apostrophe before it, and
so has one that begins with an apostrophe (OWASP, "CSV Injection"). A spreadsheet has to be told that commas
separate the cells: if it splits them at another character, it can still find a formula inside a key.

If the table shows only the start of each fingerprint, `bill-e show` takes that, too. On a narrow screen, the
tables of all commands leave out columns until the others fit, in this order: VERSION, TYPE, UPLOADER, SIZE,
RECEIVED, FINGERPRINT, UPLOADED, FIRST SENT, RECORDED, STATE, KEY. In a file or a pipe, tables are whole.
"""

from __future__ import annotations

import argparse
import io
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby

from cli.answers import ApiPage
from cli.caller.api_client import ApiClient, EntryFilter
from cli.caller.connection import connect
from cli.caller.subjects import can_be_searched_for
from cli.commands import Audience, Command
from cli.errors import UsageError
from cli.options import add_json, add_time_range, positive_integer, refuse_empty_range, stack_of, token_of
from cli.screen.entries import CSV_COLUMNS, csv_row, entry_row, write_csv_rows
from cli.screen.terminal import Row, Terminal, printable
from functions.contract.entry import ContentFinding, Outcome, Reason
from functions.contract.http_api import MAX_SEARCH_BYTES

SHOWN_AT_FIRST = 50
"""How many entries to list unless told otherwise. A file of CSV is for programs, and has all of them."""

NARROWEST_FULL = 170
"""In a table with fewer columns than this, a fingerprint is cut to its first 12 digits."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--outcome",
        type=str.upper,
        choices=[*map(str, Outcome)],
        metavar="OUTCOME",
        help="list only entries with this outcome: accepted, duplicate or rejected",
    )
    parser.add_argument(
        "--reason",
        choices=[*map(str, Reason)],
        metavar="REASON",
        help=f"list only what was rejected for this reason: {', '.join(Reason)}",
    )
    parser.add_argument(
        "--finding",
        choices=[*map(str, ContentFinding)],
        metavar="FINDING",
        help=f"list only entries with this finding: {', '.join(ContentFinding)}",
    )
    parser.add_argument("--key", metavar="TEXT", type=_text, help="list only keys that contain this")
    parser.add_argument(
        "--uploader",
        metavar="TEXT",
        type=_text,
        help="list only entries whose uploader contains this; S3 names a user of IAM who uploaded without a "
        "form by a unique id (AIDA…), and not by name",
    )
    add_time_range(parser)
    parser.add_argument(
        "--month", type=_month, metavar="YYYY-MM", help="in place of --from and --to: a month in UTC"
    )
    count = parser.add_mutually_exclusive_group()
    count.add_argument(
        "--limit",
        type=positive_integer,
        metavar="N",
        help=f"list at most this many (default: {SHOWN_AT_FIRST}; all with --csv)",
    )
    count.add_argument("--all", action="store_true", help="list all of them")
    form = parser.add_mutually_exclusive_group()
    add_json(
        form, 'write {"entries": […], "next_cursor": …, "totals": …} to stdout, the first two as in the API'
    )
    form.add_argument("--csv", action="store_true", help="write CSV to stdout, and the totals to stderr")


def _text(text: str) -> str:
    if can_be_searched_for(text):
        return text
    raise argparse.ArgumentTypeError(
        f"{text!r} is not allowed: give 1 to {MAX_SEARCH_BYTES:,} bytes of UTF-8"
    )


def _month(text: str) -> tuple[datetime, datetime]:
    """Read a month as its first moment, and that of the month after it."""
    with suppress(ValueError, OverflowError):
        if re.fullmatch(r"\d{4}-\d{2}", text, re.ASCII):
            start = datetime.fromisoformat(f"{text}-01").replace(tzinfo=UTC)
            return start, (start + timedelta(days=31)).replace(day=1)
    raise argparse.ArgumentTypeError(f"{text!r} is not allowed: give a month such as 2026-10")


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """List entries page by page as they come, so that any number fits into memory."""
    if options.month and (options.start or options.end):
        raise UsageError("--month takes the place of --from and --to: give one or the other")
    refuse_empty_range(options)
    start, end = options.month or (options.start, options.end)
    chosen = EntryFilter(
        outcome=options.outcome,
        reason=options.reason,
        finding=options.finding,
        key=options.key,
        uploader=options.uploader,
        start=start,
        end=end,
    )
    with connect(stack_of(options), token=token_of(options)) as stack:
        shown = None if options.all or options.csv else SHOWN_AT_FIRST
        listing = Listing(stack.api, chosen, options.limit or shown)
        if options.json:
            write_json(listing, terminal)
        elif options.csv:
            write_csv(listing, terminal)
        else:
            write_table(listing, terminal)
    return 0


class Listing:
    """The pages of a listing, remembering where they ended, and what they had in them."""

    def __init__(self, api: ApiClient, chosen: EntryFilter, limit: int | None) -> None:
        self._pages = api.pages(chosen, limit=limit)
        self.next_cursor: str | None = None
        self.totals = {str(outcome): Total() for outcome in Outcome}

    @property
    def total(self) -> Total:
        """The entries of all outcomes so far."""
        return Total(
            entries=self.count,
            bytes=sum(total.bytes for total in self.totals.values()),
            of_unknown_size=sum(total.of_unknown_size for total in self.totals.values()),
        )

    @property
    def count(self) -> int:
        """How many entries there were so far."""
        return sum(total.entries for total in self.totals.values())

    def __iter__(self) -> Iterator[ApiPage]:
        for page in self._pages:
            for entry in page["entries"]:
                self.totals[entry["outcome"]].add(entry["size_bytes"])
            self.next_cursor = page["next_cursor"]
            yield page


@dataclass
class Total:
    """The entries of an outcome, and their bytes, without those of unknown size."""

    entries: int = 0
    bytes: int = 0
    of_unknown_size: int = 0

    def add(self, size_bytes: int | None) -> None:
        """Count one entry."""
        self.entries += 1
        self.bytes += size_bytes or 0
        self.of_unknown_size += size_bytes is None

    def __str__(self) -> str:
        unknown = f", {self.of_unknown_size:,} of unknown size" if self.of_unknown_size else ""
        return f"{self.bytes:,} bytes{unknown}"


def totals_line(listing: Listing) -> str:
    """Such as ``3 entries (300 bytes) = 2 accepted (200 bytes) + 1 duplicate (100 bytes) + 0 rejected …``."""
    parts = [f"{total.entries:,} {name.lower()} ({total})" for name, total in listing.totals.items()]
    noun = "entry" if listing.count == 1 else "entries"
    return f"{listing.count:,} {noun} ({listing.total}) = {' + '.join(parts)}"


def write_table(listing: Listing, terminal: Terminal) -> None:
    """Write entries as rows, and whether there are more."""
    wide = terminal.out.width >= NARROWEST_FULL or not terminal.out.is_terminal
    rows: Iterator[Row] = (
        entry_row(entry, full_fingerprint=wide)
        for page in _without_empty_ones(listing, terminal)
        for entry in page["entries"]
    )
    terminal.table(rows)
    if listing.count == 0:
        terminal.complain("no entries")
    else:
        terminal.write(totals_line(listing))
    _say_if_more(listing, terminal)


def write_csv(listing: Listing, terminal: Terminal) -> None:
    """Write entries as CSV, and the totals to stderr."""
    if isinstance(terminal.out.file, io.TextIOWrapper):
        terminal.out.file.reconfigure(encoding="utf-8", newline="")  # Windows would write CR CR LF
    shown = printable if terminal.out.is_terminal else str
    write_csv_rows(terminal.out.file, [CSV_COLUMNS])
    for page in _without_empty_ones(listing, terminal):
        write_csv_rows(terminal.out.file, (map(shown, csv_row(entry)) for entry in page["entries"]))
    terminal.complain(totals_line(listing))
    _say_if_more(listing, terminal)


def _say_if_more(listing: Listing, terminal: Terminal) -> None:
    if listing.count and listing.next_cursor is not None:
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
    by_outcome = {name: asdict(total) for name, total in listing.totals.items()}
    totals = {**asdict(listing.total), "by_outcome": by_outcome}
    terminal.out.file.write(
        f'{opening}\n], "next_cursor": {json.dumps(listing.next_cursor)}, "totals": {json.dumps(totals)}}}\n'
    )


COMMAND = Command(
    name="receipts",
    audience=Audience.AUDITORS,
    summary="list the ledger's entries",
    description=__doc__,
    examples=(
        "bill-e receipts --stack dev",
        "bill-e receipts --outcome rejected --from 2026-11-01 --to 2026-12-01 --stack dev",
        "bill-e receipts --month 2026-11 --csv --stack dev > november.csv",
        "bill-e receipts --uploader erika --key taxi --stack dev",
        "bill-e receipts --all --json --outputs outputs.json",
    ),
    add_options=add_options,
    run=run,
)
