"""Adds to ministack's DynamoDB: the attributes that a request names in its conditions.

AWS counts these among `dynamodb:Attributes`, as it does those that the request asks for (DynamoDB Developer
Guide, "Using IAM policy conditions for fine-grained access control"). Otherwise, whoever may not read an
attribute could filter by it, and so find out what it contains. Ministack only counts the projection.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ministack.core import iam_actions
from ministack.services import dynamodb

EXPRESSIONS = ("ConditionExpression", "FilterExpression", "KeyConditionExpression")
CONDITIONS = ("Expected", "KeyConditions", "QueryFilter", "ScanFilter")
"""The older parameters: each is a mapping of attributes to conditions."""

OPERATORS = {"AND", "BETWEEN", "IN", "NOT", "OR"}


def install() -> None:
    """Wrap ministack's function that finds the values of DynamoDB's condition keys."""
    context_of = iam_actions.dynamodb_service_context

    def context(body: bytes) -> dict[str, Any]:
        known: dict[str, Any] = context_of(body)
        # It knows nothing of a body that it can't read.
        named = [*known.get("dynamodb:Attributes", ()), *(_named(json.loads(body or b"{}")) if known else ())]
        return known | {"dynamodb:Attributes": named} if named else known

    iam_actions.dynamodb_service_context = context


def _named(request: Mapping[str, Any]) -> Iterator[str]:
    names = _mapping(request, "ExpressionAttributeNames")
    for parameter in EXPRESSIONS:
        for name in _top_level(str(request.get(parameter) or "")):
            yield str(names.get(name, name))
    for parameter in CONDITIONS:
        yield from _mapping(request, parameter)


def _top_level(expression: str) -> Iterator[str]:
    """Yield the first name of each path. ``size(a.b[0]) > :x`` has one path, which begins with ``a``."""
    tokens = [("", ""), *dynamodb._tokenize(expression)]
    for (before, _), (kind, text), (after, _) in zip(tokens, tokens[1:], tokens[2:], strict=False):
        is_function = kind == "IDENT" and after == "LPAREN"
        is_name = kind in {"IDENT", "NAME_REF"} and text.upper() not in OPERATORS
        if is_name and not is_function and before != "DOT":
            yield text


def _mapping(request: Mapping[str, Any], parameter: str) -> Mapping[str, Any]:
    value = request.get(parameter)
    return value if isinstance(value, dict) else {}
