"""A ledger of any length on an embedded AWS, written straight into its table."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from bench.contestants import SHARDS, upload
from functions.contract import schema
from functions.contract.entry import Entry, Outcome, Reason, Uploader, Via

if TYPE_CHECKING:
    from local.aws import Aws

INTERVAL = timedelta(seconds=15)
"""100,000 entries, one every 15 s, are those of 17 days."""

BATCH = 25
"""The most items that DynamoDB takes at once."""

WRITERS = 2
UPLOADERS = ("erika", "yusuf", "amara", "scanner-2")
DAMAGED_EVERY, DUPLICATE_EVERY = 50, 20


def fill(aws: Aws, table: str, size: int, newest: datetime) -> None:
    """Write entries into a table, the last of them recorded at ``newest``."""
    dynamodb = aws.client("dynamodb")

    def write(first: int) -> None:
        numbers = range(first, min(first + BATCH, size))
        left: Any = {
            table: [
                {"PutRequest": {"Item": schema.to_item(_entry(number, newest), SHARDS)}} for number in numbers
            ]
        }
        while left:
            left = dynamodb.batch_write_item(RequestItems=left)["UnprocessedItems"]

    with ThreadPoolExecutor(WRITERS) as pool:
        for _ in pool.map(write, range(0, size, BATCH)):
            pass


def _entry(number: int, newest: datetime) -> Entry:
    """Make an entry like those of a usual ledger; the higher its number, the older it is."""
    fingerprint = hashlib.sha256(str(number).encode()).hexdigest()
    recorded_at = newest - number * INTERVAL
    made = upload(f"{recorded_at:%Y/%m/%d}/{number}.png")
    who = Uploader(
        principal=f"arn:aws:iam::000000000000:user/{UPLOADERS[number % len(UPLOADERS)]}",
        source_ip="192.0.2.7",
        via=Via.PUT,
    )
    entry = Entry(
        outcome=Outcome.ACCEPTED,
        upload=replace(made, uploaded_at=recorded_at - timedelta(seconds=1), uploader=who),
        recorded_at=recorded_at,
        fingerprint=fingerprint,
        size_bytes=100_000 + number,
        media_type="image/png",
        salt=fingerprint[:32],
    )
    if number % DAMAGED_EVERY == 0:
        return replace(
            entry, outcome=Outcome.REJECTED, reason=Reason.DAMAGED, detail="ends after 5,000 bytes"
        )
    if number % DUPLICATE_EVERY == 1:
        return replace(entry, outcome=Outcome.DUPLICATE, duplicate_of=made.version)
    return entry
