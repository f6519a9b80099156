"""The capacity units that DynamoDB charges.

The rules are in the DynamoDB developer guide: "DynamoDB read and write operations", "DynamoDB item sizes and
formats". Transactions aren't covered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

READ_UNIT_BYTES = 4096
WRITE_UNIT_BYTES = 1024


def item_bytes(item: Mapping[str, Any]) -> int:
    """Return the size of an item: the UTF-8 bytes of its attribute names and the size of its values."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Mapping[str, Any]) -> int:
    """Return the size of a typed value. Numbers take a byte for two digits, and one more."""
    match value:
        case {"S": text}:
            return len(text.encode())
        case {"N": number}:
            digits = len(number.strip("-").replace(".", "").strip("0")) or 1
            return (digits + 1) // 2 + 1
        case {"BOOL": _}:
            return 1
        case {"SS": texts}:
            # The guide says nothing about sets, which can hardly be larger than lists.
            return 3 + len(texts) + sum(len(text.encode()) for text in texts)
        case {"M": content}:
            return 3 + len(content) + item_bytes(content)
    raise NotImplementedError(f"the size of {value}")


def read_units(total_bytes: int, *, consistent: bool) -> float:
    """Return the units of one read: of an item, or of all that a query or scan examines in one call."""
    units = max(1, -(-total_bytes // READ_UNIT_BYTES))
    return float(units) if consistent else units / 2


def write_units(size_bytes: int) -> float:
    """Return the units of one write to a table, or to one index of it."""
    return float(max(1, -(-size_bytes // WRITE_UNIT_BYTES)))
