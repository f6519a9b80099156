"""What a request to the API may take of the ledger's read capacity, and how many requests fit into it.

The units are in the DynamoDB Developer Guide, "DynamoDB read and write operations". The table and its time
index each have a cap of their own on units a second.
"""

from __future__ import annotations

from typing import Final

from functions.contract import http_api

LARGEST_ENTRY_BYTES: Final = 3_200
"""No entry is a larger item, even a duplicate with every finding and with two keys of 1,024 bytes, which are
S3's longest."""

MAX_PREFIX_CHARACTERS: Final = 256
"""The longest upload prefix. The key of a form has up to 311 bytes after it. It stays below the 1,024 that
S3 allows, since the entry has a caller as well."""

UNIT_BYTES: Final = 4 * 1024
"""What a unit reads if the read is strongly consistent. Otherwise, half a unit does."""

HISTORY_UNITS: Final = 64
"""The most that `SHOW_RECEIPT` reads of the table, and `REQUEST_FILE` to find a version."""

DUPLICATES_UNITS: Final = 6
"""The most that `REQUEST_FORM` and `REQUEST_FILE` read of a receipt's duplicates, if its own object version
is gone."""

FORM_UNITS: Final = 2 + DUPLICATES_UNITS
"""The most that `REQUEST_FORM` reads of the table: a receipt, a note and duplicates, strongly consistent."""

LOOK_UP_UNITS: Final = http_api.MAX_FINGERPRINTS
"""The most that `LOOK_UP_RECEIPTS` reads of the table: an entry each, strongly consistent. A fingerprint
without a receipt costs as much."""

_SHARES: Final = {
    http_api.LIST_RECEIPTS: 0.8,
    http_api.SHOW_RECEIPT: 0.3,
    http_api.LOOK_UP_RECEIPTS: 0.2,
    http_api.REQUEST_FILE: 0.1,
    http_api.REQUEST_FORM: 0.1,
}
"""How much of a cap each route may use up. The first is about the index, and the others are about the table.
The rest is for the processor and for operators' commands, which read up to 1,000 units a second."""


def page_units(shards: int) -> float:
    """Return the most units that `LIST_RECEIPTS` reads of the index, whatever the entries and filters are.

    That is enough to read four of the largest entries in each shard at the same time.
    """
    # Eventually consistent, a unit reads twice as much.
    return max(64.0, shards * 4 * LARGEST_ENTRY_BYTES / (2 * UNIT_BYTES))


def entries_within(units: float, *, consistent: bool) -> int:
    """Return how many entries one read can examine for so many units, even if they are the largest."""
    # DynamoDB rounds a read up to the next whole or half unit.
    pieces = int(units if consistent else 2 * units)
    return pieces * UNIT_BYTES // LARGEST_ENTRY_BYTES


def most_requests(route_key: str, *, shards: int, max_read_units: int) -> int:
    """Return how many requests a second, at least one, fit into a route's share of a cap."""
    most_units = {
        http_api.LIST_RECEIPTS: page_units(shards),
        http_api.SHOW_RECEIPT: HISTORY_UNITS,
        http_api.LOOK_UP_RECEIPTS: LOOK_UP_UNITS,
        http_api.REQUEST_FILE: HISTORY_UNITS,
        http_api.REQUEST_FORM: FORM_UNITS,
    }
    return max(1, int(_SHARES[route_key] * max_read_units / most_units[route_key]))
