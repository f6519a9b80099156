"""What a fingerprint's history costs, in a DynamoDB that charges by AWS's rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import boto3
import pytest

from functions.contract import schema
from functions.contract.capacity import HISTORY_UNITS, LOOK_UP_UNITS
from functions.contract.entry import Entry, ObjectVersion, Outcome
from functions.contract.http_api import MAX_FINGERPRINTS
from functions.ledger.lookup import History, LedgerLookup
from functions.reader.routes import HISTORY_LIMIT
from local.in_process.aws import InProcessAws, Usage
from local.in_process.dynamodb import ledger_table
from tests.functions.examples import entry, upload

if TYPE_CHECKING:
    from collections.abc import Iterator

FINGERPRINT = "ab" * 32
AT = datetime(2026, 11, 30, 12, tzinfo=UTC)
OFTEN = 600
"""More duplicates than a history has."""


@pytest.fixture
def aws() -> Iterator[InProcessAws]:
    made = InProcessAws({"ledger": ledger_table()})
    with made.in_place_of_the_network():
        yield made


def history_of(aws: InProcessAws) -> tuple[History, Usage]:
    lookup = LedgerLookup(boto3.Session().client("dynamodb"), "ledger")
    with aws.metered() as usage:
        return lookup.history(FINGERPRINT, HISTORY_LIMIT), usage


def fill(aws: InProcessAws, duplicates: int, key_bytes: int) -> list[Entry]:
    """Record a receipt and its duplicates, a second apart, and return them newest first."""
    keys = [f"{number}".rjust(key_bytes, "k") for number in range(duplicates + 1)]
    first = ObjectVersion(bucket="uploads", key=keys[0], version_id="v1")
    entries = [entry(keys[0], AT, upload=upload(keys[0], uploaded_at=AT), fingerprint=FINGERPRINT)]
    for number, key in enumerate(keys[1:], 1):
        again = entry(key, AT + timedelta(seconds=number), Outcome.DUPLICATE, fingerprint=FINGERPRINT)
        entries.append(replace(again, duplicate_of=first))
    for each in entries:
        aws.tables["ledger"].put(schema.to_item(each, 4))
    return entries[::-1]


@pytest.mark.parametrize("duplicates", [0, 1, 20, 75])
def test_usual_history_is_one_query(aws: InProcessAws, duplicates: int) -> None:
    *again, receipt = fill(aws, duplicates, key_bytes=40)

    history, usage = history_of(aws)

    assert usage.calls == {"Query": 1}
    assert (history.receipt, history.duplicates, history.truncated) == (receipt, again, False)


@pytest.mark.claim(
    "a receipt's history takes a bounded number of read units, however many duplicates there are and however "
    "long keys are",
    section="Hostile input",
)
@pytest.mark.parametrize("key_bytes", [40, 300, 1_024])
def test_history_of_any_entries_stays_in_its_budget(aws: InProcessAws, key_bytes: int) -> None:
    *again, receipt = fill(aws, OFTEN, key_bytes)

    history, usage = history_of(aws)

    assert usage.read_units <= HISTORY_UNITS
    assert history.truncated
    assert history.receipt == receipt
    assert len(set(history.duplicates)) == len(history.duplicates) >= HISTORY_UNITS
    assert set(history.duplicates) <= set(again)


def test_history_of_usual_keys_is_as_long_as_it_may_be(aws: InProcessAws) -> None:
    *again, receipt = fill(aws, HISTORY_LIMIT - 1, key_bytes=40)

    history, _ = history_of(aws)

    assert (history.receipt, history.duplicates, history.truncated) == (receipt, again, False)


@pytest.mark.claim(
    "a look-up of many fingerprints takes a bounded number of read units, whatever is in the ledger",
    section="Hostile input",
)
@pytest.mark.parametrize("key_bytes", [40, 1_024])
def test_look_up_finds_what_was_accepted_in_one_call_within_its_budget(
    aws: InProcessAws, key_bytes: int
) -> None:
    fingerprints = [f"{number:064x}" for number in range(MAX_FINGERPRINTS)]
    key = "k" * key_bytes
    accepted = [
        entry(key, AT, upload=upload(key, str(number), uploaded_at=AT), fingerprint=fingerprint)
        for number, fingerprint in enumerate(fingerprints[::2])
    ]
    refused = entry("another", AT, Outcome.REJECTED, fingerprint=fingerprints[1])
    for each in (*accepted, refused):
        aws.tables["ledger"].put(schema.to_item(each, 4))

    with aws.metered() as usage:
        found = LedgerLookup(boto3.Session().client("dynamodb"), "ledger").receipts(fingerprints)

    assert sorted(found, key=lambda each: each.fingerprint or "") == accepted
    assert usage.calls == {"BatchGetItem": 1}
    assert usage.read_units == LOOK_UP_UNITS
