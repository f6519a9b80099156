"""The reader's routes: read the request, ask the ledger, write the answer."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from functions.api.parameters import read_fingerprint
from functions.api.problems import ProblemError, invalid_parameters
from functions.api.responses import Request, Response, Routes, entry_to_json, json_response
from functions.contract import http_api
from functions.ledger.cursor import encode_cursor
from functions.ledger.listing import ReadIndex, list_newest
from functions.reader.query import parse_listing_query, parse_look_up

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from functions.contract.entry import Entry
    from functions.ledger.lookup import History

    ReadHistory = Callable[[str, int], History]
    ReadReceipts = Callable[[Sequence[str]], Sequence[Entry]]

HISTORY_LIMIT = 300
"""The most entries of one fingerprint in a response.

A Lambda response has up to 6 MB. An S3 key has up to 1,024 bytes, and a byte takes up to 7 bytes when it is
escaped in JSON twice. A duplicate has two keys, so 300 of the longest entries take less than 5 MB.
"""


def reader_routes(
    *, read_index: ReadIndex, read_history: ReadHistory, read_receipts: ReadReceipts, shards: int
) -> Routes:
    """Make the handlers of the routes that read the ledger."""

    def list_receipts(request: Request) -> Response:
        query = parse_listing_query(request["rawQueryString"])
        page = list_newest(
            read_index,
            shards=shards,
            filters=query.filters,
            limit=query.limit,
            place=query.place,
            now=datetime.now(UTC),
        )
        cursor = encode_cursor(page.next_place, query.filters) if page.next_place is not None else None
        return json_response(
            {"entries": [entry_to_json(entry) for entry in page.entries], "next_cursor": cursor}
        )

    def show_receipt(request: Request) -> Response:
        fingerprint, errors = read_fingerprint(request)
        if errors:
            raise invalid_parameters(errors)
        history = read_history(fingerprint, HISTORY_LIMIT)
        if history.is_empty:
            raise _receipt_not_found(fingerprint)
        return json_response(
            {
                "receipt": entry_to_json(history.receipt) if history.receipt is not None else None,
                "duplicates": [entry_to_json(entry) for entry in history.duplicates],
                "rejections": [entry_to_json(entry) for entry in history.rejections],
                "truncated": history.truncated,
            }
        )

    def look_up_receipts(request: Request) -> Response:
        receipts = read_receipts(parse_look_up(request))
        return json_response({"receipts": [entry_to_json(entry) for entry in receipts]})

    return {
        http_api.LIST_RECEIPTS: list_receipts,
        http_api.SHOW_RECEIPT: show_receipt,
        http_api.LOOK_UP_RECEIPTS: look_up_receipts,
    }


def _receipt_not_found(fingerprint: str) -> ProblemError:
    return ProblemError(
        status=HTTPStatus.NOT_FOUND,
        kind=http_api.RECEIPT_NOT_FOUND,
        title="No such receipt",
        detail=f"The ledger has no entry with the fingerprint {fingerprint}.",
    )
