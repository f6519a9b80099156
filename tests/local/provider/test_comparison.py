"""Which values from AWS mean the same as what the program wrote."""

from __future__ import annotations

from typing import Any

import pytest

from local.provider.comparison import as_written
from local.provider.resource_types import ANY, Existing, difference, fields

SHAPE = fields(
    "flag",
    "layers",
    "name",
    "number",
    "policy",
    "tags",
    block=fields("mode", "size"),
    rules=fields("name", "prefix", "values", filter=fields("prefix")),
)


def read(written: Any, found: Any, **defaults: Any) -> dict[str, Any]:
    return as_written(written, found, SHAPE, defaults)


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ({"number": 5}, {"number": "5"}),
        ({"number": "5"}, {"number": 5}),
        ({"number": 5}, {"number": 5.0}),
        ({"flag": True}, {"flag": "true"}),
        ({"policy": '{"a": 1, "b": [2]}'}, {"policy": '{"b":[2],"a":1}'}),
        ({"name": ["b", "a"]}, {"name": ["a", "b"]}),
        ({"tags": {"a": "1", "b": "2"}}, {"tags": {"b": "2", "a": "1"}}),
        ({"tags": {}}, {"tags": None}),
        ({}, {"tags": {}}),
        ({"name": ""}, {"name": None}),
        ({"block": {"mode": "on"}}, {"block": {"mode": "on", "size": None}}),
        (
            {"rules": [{"name": "a", "values": ["x", "y"]}, {"name": "b"}]},
            {"rules": [{"name": "b", "values": []}, {"name": "a", "values": ["y", "x"]}]},
        ),
        ({"rules": []}, {"rules": None}),
        ({"rules": []}, {"rules": []}),
        ({}, {"rules": []}),
        ({"number": 5}, {}),
        ({"name": None}, {"name": None}),
    ],
)
def test_same_meaning_keeps_the_programs_spelling(written: Any, found: Any) -> None:
    expected = {name: value for name, value in written.items() if value is not None}
    assert read(written, found) == expected
    assert list(map(type, read(written, found).values())) == list(map(type, expected.values()))


@pytest.mark.parametrize(
    ("written", "found", "expected"),
    [
        ({"number": 5}, {"number": "6"}, {"number": "6"}),
        ({"number": 5}, {"number": None}, {}),
        ({"flag": False}, {"flag": None}, {}),
        ({"policy": '{"a": [1, 2]}'}, {"policy": '{"a": [2, 1]}'}, {"policy": '{"a": [2, 1]}'}),
        ({"policy": '{"a": 1}'}, {"policy": "{"}, {"policy": "{"}),
        ({"layers": ["a", "b"]}, {"layers": ["b", "a"]}, {"layers": ["b", "a"]}),
        ({"name": ["a"]}, {"name": ["a", "a"]}, {"name": ["a", "a"]}),
        ({"tags": {"a": "1"}}, {"tags": {"a": "1", "b": ""}}, {"tags": {"a": "1", "b": ""}}),
        ({"name": "0123"}, {"name": "123"}, {"name": "123"}),
        ({}, {"name": "on"}, {"name": "on"}),
        ({"block": {"mode": "on"}}, {"block": {"mode": "off"}}, {"block": {"mode": "off"}}),
        ({"block": {"mode": "on", "size": 5}}, {"block": {"size": "5"}}, {"block": {"size": 5}}),
        ({"block": {"mode": "on"}}, {"block": None}, {}),
        (
            {"rules": [{"name": "a", "prefix": "1"}, {"name": "b", "values": ["x", "y"]}]},
            {"rules": [{"name": "b", "values": ["y", "x"]}, {"name": "a", "prefix": "2"}, {"name": "c"}]},
            {"rules": [{"name": "a", "prefix": "2"}, {"name": "b", "values": ["x", "y"]}, {"name": "c"}]},
        ),
        ({"rules": [{"name": "a"}, {"name": "a"}]}, {"rules": [{"name": "a"}]}, {"rules": [{"name": "a"}]}),
        ({"rules": [{"name": "a"}]}, {"rules": []}, {}),
        (
            {"rules": [{"name": "a", "filter": {"prefix": "x"}}]},
            {"rules": [{"name": "a"}]},
            {"rules": [{"name": "a"}]},
        ),
    ],
)
def test_other_meaning_is_told_as_aws_has_it(written: Any, found: Any, expected: Any) -> None:
    assert read(written, found) == expected


def test_rules_whose_order_has_a_meaning_are_told_in_their_order() -> None:
    one, other = {"allowedMethods": ["GET"]}, {"allowedMethods": ["PUT"]}
    shape = fields(corsRules=fields("allowedMethods"))

    found = as_written({"corsRules": [one, other]}, {"corsRules": [other, one]}, shape, {})

    assert found == {"corsRules": [other, one]}


def test_default_is_what_is_not_written_and_what_is_not_returned() -> None:
    defaults = {"number": 30, "block": {"mode": "off"}, "rules": {"prefix": "all"}}

    assert read({}, {"number": "30", "block": {"mode": "off"}}, **defaults) == {}
    assert read({"number": 30}, {"number": None}, **defaults) == {"number": 30}
    assert read({}, {"number": 31, "block": {"mode": "on"}}, **defaults) == {
        "number": 31,
        "block": {"mode": "on"},
    }
    assert read({"rules": [{"name": "a"}]}, {"rules": [{"name": "a", "prefix": "all"}]}, **defaults) == {
        "rules": [{"name": "a"}]
    }


def test_what_aws_decides_is_compared_only_where_the_program_says_it() -> None:
    assert read({}, {"number": 7}, number=ANY) == {}
    assert read({"number": 5}, {"number": 7}, number=ANY) == {"number": 7}
    assert read({"number": 5}, {"number": None}, number=ANY) == {}
    assert read({"block": {"mode": "on"}}, {"block": {"mode": "on", "size": 7}}, block={"size": ANY}) == {
        "block": {"mode": "on"}
    }


def test_update_applies_what_differs_and_the_defaults_of_what_is_taken_back() -> None:
    resource = Existing(
        id="r",
        inputs={"block": {"mode": "on"}, "flag": True, "layers": ["a"], "name": "n", "number": 1, "tags": {}},
        outputs={},
    )
    defaults = {"block": {"mode": "off", "size": ANY}, "number": 30, "flag": ANY}

    different = difference(resource, {"layers": ["b"], "name": "n", "policy": "{}", "tags": None}, defaults)

    assert different == {
        "block": {"mode": "off"},
        "layers": ["b"],
        "number": 30,
        "policy": "{}",
        "tags": None,
    }
