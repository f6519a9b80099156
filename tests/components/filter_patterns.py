"""CloudWatch's filter patterns for JSON, as far as the runbook uses them.

Amazon CloudWatch Logs User Guide, "Filter pattern syntax": selectors such as ``$.record.status``, compared
with text in quotation marks (``*`` stands for any characters) or with numbers, joined by && and ||, of which
the first binds tighter, and parentheses. Anything else is refused, so that no pattern goes untested.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

TOKEN = re.compile(
    r"""\s*(?:
      (?P<selector>\$(?:\.[A-Za-z0-9_]+)+)
    | (?P<operator>&&|\|\||!=|<=|>=|[=<>(){}])
    | "(?P<text>[^"\\]*)"
    | (?P<number>-?\d+(?:\.\d+)?)
    )\s*""",
    re.VERBOSE,
)

Line = dict[str, Any]
Matches = Callable[[Line], bool]
ORDERS: dict[str, Callable[[float, float], bool]] = {
    "=": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


def matches(pattern: str, line: str) -> bool:
    """Whether a log line matches; one that is no JSON object matches none of these patterns."""
    matching = _Parser(pattern).parse()
    try:
        parsed = json.loads(line)
    except ValueError:
        return False
    return isinstance(parsed, dict) and matching(parsed)


class _Parser:
    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._tokens: list[tuple[str, str]] = []
        position = 0
        while position < len(pattern):
            found = TOKEN.match(pattern, position)
            if found is None or found.lastgroup is None:
                raise ValueError(f"{pattern!r} can't be read from {pattern[position:]!r} on")
            self._tokens.append((found.lastgroup, found[found.lastgroup]))
            position = found.end()

    def parse(self) -> Matches:
        self._expect("{")
        matching = self._any_of()
        self._expect("}")
        if self._tokens:
            raise ValueError(f"{self._pattern!r} goes on after its end")
        return matching

    def _any_of(self) -> Matches:
        parts = [self._all_of()]
        while self._accept("||"):
            parts.append(self._all_of())
        return lambda line: any(part(line) for part in parts)

    def _all_of(self) -> Matches:
        parts = [self._comparison()]
        while self._accept("&&"):
            parts.append(self._comparison())
        return lambda line: all(part(line) for part in parts)

    def _comparison(self) -> Matches:
        if self._accept("("):
            inner = self._any_of()
            self._expect(")")
            return inner
        path = self._take("selector").split(".")[1:]
        operator = self._take("operator")
        kind, value = self._tokens.pop(0) if self._tokens else ("", "")
        if kind == "number" and operator in ORDERS:
            return lambda line: _is_ordered(_select(line, path), operator, float(value))
        if kind == "text" and operator in {"=", "!="}:
            wanted = re.compile(".*".join(map(re.escape, value.split("*"))), re.DOTALL)
            return lambda line: _is_text(_select(line, path), wanted, is_equal=operator == "=")
        raise ValueError(f"{self._pattern!r} compares with {operator} {value!r}")

    def _take(self, kind: str) -> str:
        if not self._tokens or self._tokens[0][0] != kind:
            raise ValueError(f"{self._pattern!r} lacks a {kind}")
        return self._tokens.pop(0)[1]

    def _accept(self, operator: str) -> bool:
        if self._tokens and self._tokens[0] == ("operator", operator):
            self._tokens.pop(0)
            return True
        return False

    def _expect(self, operator: str) -> None:
        if not self._accept(operator):
            raise ValueError(f"{self._pattern!r} lacks {operator}")


def _select(line: Line, path: list[str]) -> Any:
    """Find what a selector names; None for what isn't there, which no comparison matches."""
    found: Any = line
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _is_ordered(found: Any, operator: str, number: float) -> bool:
    is_number = isinstance(found, int | float) and not isinstance(found, bool)
    return is_number and ORDERS[operator](found, number)


def _is_text(found: Any, wanted: re.Pattern[str], *, is_equal: bool) -> bool:
    return isinstance(found, str) and bool(wanted.fullmatch(found)) == is_equal
