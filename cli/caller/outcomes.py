"""Outcomes of uploads: waiting for their ledger entries, and counting them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cli.answers import ApiEntry
from cli.caller.api_client import ApiClient, EntryFilter
from cli.caller.transfer import AlreadyAccepted, Failed, NotSent, Result, Uploaded
from cli.errors import UnavailableError
from functions.contract.entry import Outcome, parse_time

WINDOW_SLACK = timedelta(minutes=5)
"""How far the clocks of S3 and the processor may differ, and how late an entry may become visible."""

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 5.0


@dataclass(frozen=True, kw_only=True)
class UploadTotals:
    """How many uploads had which outcome: `uploads` = `accepted` + `duplicate` + `rejected` + `pending`.

    `already_accepted`, `failed` and `not_sent` count files that were not uploaded, so `uploads` leaves them
    out.
    """

    uploads: int
    accepted: int
    duplicate: int
    rejected: int
    pending: int
    already_accepted: int
    failed: int
    not_sent: int

    def sentence(self) -> str:
        """Such as ``12 uploads = 7 accepted + 1 duplicate + 4 rejected``."""
        parts = [
            f"{self.accepted:,} accepted",
            f"{self.duplicate:,} duplicate",
            f"{self.rejected:,} rejected",
        ]
        if self.pending:
            parts.append(f"{self.pending:,} without an outcome yet")
        return f"{self.uploads:,} upload{'' if self.uploads == 1 else 's'} = {' + '.join(parts)}"


def wait_for_outcomes(
    api: ApiClient,
    uploads: Iterable[Uploaded],
    *,
    timeout_seconds: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[tuple[Uploaded, ApiEntry]]:
    """Poll the ledger, and yield each upload with its entry as soon as that is found.

    This ends when every upload has its entry, or after `timeout_seconds`: uploads that were not yielded by
    then have no entry yet. Within that time, an API that is unavailable is asked again.
    """
    waiting = {_identity(upload): upload for upload in uploads}
    since = _earliest(waiting.values())
    deadline, pause = clock() + timeout_seconds, FIRST_PAUSE_SECONDS
    while waiting:
        newest = since
        try:
            for entry in _entries_since(api, since):
                newest = max(filter(None, (newest, parse_time(entry["recorded_at"]))))
                if upload := _pop_match(waiting, entry):
                    yield upload, entry
                if not waiting:
                    return
        except UnavailableError:
            if clock() + pause >= deadline:
                raise
        else:
            # No entry older than the newest by more than the slack will still appear.
            since = max(filter(None, (since, newest - WINDOW_SLACK if newest else None)), default=None)
        if clock() + pause >= deadline:
            return
        sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)


def summarise(results: Sequence[Result], outcomes: Mapping[Uploaded, ApiEntry]) -> UploadTotals:
    """Count the results, and the outcomes that are known."""
    kinds = Counter(type(result) for result in results)
    ended = Counter(entry["outcome"] for entry in outcomes.values())
    return UploadTotals(
        uploads=kinds[Uploaded],
        accepted=ended[Outcome.ACCEPTED],
        duplicate=ended[Outcome.DUPLICATE],
        rejected=ended[Outcome.REJECTED],
        pending=kinds[Uploaded] - ended.total(),
        already_accepted=kinds[AlreadyAccepted],
        failed=kinds[Failed],
        not_sent=kinds[NotSent],
    )


def _identity(upload: Uploaded) -> tuple[str, str, str | None]:
    return upload.bucket, upload.key, upload.version_id


def _earliest(uploads: Iterable[Uploaded]) -> datetime | None:
    """Return the start of the window by S3's clock, since this machine's may be wrong."""
    stored = [upload.stored_at for upload in uploads]
    known = [moment for moment in stored if moment is not None]
    return min(known) - WINDOW_SLACK if known and len(known) == len(stored) else None


def _entries_since(api: ApiClient, since: datetime | None) -> Iterator[ApiEntry]:
    for page in api.pages(EntryFilter(start=since)):
        yield from page["entries"]


def _pop_match(waiting: dict[tuple[str, str, str | None], Uploaded], entry: ApiEntry) -> Uploaded | None:
    """Take out the upload that `entry` is about: by its version, or by its key if the version is unknown."""
    exact = waiting.pop((entry["bucket"], entry["key"], entry["version_id"]), None)
    return exact or waiting.pop((entry["bucket"], entry["key"], None), None)
