"""Looks up what the ledger has on a fingerprint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from functions.contract import capacity, schema
from functions.contract.entry import Entry, Outcome
from functions.ledger.items import readable_entries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import QueryInputTypeDef

    from functions.contract.schema import Item


@dataclass(frozen=True, kw_only=True)
class History:
    """What the ledger has on one fingerprint, newest first. ``truncated`` means that there may be more."""

    receipt: Entry | None
    duplicates: Sequence[Entry]
    rejections: Sequence[Entry]
    truncated: bool

    @property
    def is_empty(self) -> bool:
        """Whether the ledger has never seen the fingerprint."""
        return self.receipt is None and not self.duplicates and not self.rejections


class LedgerLookup:
    """One ledger table, by fingerprint. Methods raise botocore's errors."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def receipt(self, fingerprint: str) -> Entry | None:
        """Return the entry that accepted a fingerprint, if there is one. Strongly consistent."""
        answer = self._client.get_item(
            TableName=self._table,
            Key=_receipt_key(fingerprint),
            ConsistentRead=True,
        )
        return schema.from_item(answer["Item"]) if "Item" in answer else None

    def receipts(self, fingerprints: Sequence[str]) -> list[Entry]:
        """Return the entries that accepted these fingerprints, in no order. Strongly consistent.

        There may be `MAX_FINGERPRINTS`, and each only once. If DynamoDB leaves keys out, which it does when
        it throttles, this raises the error that it has for a single key.
        """
        keys = [_receipt_key(fingerprint) for fingerprint in fingerprints]
        answer = self._client.batch_get_item(
            RequestItems={self._table: {"Keys": keys, "ConsistentRead": True}}
        )
        if answer.get("UnprocessedKeys"):
            throttled: Any = {
                "Error": {
                    "Code": "ProvisionedThroughputExceededException",
                    "Message": "keys were left out",
                },
                "ResponseMetadata": answer["ResponseMetadata"],
            }
            raise ClientError(throttled, "BatchGetItem")
        return readable_entries(answer["Responses"].get(self._table, []))

    def history(self, fingerprint: str, limit: int) -> History:
        """Return what is known about a fingerprint: at most ``limit`` entries, and what `HISTORY_UNITS` read.

        Only duplicates are left out, unless there are very many rejections. Strongly consistent.
        """
        items, is_whole = self._first_items(fingerprint, limit + 1)
        entries = readable_entries(items[:limit])
        entries.sort(key=lambda entry: entry.recorded_at, reverse=True)
        of_outcome = {
            outcome: [entry for entry in entries if entry.outcome is outcome] for outcome in Outcome
        }
        return History(
            receipt=next(iter(of_outcome[Outcome.ACCEPTED]), None),
            duplicates=of_outcome[Outcome.DUPLICATE],
            rejections=of_outcome[Outcome.REJECTED],
            truncated=not is_whole or len(items) > limit,
        )

    def _first_items(self, fingerprint: str, limit: int) -> tuple[list[Item], bool]:
        """Return a partition's first items, and whether these are all of them.

        That is usually one query. If it wasn't enough, more follow until most of `HISTORY_UNITS` is used.
        Each is small enough for what is left, even if all of its entries are as large as they can be.
        """
        query: QueryInputTypeDef = {
            "TableName": self._table,
            "KeyConditionExpression": "#fingerprint = :fingerprint",
            "ExpressionAttributeNames": {"#fingerprint": schema.FINGERPRINT},
            "ExpressionAttributeValues": {":fingerprint": {"S": fingerprint}},
            "ConsistentRead": True,
            # Backwards by sort key: rejections, the receipt, duplicates. There can be very many duplicates.
            "ScanIndexForward": False,
            "ReturnConsumedCapacity": "TOTAL",
        }
        items: list[Item] = []
        units_left: float = capacity.HISTORY_UNITS
        while True:
            affordable = capacity.entries_within(units_left, consistent=True)
            query["Limit"] = min(limit - len(items), affordable)
            answer = self._client.query(**query)
            items += answer["Items"]
            units_left -= answer["ConsumedCapacity"]["CapacityUnits"]
            is_whole = "LastEvaluatedKey" not in answer
            if is_whole or len(items) == limit or units_left <= capacity.HISTORY_UNITS / 4:
                return items, is_whole
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def _receipt_key(fingerprint: str) -> Item:
    return {schema.FINGERPRINT: {"S": fingerprint}, schema.ENTRY: {"S": schema.RECEIPT}}
