"""What became of uploads: waiting for their ledger entries, and the totals."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cli.api import Entry, LedgerApi, Query
from cli.errors import UnavailableError
from cli.transfer import AlreadyAccepted, Failed, Result, Uploaded

WINDOW_SLACK = timedelta(minutes=5)
"""How far the clocks of S3 and of the processor may differ, and an entry may lag behind its recorded time."""

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 5.0


@dataclass(frozen=True, kw_only=True)
class Totals:
    """How uploads ended: `uploads` = `accepted` + `duplicate` + `rejected` + `pending`.

    `already_accepted` and `failed` were never uploaded, so they are not among `uploads`.
    """

    uploads: int
    accepted: int
    duplicate: int
    rejected: int
    pending: int
    already_accepted: int
    failed: int

    def sentence(self) -> str:
        """Such as ``12 uploads = 7 accepted + 1 duplicate + 4 rejected``."""
        parts = [f"{self.accepted} accepted", f"{self.duplicate} duplicate", f"{self.rejected} rejected"]
        if self.pending:
            parts.append(f"{self.pending} without an outcome yet")
        return f"{self.uploads} upload{'' if self.uploads == 1 else 's'} = {' + '.join(parts)}"


def wait_for_outcomes(
    api: LedgerApi,
    uploads: Iterable[Uploaded],
    *,
    timeout_seconds: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[tuple[Uploaded, Entry]]:
    """Poll the ledger, and yield each upload with its entry as it is found.

    Ends when every upload has its entry, or after `timeout_seconds`: uploads that were not yielded have none
    so far. An API that cannot answer for the moment is asked again within that time; BillEError for the rest.
    """
    waiting = {_identity(upload): upload for upload in uploads}
    since = _earliest(waiting.values())
    deadline, pause = clock() + timeout_seconds, FIRST_PAUSE_SECONDS
    while waiting:
        newest = since
        try:
            for entry in _entries_since(api, since):
                newest = max(filter(None, (newest, datetime.fromisoformat(entry["recorded_at"]))))
                if upload := _pop_match(waiting, entry):
                    yield upload, entry
                if not waiting:
                    return
        except UnavailableError:
            if clock() + pause >= deadline:
                raise
        else:
            # What is older than the newest entry by more than the slack won't appear any more.
            since = max(filter(None, (since, newest - WINDOW_SLACK if newest else None)), default=None)
        if clock() + pause >= deadline:
            return
        sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)


def summarise(results: Sequence[Result], outcomes: Mapping[Uploaded, Entry]) -> Totals:
    """Count how `results` ended, given the `outcomes` that are known."""
    kinds = Counter(type(result) for result in results)
    ended = Counter(entry["outcome"] for entry in outcomes.values())
    return Totals(
        uploads=kinds[Uploaded],
        accepted=ended["ACCEPTED"],
        duplicate=ended["DUPLICATE"],
        rejected=ended["REJECTED"],
        pending=kinds[Uploaded] - ended.total(),
        already_accepted=kinds[AlreadyAccepted],
        failed=kinds[Failed],
    )


def _identity(upload: Uploaded) -> tuple[str, str, str | None]:
    return upload.bucket, upload.key, upload.version_id


def _earliest(uploads: Iterable[Uploaded]) -> datetime | None:
    """Find the start of the window by the storage's clock: this machine's may be wrong."""
    stored = [upload.stored_at for upload in uploads]
    known = [moment for moment in stored if moment is not None]
    return min(known) - WINDOW_SLACK if known and len(known) == len(stored) else None


def _entries_since(api: LedgerApi, since: datetime | None) -> Iterator[Entry]:
    for page in api.pages(Query(start=since)):
        yield from page["entries"]


def _pop_match(waiting: dict[tuple[str, str, str | None], Uploaded], entry: Entry) -> Uploaded | None:
    """Take out the upload that `entry` is about; where its version is unknown, bucket and key have to do."""
    exact = waiting.pop((entry["bucket"], entry["key"], entry["version_id"]), None)
    return exact or waiting.pop((entry["bucket"], entry["key"], None), None)
