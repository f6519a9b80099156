"""DynamoDB tables in memory: the operations that the contestants call, answered with what they consumed."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.simulated_aws.expressions import Condition, Item, key_range, updated
from bench.simulated_aws.units import item_bytes, read_units, write_units

PAGE_BYTES = 1024 * 1024
"""How much a query or a scan examines at most."""

Key = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A response body with its status, and the capacity units that the call consumed."""

    body: Mapping[str, Any]
    status: int = 200
    read_units: float = 0.0
    write_units: float = 0.0


@dataclass(kw_only=True)
class Table:
    """A table, with the one global secondary index that it may have (all attributes projected)."""

    keys: tuple[str, ...]
    index_keys: tuple[str, str] | None = None
    items: dict[Key, Item] = field(default_factory=dict)
    by_hash: dict[str, list[tuple[str, Key]]] = field(default_factory=lambda: defaultdict(list))
    by_index_hash: dict[str, list[tuple[str, Key]]] = field(default_factory=lambda: defaultdict(list))

    def key_of(self, attributes: Mapping[str, Any]) -> Key:
        """Return the table's key as it is in an item, or in a request's ``Key``."""
        return tuple(attributes[name]["S"] for name in self.keys)

    def put(self, item: Item) -> float:
        """Store an item, and return the write units: an index adds its own."""
        key = self.key_of(item)
        standing = self.items.get(key)
        units = write_units(max(item_bytes(item), item_bytes(standing or {})))
        self.items[key] = item
        if standing is None and len(key) > 1:
            insort(self.by_hash[key[0]], (key[1], key))
        if item != standing and (place := self._index_place(item)) is not None:
            self._leave_index(standing, key)
            insort(self.by_index_hash[place[0]], (place[1], key))
            units += write_units(item_bytes(item))
        return units

    def _index_place(self, item: Item) -> tuple[str, str] | None:
        if self.index_keys is None or any(name not in item for name in self.index_keys):
            return None
        hash_key, range_key = (str(item[name]["S"]) for name in self.index_keys)
        return hash_key, range_key

    def _leave_index(self, item: Item | None, key: Key) -> None:
        if item is not None and (place := self._index_place(item)) is not None:
            self.by_index_hash[place[0]].remove((place[1], key))


class DynamoDb:
    """All tables. Calls are atomic, as they are in DynamoDB."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self.tables = tables
        self._lock = threading.Lock()
        self._operations: Mapping[str, Callable[[Table, Mapping[str, Any]], Answer]] = {
            "PutItem": _put_item,
            "UpdateItem": _update_item,
            "DeleteItem": _delete_item,
            "GetItem": _get_item,
            "Query": _query,
            "Scan": _scan,
        }

    def call(self, operation: str, request: Mapping[str, Any]) -> Answer:
        """Answer an operation, given as its request's JSON."""
        with self._lock:
            return self._operations[operation](self.tables[request["TableName"]], request)

    def load(self, table: str, items: Iterable[Item]) -> None:
        """Put items in without a call."""
        with self._lock:
            for item in items:
                self.tables[table].put(item)


def _put_item(table: Table, request: Mapping[str, Any]) -> Answer:
    item = request["Item"]
    standing = table.items.get(table.key_of(item))
    if not _condition_holds(request, standing):
        returned = (
            {"Item": standing} if request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" else {}
        )
        return Answer(
            status=400,
            body={
                "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
                "message": "The conditional request failed",
                **returned,
            },
            # A refused write is charged as if it had changed what stands; the index isn't touched.
            write_units=write_units(max(item_bytes(item), item_bytes(standing or {}))),
        )
    return Answer(body={}, write_units=table.put(item))


def _update_item(table: Table, request: Mapping[str, Any]) -> Answer:
    standing = table.items.get(table.key_of(request["Key"]), dict(request["Key"]))
    item = updated(
        standing,
        request["UpdateExpression"],
        request.get("ExpressionAttributeNames", {}),
        request.get("ExpressionAttributeValues", {}),
    )
    return Answer(body={}, write_units=table.put(item))


def _delete_item(table: Table, request: Mapping[str, Any]) -> Answer:
    if table.index_keys is not None or len(table.keys) > 1:
        raise NotImplementedError("deleting from a table with a sort key or an index")
    removed = table.items.pop(table.key_of(request["Key"]), {})
    return Answer(body={}, write_units=write_units(item_bytes(removed)))


def _get_item(table: Table, request: Mapping[str, Any]) -> Answer:
    item = table.items.get(table.key_of(request["Key"]))
    units = read_units(item_bytes(item or {}), consistent=bool(request.get("ConsistentRead")))
    return Answer(body={} if item is None else {"Item": item}, read_units=units)


def _query(table: Table, request: Mapping[str, Any]) -> Answer:
    values = request["ExpressionAttributeValues"]
    hash_key, lower, upper = key_range(request["KeyConditionExpression"], values)
    partitions = table.by_index_hash if "IndexName" in request else table.by_hash
    partition = partitions.get(hash_key, [])
    start, end = bisect_left(partition, (lower,)), bisect_right(partition, (upper, ("\U0010ffff",)))
    found = [key for _, key in partition[start:end]]
    if not request.get("ScanIndexForward", True):
        found.reverse()
    return _page(table, request, found)


def _scan(table: Table, request: Mapping[str, Any]) -> Answer:
    return _page(table, request, list(table.items))


def _page(table: Table, request: Mapping[str, Any], keys: list[Key]) -> Answer:
    """Examine items from the start key on, up to the limit or 1 MB; only then does the filter count."""
    if "ExclusiveStartKey" in request:
        keys = keys[keys.index(table.key_of(request["ExclusiveStartKey"])) + 1 :]
    examined: list[Item] = []
    total = 0
    for key in keys[: request.get("Limit")]:
        examined.append(table.items[key])
        total += item_bytes(table.items[key])
        if total >= PAGE_BYTES:
            break
    stopped = len(examined) < len(keys) or len(examined) == request.get("Limit")
    matching = [item for item in examined if _filter_passes(request, item)]
    body: dict[str, Any] = {"Items": matching, "Count": len(matching), "ScannedCount": len(examined)}
    if examined and stopped:
        names = {*table.keys, *((table.index_keys or ()) if "IndexName" in request else ())}
        body["LastEvaluatedKey"] = {name: examined[-1][name] for name in names}
    return Answer(body=body, read_units=read_units(total, consistent=bool(request.get("ConsistentRead"))))


def _condition_holds(request: Mapping[str, Any], item: Item | None) -> bool:
    return "ConditionExpression" not in request or _condition(request, "ConditionExpression").holds(item)


def _filter_passes(request: Mapping[str, Any], item: Item) -> bool:
    return "FilterExpression" not in request or _condition(request, "FilterExpression").holds(item)


def _condition(request: Mapping[str, Any], member: str) -> Condition:
    return Condition(
        request[member],
        request.get("ExpressionAttributeNames", {}),
        request.get("ExpressionAttributeValues", {}),
    )
