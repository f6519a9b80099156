"""DynamoDB's expressions, as far as our code uses them. Any other expression is an error.

The grammar is in the DynamoDB developer guide, "Condition and filter expressions".
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

Item = dict[str, Any]
"""Attribute names to typed values, such as ``{"S": "text"}``."""

_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_TERM = re.compile(
    r"(?P<call>attribute_(not_)?exists)\((?P<of>#?\w+)\)"
    r"|contains\((?P<set>#?\w+), (?P<member>:\w+)\)"
    r"|(?P<name>#?\w+) (?P<sign>[=<>]+) (?P<value>:\w+)"
)
_KEYS = re.compile(
    r"\S+ = (\S+)(?: AND \S+ (?:BETWEEN (?P<lower>\S+) AND (?P<upper>\S+)|>= (?P<least>\S+)))?"
)


def holds(expression: str | None, item: Item, request: Mapping[str, Any]) -> bool:
    """Tell whether a condition or filter is true of an item: terms with AND, and groups of them with OR."""
    groups = (expression or "").split(" OR ")
    return any(all(_is_true(term, item, request) for term in _terms(group)) for group in groups)


def _terms(group: str) -> list[str]:
    if group.startswith("(") and group.endswith(")"):
        group = group[1:-1]
    return group.split(" AND ") if group else []


def _is_true(term: str, item: Item, request: Mapping[str, Any]) -> bool:
    names = request.get("ExpressionAttributeNames", {})
    match = _TERM.fullmatch(term)
    if match is None or match["sign"] not in {None, *_COMPARISONS}:
        raise NotImplementedError(f"expression {term!r}")
    name = match["of"] or match["set"] or match["name"]
    attribute = item.get(names.get(name, name))
    if match["call"]:
        return (attribute is None) == (match["call"] == "attribute_not_exists")
    if match["set"]:
        member = request["ExpressionAttributeValues"][match["member"]]["S"]
        return attribute is not None and member in (attribute.get("SS") or attribute["S"])
    value = _plain(request["ExpressionAttributeValues"][match["value"]])
    return attribute is not None and _COMPARISONS[match["sign"]](_plain(attribute), value)


def _plain(value: Mapping[str, Any]) -> str | Decimal:
    """Return a typed text or number as Python compares it."""
    match value:
        case {"S": text}:
            return str(text)
        case {"N": number}:
            return Decimal(number)
    raise NotImplementedError(f"comparing {value}")


def updated(item: Item, request: Mapping[str, Any]) -> Item:
    """Return an item after an update that only sets attributes to values."""
    names, values = request["ExpressionAttributeNames"], request["ExpressionAttributeValues"]
    assignments = request["UpdateExpression"].removeprefix("SET ").split(", ")
    pairs = (assignment.split(" = ") for assignment in assignments)
    return {**item, **{names[name]: values[value] for name, value in pairs}}


def projected(items: list[Item], request: Mapping[str, Any]) -> list[Item]:
    """Return what a request's ``ProjectionExpression`` leaves of items: all of them if there is none."""
    if "ProjectionExpression" not in request:
        return items
    names = request.get("ExpressionAttributeNames", {})
    kept = {names.get(name, name) for name in request["ProjectionExpression"].split(", ")}
    return [{name: value for name, value in item.items() if name in kept} for item in items]


def key_range(request: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return the partition that a query asks for, and the least and the greatest sort key."""
    match = _KEYS.fullmatch(request["KeyConditionExpression"])
    if match is None:
        raise NotImplementedError(f"key condition {request['KeyConditionExpression']!r}")
    values = {name: value["S"] for name, value in request["ExpressionAttributeValues"].items()}
    least, most = match["lower"] or match["least"], match["upper"]
    return values[match[1]], values[least] if least else "", values[most] if most else "\U0010ffff"
