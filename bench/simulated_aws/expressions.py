"""DynamoDB's expressions, as far as the contestants use them.

The grammar is in the DynamoDB developer guide, "Condition and filter expressions". What isn't known here is
an error, never a guess.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

Item = dict[str, Any]
"""Attribute names to typed values, such as ``{"S": "text"}``."""

_TOKEN = re.compile(r"\s*([#:]\w+|\w+|<>|<=|>=|[=<>(),])")
_COMPARATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Condition:
    """A condition or filter expression with its names and values, to be asked about items."""

    def __init__(self, text: str, names: Mapping[str, str], values: Mapping[str, Any]) -> None:
        self._tokens = _TOKEN.findall(text)
        self._names = names
        self._values = values
        self._at = 0
        self._item: Mapping[str, Any] = {}

    def holds(self, item: Mapping[str, Any] | None) -> bool:
        """Tell whether the expression is true of an item, or of its absence."""
        self._at, self._item = 0, item or {}
        result = self._any_of()
        if self._at != len(self._tokens):
            raise NotImplementedError(f"expression goes on with {self._tokens[self._at :]}")
        return result

    # All operands are evaluated, since evaluating is also what moves on through the tokens.

    def _any_of(self) -> bool:
        result = self._all_of()
        while self._take("OR"):
            result = self._all_of() or result
        return result

    def _all_of(self) -> bool:
        result = self._negation()
        while self._take("AND"):
            result = self._negation() and result
        return result

    def _negation(self) -> bool:
        return not self._negation() if self._take("NOT") else self._primary()

    def _primary(self) -> bool:
        if self._take("("):
            result = self._any_of()
            self._expect(")")
            return result
        first = self._next()
        if first in {"attribute_exists", "attribute_not_exists"}:
            self._expect("(")
            exists = self._name(self._next()) in self._item
            self._expect(")")
            return exists == (first == "attribute_exists")
        left, compare = self._operand(first), _COMPARATORS[self._next()]
        right = self._operand(self._next())
        return left is not None and right is not None and compare(left, right)

    def _operand(self, token: str) -> str | Decimal | None:
        value = self._values[token] if token.startswith(":") else self._item.get(self._name(token))
        return None if value is None else plain(value)

    def _name(self, token: str) -> str:
        return self._names[token] if token.startswith("#") else token

    def _next(self) -> str:
        self._at += 1
        return str(self._tokens[self._at - 1])

    def _take(self, token: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] == token:
            self._at += 1
            return True
        return False

    def _expect(self, token: str) -> None:
        if not self._take(token):
            raise NotImplementedError(f"expected {token!r} at {self._tokens[self._at :]}")


def plain(value: Mapping[str, Any]) -> str | Decimal:
    """Return a typed text or number as Python compares it; raise NotImplementedError for other types."""
    if "S" in value:
        return str(value["S"])
    if "N" in value:
        return Decimal(value["N"])
    raise NotImplementedError(f"comparing {sorted(value)} values")


def updated(item: Item, text: str, names: Mapping[str, str], values: Mapping[str, Any]) -> Item:
    """Return an item after an update expression that only sets attributes to values."""
    assignments = text.removeprefix("SET ").split(",")
    pairs = [tuple(part.strip() for part in assignment.split("=")) for assignment in assignments]
    return {**item, **{names.get(name, name): values[value] for name, value in pairs}}


_KEY_CONDITION = re.compile(
    r"(?P<hash>\S+) = (?P<value>\S+)"
    r"( AND (?P<range>\S+) (BETWEEN (?P<lower>\S+) AND (?P<upper>\S+)|>= (?P<from>\S+)))?"
)


def key_range(text: str, values: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return the partition, and the lowest and the highest sort key, that a key condition asks for."""
    match = _KEY_CONDITION.fullmatch(text)
    if match is None:
        raise NotImplementedError(f"key condition {text!r}")
    lower, upper = match["lower"] or match["from"], match["upper"]
    return (
        str(plain(values[match["value"]])),
        str(plain(values[lower])) if lower else "",
        str(plain(values[upper])) if upper else "\U0010ffff",
    )
