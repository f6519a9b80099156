"""Makes ministack's DynamoDB look only at the part of an index that a query asks for.

For each query, ministack sorts all items of an index's partition, and compares each with the condition. With
100,000 entries in the ledger, a page of the listing takes seconds. Here, the items of a partition stay in
order, and ministack gets those between the bounds of a query, up to its limit. It does the rest itself.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right, insort
from collections.abc import Mapping
from contextvars import ContextVar
from operator import itemgetter
from typing import Any

from ministack.services import dynamodb

BETWEEN = re.compile(r"(#\w+) = (:\w+) AND (#\w+) BETWEEN (:\w+) AND (:\w+)")
"""The condition that the listing and the sealer have. Other queries stay as they are."""

_ORDER = object()
"""Where the order is, beside the names of indexes in what ministack knows of a table's indexes."""

Member = tuple[tuple[Any, ...], tuple[Any, Any]]
"""What the index sorts an item by (its sort key, then the table's keys), and the item's key in the table."""

_by_place = itemgetter(0)

_query: ContextVar[Mapping[str, Any] | None] = ContextVar("query", default=None)


def install() -> None:
    """Wrap ministack's functions that answer a query, and that know the items of indexes."""
    query, members_of, keep = dynamodb._query, dynamodb._index_members, dynamodb._index_item

    def query_part(data: Mapping[str, Any]) -> Any:
        token = _query.set(data)
        try:
            return query(data)
        finally:
            _query.reset(token)

    def part_of(table: Mapping[str, Any]) -> Any:
        known, data = members_of(table), _query.get()
        condition = BETWEEN.fullmatch(data.get("KeyConditionExpression", "")) if data else None
        return _part(table, known, data, condition) if data and condition else known

    def keep_order(table: Mapping[str, Any], pk: Any, sk: Any, item: Any, add: bool) -> None:
        keep(table, pk, sk, item, add)
        orders = table.get(dynamodb._INDEX_MEMBERS, {}).get(_ORDER, {})
        for name, hashes, ranges in dynamodb._index_key_schemas(table) if orders else ():
            order = orders.get((name, dynamodb._index_partition(item, hashes, ranges)))
            if order is not None:
                member: Member = (_place(table, ranges, item), (pk, sk))
                if add:
                    insort(order, member)
                else:
                    del order[bisect_left(order, member)]

    dynamodb._query, dynamodb._index_members, dynamodb._index_item = query_part, part_of, keep_order


def _part(table: Mapping[str, Any], known: Any, data: Mapping[str, Any], condition: re.Match[str]) -> Any:
    """Return the items that a query reads first, in the form in which ministack knows those of an index."""
    name = data["IndexName"]
    _, ranges = dynamodb._index_key_lists(dynamodb._index_def(table, name))
    values = data["ExpressionAttributeValues"]
    partition = dynamodb._extract_key_val(values[condition[2]])
    order = known.setdefault(_ORDER, {}).get((name, partition))
    if order is None:
        items = table["items"]
        keys = known[name].get(partition, ())
        order = sorted((_place(table, ranges, items[pk][sk]), (pk, sk)) for pk, sk in keys)
        known[_ORDER][name, partition] = order
    lower, upper = (
        dynamodb._index_order_value({ranges[0]: values[bound]}, ranges[0], next(iter(values[bound])))
        for bound in (condition[4], condition[5])
    )
    first = bisect_left(order, (lower,), key=_by_place)
    end = bisect_right(order, upper, key=lambda member: member[0][0])
    forward = data.get("ScanIndexForward", True)
    if begun := data.get("ExclusiveStartKey"):
        after = _place(table, ranges, begun)
        if forward:
            first = max(first, bisect_right(order, after, key=_by_place))
        else:
            end = min(end, bisect_left(order, after, key=_by_place))
    if limit := data.get("Limit"):
        first, end = (first, min(end, first + limit)) if forward else (max(first, end - limit), end)
    return {name: {partition: [key for _, key in order[first:end]]}}


def _place(table: Mapping[str, Any], ranges: list[str], item: Mapping[str, Any]) -> tuple[Any, ...]:
    keys = dynamodb._index_order_keys(table, ranges)
    return tuple(dynamodb._index_order_value(item, name, kind) for name, kind in keys)
