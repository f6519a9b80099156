"""Reads the time index in DynamoDB, several partitions at the same time."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from functions.contract import schema
from functions.ledger.items import readable_entries
from functions.ledger.listing import IndexPage, IndexRead

if TYPE_CHECKING:
    from collections.abc import Sequence

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import QueryInputTypeDef

_UPLOADER_HAS = (
    "(contains(#caller.#principal, {text}) OR contains(#caller.#subject, {text})"
    " OR contains(#caller.#issuer, {text})"
    " OR (attribute_not_exists(#caller) AND contains(#principal, {text})))"
)

CONDITIONS = {
    "outcome": "#outcome = :outcome",
    "reason": "#reason = :reason",
    "finding": "contains(#findings, :finding)",
    "key": "contains(#key, :key)",
    "uploader": _UPLOADER_HAS.format(text=":uploader"),
    "text": f"(contains(#key, :text) OR {_UPLOADER_HAS.format(text=':text')})",
    "fingerprint": "begins_with(#fingerprint, :fingerprint)",
}
"""How DynamoDB filters, by the names of `Filters.contents`. Its comparisons of text are case-sensitive."""

THREADS = 8
"""How many queries run at once. The client needs as many connections; its pool has 10 by default."""


class TimeIndex:
    """The time index of one ledger table. One instance serves all requests with its threads."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table
        self._threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="time-index")

    def read(self, reads: Sequence[IndexRead]) -> list[IndexPage]:
        """Make each read with one query, and return the pages in the same order.

        Eventually consistent, as all indexes are. Raises the first of botocore's errors.
        """
        return list(self._threads.map(self._query, reads))

    def _query(self, read: IndexRead) -> IndexPage:
        names = {"#partition": schema.MONTH_SHARD, "#recorded": schema.RECORDED}
        values = {":partition": read.partition, ":lower": read.lower, ":upper": read.upper}
        filters = [CONDITIONS[name] for name in read.contents]
        used = re.findall(r"#([a-z_]+)", " ".join(filters))
        names |= {f"#{attribute}": attribute for attribute in used}
        values |= {f":{name}": value for name, value in read.contents.items()}
        query: QueryInputTypeDef = {
            "TableName": self._table,
            "IndexName": schema.TIME_INDEX,
            "KeyConditionExpression": "#partition = :partition AND #recorded BETWEEN :lower AND :upper",
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": {name: {"S": value} for name, value in values.items()},
            "ScanIndexForward": False,
            "Limit": read.limit,
            "ReturnConsumedCapacity": "TOTAL",
        }
        if filters:
            query["FilterExpression"] = " AND ".join(filters)
        answer = self._client.query(**query)
        last = answer.get("LastEvaluatedKey")
        return IndexPage(
            entries=readable_entries(answer["Items"]),
            last_examined=last[schema.RECORDED]["S"] if last else None,
            units=answer["ConsumedCapacity"]["CapacityUnits"],
        )
