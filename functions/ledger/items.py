"""Reads the ledger's items for people, who have to see all other entries if one was changed by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.contract import schema
from functions.log import logger

if TYPE_CHECKING:
    from collections.abc import Iterable

    from functions.contract.entry import Entry
    from functions.contract.schema import Item


def readable_entries(items: Iterable[Item]) -> list[Entry]:
    """Read items as entries. One that should be one and can't be read is left out and logged, by its key.

    Only somebody who may write to the table can make such an item.
    """
    entries = []
    for item in items:
        if schema.is_note(item):
            continue
        try:
            entries.append(schema.from_item(item))
        except (KeyError, ValueError, AttributeError, TypeError) as error:
            key = {name: item[name].get("S") for name in (schema.FINGERPRINT, schema.ENTRY)}
            logger.error("an item of the ledger is not an entry", extra={**key, "reason": repr(error)})
    return entries
