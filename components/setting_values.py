"""The values of settings: from configuration, which is text, and from arguments, which have types."""

from __future__ import annotations

import json
from typing import Any


def from_text(key: str, text: str, wanted: object) -> object:
    """Read the value of a setting from the stack's configuration, which Pulumi always hands over as text.

    `wanted` is the type of the setting: bool, int, str, or a tuple of str. ValueError says what is allowed.
    """
    if wanted is str:
        return text
    if wanted is bool:
        if text not in {"true", "false"}:
            raise ValueError("true or false")
        return text == "true"
    if wanted is int:
        if not text.removeprefix("-").isdecimal() or not text.isascii():
            raise ValueError("a whole number")
        return int(text)
    return _list_from_text(key, text)


def from_argument(_key: str, value: Any, wanted: object) -> object:
    """Take the value of a setting as a program gives it; ValueError says which type it must have."""
    if wanted is bool:
        return _fitting(value, "true or false", isinstance(value, bool))
    if wanted is str:
        return _fitting(value, "a text", isinstance(value, str))
    if wanted is int:
        # A whole number can come as a float: the engine knows one kind of number only.
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return int(_fitting(value, "a whole number", number and float(value).is_integer()))
    return tuple(_fitting(value, "a list of texts", _is_list_of_texts(value)))


def _fitting(value: Any, allowed: str, fits: bool) -> Any:
    if not fits:
        raise ValueError(allowed)
    return value


def _list_from_text(key: str, text: str) -> tuple[str, ...]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not _is_list_of_texts(value):
        # The Pulumi CLI takes no list in one piece, and a text of digits for a number.
        raise ValueError(
            f"a list of texts, set one by one: pulumi config set --type string --path '{key}[0]' VALUE"
        )
    return tuple(value or ())


def _is_list_of_texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
