"""Reads the ledger's time index in the order in which entries were recorded."""

from __future__ import annotations

import heapq
from concurrent.futures import ThreadPoolExecutor
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, TypeVar

from functions.contract import schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

    from types_boto3_dynamodb import DynamoDBClient

    from functions.contract.schema import Item

T = TypeVar("T")

THREADS: Final = 8
"""How many queries run at once. The client needs as many connections; its pool has 10 by default."""

ITEMS_IN_MEMORY: Final = 8_000
"""About how many items are in memory at a time, of all partitions together."""


class RecordedOrder:
    """The items of one ledger table, in order. Raises botocore's errors.

    Eventually consistent, as all indexes are. One instance serves all reads with its threads.
    """

    def __init__(self, client: DynamoDBClient, table: str, shards: int) -> None:
        self._client = client
        self._table = table
        self._shards = shards
        self._threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="recorded-order")

    def read(self, since: str, until: str, convert: Callable[[Item], T]) -> Iterator[tuple[str, T]]:
        """Yield what was recorded from ``since`` on and before ``until``, by its key in the time index.

        Each item is converted at once, on several threads.
        """
        for month in schema.months(since, until):
            partitions = [schema.month_shard(month, shard) for shard in range(self._shards)]
            pages = [self._pages(partition, since, until, convert) for partition in partitions]
            yield from heapq.merge(*pages, key=itemgetter(0))

    def _pages(
        self, partition: str, since: str, until: str, convert: Callable[[Item], T]
    ) -> Iterable[tuple[str, T]]:
        """Begin to read a partition now, so that all of them are read at the same time."""
        query = {
            "TableName": self._table,
            "IndexName": schema.TIME_INDEX,
            # A time is less than a key with the same time, which goes on after it.
            "KeyConditionExpression": "#partition = :partition AND #recorded BETWEEN :since AND :until",
            "ExpressionAttributeNames": {
                "#partition": schema.MONTH_SHARD,
                "#recorded": schema.RECORDED,
            },
            "ExpressionAttributeValues": {
                ":partition": {"S": partition},
                ":since": {"S": since},
                ":until": {"S": until},
            },
            "Limit": max(1, ITEMS_IN_MEMORY // self._shards),
        }
        return self._rows(query, convert, self._threads.submit(self._page, query, convert))

    def _rows(
        self,
        query: dict[str, Any],
        convert: Callable[[Item], T],
        page: Future[tuple[list[tuple[str, T]], Any]],
    ) -> Iterator[tuple[str, T]]:
        while True:
            rows, next_key = page.result()
            if next_key:
                page = self._threads.submit(self._page, {**query, "ExclusiveStartKey": next_key}, convert)
            yield from rows
            if not next_key:
                return

    def _page(self, query: dict[str, Any], convert: Callable[[Item], T]) -> tuple[list[tuple[str, T]], Any]:
        answer = self._client.query(**query)
        rows = [(item[schema.RECORDED]["S"], convert(item)) for item in answer["Items"]]
        return rows, answer.get("LastEvaluatedKey")
