"""The evaluator of filter patterns, on examples like those of AWS's documentation."""

from __future__ import annotations

import json

import pytest

from tests.components.filter_patterns import matches

EVENT = json.dumps(
    {
        "eventType": "UpdateTrail",
        "sourceIPAddress": "111.111.111.111",
        "errorCode": 400,
        "isCold": True,
        "requestParameters": {"name": "trail", "list": ["a"]},
        "nothing": None,
    }
)


@pytest.mark.parametrize(
    "pattern",
    [
        '{ $.eventType = "UpdateTrail" }',
        '{$.eventType="UpdateTrail"}',
        '{ $.eventType = "Update*" }',
        '{ $.eventType = "*Trail" }',
        '{ $.sourceIPAddress != "123.123.*" }',
        '{ $.requestParameters.name = "trail" }',
        "{ $.errorCode = 400 }",
        "{ $.errorCode >= 400 }",
        "{ $.errorCode < 400.5 }",
        "{ $.errorCode != 500 }",
        '{ $.errorCode = 400 && $.eventType = "UpdateTrail" }',
        '{ $.eventType = "UpdateTrail" || $.errorCode = 1 && $.errorCode = 2 }',
    ],
)
def test_pattern_matches(pattern: str) -> None:
    assert matches(pattern, EVENT)


@pytest.mark.parametrize(
    "pattern",
    [
        '{ $.eventType = "updatetrail" }',
        '{ $.eventType = "Update" }',
        '{ $.sourceIPAddress = "111?111?111?111" }',
        '{ $.errorCode = "400" }',
        "{ $.eventType > 1 }",
        "{ $.isCold = 1 }",
        "{ $.errorCode > 400 }",
        '{ $.requestParameters = "trail" }',
        '{ $.requestParameters.list = "a" }',
        '{ $.eventtype = "UpdateTrail" }',
        '{ $.missing != "x" }',
        '{ $.nothing != "x" }',
        '{ ($.eventType = "UpdateTrail" || $.errorCode = 1) && $.errorCode = 2 }',
    ],
)
def test_pattern_does_not_match(pattern: str) -> None:
    assert not matches(pattern, EVENT)


@pytest.mark.parametrize(
    "pattern",
    [
        *("", "ERROR", "{ }", "{ $.a }", '{ $.a = "b"', '{ $.a = "b" } x', '{ a = "b" }', '{ $.a == "b" }'),
        *(
            '{ $.a > "b" }',
            "{ $.a = b }",
            "{ $.a IS NULL }",
            "{ $.a NOT EXISTS }",
            '{ $.a = "b" & $.c = "d" }',
        ),
        '{ $.a[0] = "b" }',
    ],
)
def test_what_the_evaluator_does_not_know_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        matches(pattern, EVENT)


def test_line_that_is_no_object_does_not_match() -> None:
    assert not any(matches('{ $.a != "b" }', line) for line in ("START RequestId: 1", "[1]", '"a"'))
