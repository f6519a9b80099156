"""DynamoDB's tables: the operations that our code calls, and the capacity units that they consume."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from functions.contract import schema
from local.in_process.answers import Answer, dynamodb_answer, dynamodb_error
from local.in_process.expressions import Item, holds, key_range, projected, updated
from local.in_process.units import item_bytes, read_units, write_units

PAGE_BYTES = 1024 * 1024
"""How much a query or a scan examines at most."""

BATCH_KEYS = 100
"""The most keys of one BatchGetItem, none of them twice."""

Key = tuple[str, ...]
Request = Mapping[str, Any]


@dataclass(kw_only=True)
class Table:
    """A table, with the one index that it may have, on which all attributes are projected.

    The index has an item ``index_lag`` after it was written, by the clock ``now``. A page has no more than
    ``page_items`` items, if that is given.
    """

    keys: tuple[str, ...]
    index_keys: tuple[str, ...] = ()
    index_lag: timedelta = timedelta(0)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    page_items: int | None = None
    items: dict[Key, Item] = field(default_factory=dict)
    _index: dict[str, list[tuple[str, Key]]] = field(default_factory=lambda: defaultdict(list))
    _written_at: dict[Key, datetime] = field(default_factory=dict)

    def key_of(self, attributes: Mapping[str, Any]) -> Key:
        """Return the table's key as it is in an item, or in a request's ``Key``."""
        return tuple(attributes[name]["S"] for name in self.keys)

    def put(self, item: Item) -> float:
        """Store an item, and return the write units: an index adds its own."""
        key = self.key_of(item)
        standing = self.items.get(key, {})
        units = write_units(max(item_bytes(item), item_bytes(standing)))
        self.items[key] = item
        self._written_at[key] = self.now()
        if item != standing and (place := self._place_of(item)):
            if former := self._place_of(standing):
                self._index[former[0]].remove((former[1], key))
            insort(self._index[place[0]], (place[1], key))
            units += write_units(item_bytes(item))
        return units

    def _place_of(self, item: Item) -> Key:
        """Return an item's place in the index; empty if it isn't in there."""
        has_place = bool(self.index_keys) and all(name in item for name in self.index_keys)
        return tuple(item[name]["S"] for name in self.index_keys) if has_place else ()

    def indexed(self, partition: str, lower: str, upper: str) -> list[Key]:
        """Return the keys that the index has by now of a partition, with sort keys from lower to upper."""
        places = self._index.get(partition, [])
        found = places[bisect_left(places, (lower,)) : bisect_right(places, (upper, ("\U0010ffff",)))]
        if not self.index_lag:
            return [key for _, key in found]
        return [key for _, key in found if self._written_at[key] + self.index_lag <= self.now()]


def ledger_table(**more: Any) -> Table:
    """Make a table with the keys of the ledger and of its time index."""
    ledger = (schema.FINGERPRINT, schema.ENTRY)
    return Table(keys=ledger, index_keys=(schema.MONTH_SHARD, schema.RECORDED), **more)


def call(tables: Mapping[str, Table], operation: str, request: Request) -> Answer:
    """Answer an operation, given as its request's JSON."""
    if operation == "BatchGetItem":
        return _batch_get_item(tables, request)
    return _OPERATIONS[operation](tables[request["TableName"]], request)


def _put_item(table: Table, request: Request) -> Answer:
    item = request["Item"]
    standing = table.items.get(table.key_of(item), {})
    if holds(request.get("ConditionExpression"), standing, request):
        return dynamodb_answer({}, write_units=table.put(item))
    # A refused write is charged as if it had changed what stands; the index isn't touched.
    units = write_units(max(item_bytes(item), item_bytes(standing)))
    is_shown = standing and request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
    shown = {"Item": standing} if is_shown else {}
    return dynamodb_error(400, "ConditionalCheckFailedException", write_units=units, **shown)


def _update_item(table: Table, request: Request) -> Answer:
    standing = table.items.get(table.key_of(request["Key"]), {})
    if not holds(request.get("ConditionExpression"), standing, request):
        units = write_units(item_bytes(standing))
        return dynamodb_error(400, "ConditionalCheckFailedException", write_units=units)
    new = updated(standing or dict(request["Key"]), request)
    return dynamodb_answer({}, write_units=table.put(new))


def _get_item(table: Table, request: Request) -> Answer:
    item = table.items.get(table.key_of(request["Key"]), {})
    units = read_units(item_bytes(item), consistent=bool(request.get("ConsistentRead")))
    return dynamodb_answer({"Item": item} if item else {}, read_units=units)


def _batch_get_item(tables: Mapping[str, Table], request: Request) -> Answer:
    found, units = dict[str, list[Item]](), 0.0
    for name, wanted in request["RequestItems"].items():
        keys = [tables[name].key_of(key) for key in wanted["Keys"]]
        if not 1 <= len(keys) <= BATCH_KEYS or len(set(keys)) < len(keys):
            return dynamodb_error(400, "ValidationException")
        items = [tables[name].items.get(key, {}) for key in keys]
        consistent = bool(wanted.get("ConsistentRead"))
        units += sum(read_units(item_bytes(item), consistent=consistent) for item in items)
        found[name] = [item for item in items if item]
    return dynamodb_answer({"Responses": found, "UnprocessedKeys": {}}, read_units=units)


def _query(table: Table, request: Request) -> Answer:
    partition, lower, upper = key_range(request)
    if "IndexName" in request:
        found = table.indexed(partition, lower, upper)
    else:
        found = sorted(key for key in table.items if key[0] == partition and lower <= key[1] <= upper)
    return _page(table, request, found if request.get("ScanIndexForward", True) else found[::-1])


def _scan(table: Table, request: Request) -> Answer:
    return _page(table, request, table.items)


def _page(table: Table, request: Request, keys: Iterable[Key]) -> Answer:
    """Examine items from the start key on, up to the limit or 1 MB; only then does the filter count."""
    rest = iter(keys)
    if (
        "ExclusiveStartKey" in request and table.key_of(request["ExclusiveStartKey"]) not in rest
    ):  # goes there
        raise NotImplementedError("a start key of no item")
    limit, examined, total = request.get("Limit", table.page_items), list[Item](), 0
    for key in rest:
        if total >= PAGE_BYTES or len(examined) == limit:
            is_whole = False
            break
        examined.append(table.items[key])
        total += item_bytes(table.items[key])
    else:
        is_whole = len(examined) != request.get("Limit")  # DynamoDB doesn't look whether anything follows
    found = [item for item in examined if holds(request.get("FilterExpression"), item, request)]
    body: dict[str, Any] = {
        "Items": projected(found, request),
        "Count": len(found),
        "ScannedCount": len(examined),
    }
    if not is_whole:
        names = {*table.keys, *(table.index_keys if "IndexName" in request else ())}
        body["LastEvaluatedKey"] = {name: examined[-1][name] for name in names}
    units = read_units(total, consistent=bool(request.get("ConsistentRead")))
    if request.get("ReturnConsumedCapacity") == "TOTAL":
        body["ConsumedCapacity"] = {"TableName": request["TableName"], "CapacityUnits": units}
    return dynamodb_answer(body, read_units=units)


_OPERATIONS: Mapping[str, Callable[[Table, Request], Answer]] = {
    "PutItem": _put_item,
    "UpdateItem": _update_item,
    "GetItem": _get_item,
    "Query": _query,
    "Scan": _scan,
}
