"""Counts of entries by day, for the overview: kept in memory, and brought up to date when asked for."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse
from starlette.routing import Route

from cli.caller.api_client import EntryFilter
from cli.errors import UsageError
from cli.screen.entries import uploader_of
from functions.contract.entry import Outcome, format_time, parse_time
from functions.contract.http_api import MAX_LIMIT

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from cli.answers import ApiEntry, ApiPage
    from cli.caller.api_client import ApiClient

MOST_DAYS = 366
PAGES_AT_ONCE = 25
"""How much of the past one request counts. The page asks again until it is complete."""

MOST_PAGES = 1_000
"""How much of the past is counted at all: 200,000 entries, for about 3 cents of the table's reads."""

LATE_SECONDS = 120
"""An entry can appear in the listing after others that were recorded later, but not by as much as this."""

Identity = tuple[str, str, str]
"""When an entry was recorded, its key and its version id."""

Counts = Counter[tuple[str, ...]]


@dataclass(kw_only=True)
class Span:
    """What has been counted, from the newest entry back to `since`, or to where `cursor` goes on."""

    since: str
    cursor: str | None
    pages: int = 0
    outcomes: Counts = field(default_factory=Counter)
    duplicates: Counts = field(default_factory=Counter)
    newest: set[Identity] = field(default_factory=set)
    """The latest entries, by which later ones are known."""

    def known_from(self) -> str:
        """Return the time after which there may be entries that haven't been counted."""
        latest = max(self.newest, default=None)
        return format_time(parse_time(latest[0]) - timedelta(seconds=LATE_SECONDS)) if latest else ""


class Summary:
    """Counts what a ledger has by day, outcome and reason, and duplicates by day and uploader."""

    def __init__(self, api: ApiClient, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Count the entries of a ledger, at first none."""
        self._api = api
        self._now = now
        self._lock = threading.Lock()
        self._span: Span | None = None

    def routes(self) -> list[Route]:
        """Return the route of the overview."""
        return [Route("/summary", self._summary)]

    def of_days(self, days: int) -> dict[str, Any]:
        """Return the counts of so many days, which end today, as far as they are known."""
        start = format_time(self._now() - timedelta(days=days - 1))[:10]
        with self._lock:
            span = self._brought_up_to_date()
            self._count_back(span, start)
            complete = span.cursor is None or span.since[:10] < start
            return {
                "complete": complete,
                "since": start if complete else span.since,
                "outcomes": [
                    {"day": day, "outcome": outcome, "reason": reason or None, "entries": count}
                    for (day, outcome, reason), count in sorted(span.outcomes.items())
                    if day >= start
                ],
                "duplicates": _by_uploader(span, start),
                "limit_reached": not complete and span.pages >= MOST_PAGES,
            }

    def _summary(self, request: Request) -> Response:
        text = request.query_params.get("days", "30")
        if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= MOST_DAYS):
            raise UsageError(f"days must be a number from 1 to {MOST_DAYS}")
        return JSONResponse(self.of_days(int(text)))

    def _brought_up_to_date(self) -> Span:
        """Count what has been recorded since the last time."""
        if self._span is None:
            page = self._page(None)
            self._span = Span(
                since=_since(page, format_time(self._now())), cursor=page["next_cursor"], pages=1
            )
            _count(self._span, page["entries"])
            return self._span
        span, known_from = self._span, self._span.known_from()
        new: list[ApiEntry] = []
        cursor = None
        while True:
            page = self._page(cursor)
            new += [
                entry
                for entry in page["entries"]
                if entry["recorded_at"] > known_from and _identity(entry) not in span.newest
            ]
            cursor = page["next_cursor"]
            if cursor is None or (page["entries"] and page["entries"][-1]["recorded_at"] <= known_from):
                break
        _count(span, new)
        return span

    def _count_back(self, span: Span, start: str) -> None:
        for _ in range(PAGES_AT_ONCE):
            if span.cursor is None or span.since[:10] < start or span.pages >= MOST_PAGES:
                return
            page = self._page(span.cursor)
            _count(span, page["entries"])
            span.since, span.cursor = _since(page, span.since), page["next_cursor"]
            span.pages += 1

    def _page(self, cursor: str | None) -> ApiPage:
        return self._api.page(EntryFilter(), limit=MAX_LIMIT, cursor=cursor)


def _count(span: Span, entries: list[ApiEntry]) -> None:
    for entry in entries:
        day, outcome = entry["recorded_at"][:10], entry["outcome"]
        span.outcomes[day, outcome, entry.get("reason", "")] += 1
        if outcome == Outcome.DUPLICATE:
            span.duplicates[day, uploader_of(entry) or ""] += 1
        span.newest.add(_identity(entry))
    known_from = span.known_from()
    span.newest = {identity for identity in span.newest if identity[0] > known_from}


def _identity(entry: ApiEntry) -> Identity:
    return entry["recorded_at"], entry["key"], entry["version_id"]


def _by_uploader(span: Span, start: str) -> list[dict[str, Any]]:
    of_uploader: Counter[str] = Counter()
    for (day, uploader), count in span.duplicates.items():
        of_uploader[uploader] += count if day >= start else 0
    most = of_uploader.most_common()
    return [{"uploader": uploader or None, "entries": count} for uploader, count in most if count]


def _since(page: ApiPage, otherwise: str) -> str:
    """Return when the last entry of a page was recorded; a page may be empty."""
    return page["entries"][-1]["recorded_at"] if page["entries"] else otherwise
