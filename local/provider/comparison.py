"""Values from AWS, written as the program writes them, if the two mean the same.

AWS reformats JSON, returns numbers as text, doesn't keep the order of most lists, and adds its defaults. None
of that is a difference.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from local.provider.resource_types import ANY, Inputs, Shape

ORDERED = {"corsRules", "layers"}
"""The lists whose order matters: the first matching CORS rule applies, and later layers overwrite."""


def as_written(written: Inputs, found: Inputs, shape: Shape, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values from AWS, as the program would write them.

    Properties that are not in ``found`` cannot be read, so they stay as they are written.
    """
    kept = {name: value for name, value in written.items() if name not in found and value is not None}
    merged = {name: _value(name, written.get(name), value, shape, defaults) for name, value in found.items()}
    now = {**kept, **merged}
    return _only_set((name, now.get(name)) for name in {**written, **found})


def _value(name: str, written: Any, found: Any, shape: Shape, defaults: Mapping[str, Any]) -> Any:
    nested, default = shape.get(name), defaults.get(name)
    if default is ANY:
        if written is None:
            return None
        default = None
    if nested is None:
        return _leaf(name, written, found, default)
    if _is_nothing(written) and _is_nothing(found):
        return written
    if isinstance(written, list) or isinstance(found, list):
        return _objects(name, written or [], found or [], nested, default or {})
    return _object(written, found, nested, default or {})


def _leaf(name: str, written: Any, found: Any, default: Any) -> Any:
    known = default if _is_nothing(found) else found
    if _is_same(default if written is None else written, known, ordered=name in ORDERED):
        return written
    return None if _is_nothing(found) else found


def _object(
    written: Inputs | None, found: Inputs | None, shape: Shape, defaults: Mapping[str, Any]
) -> Inputs | None:
    before, now = written or {}, found or {}
    merged = _only_set(
        (name, _value(name, before.get(name), now.get(name), shape, defaults)) for name in {**before, **now}
    )
    if merged == _only_set(before.items()):
        return written
    return merged or None


def _objects(
    name: str, written: list[Inputs], found: list[Inputs], shape: Shape, defaults: Mapping[str, Any]
) -> list[Any] | None:
    """Put found items into the written order: each takes the place of an item that means the same."""
    left = list(found)
    places: list[Any] = []
    for index, one in enumerate(written):
        candidates = left if name not in ORDERED else found[index : index + 1]
        same = next((item for item in candidates if _object(one, item, shape, defaults) == one), None)
        if same is not None:
            left.remove(same)
        places.append((one, same))
    merged = []
    for one, same in places:
        if same is not None:
            merged.append(one)
        elif left:
            merged.append(_object(one, left.pop(0), shape, defaults) or {})
    merged += [_object(None, item, shape, defaults) or {} for item in left]
    return merged or None


def _is_same(one: Any, other: Any, *, ordered: bool) -> bool:
    return (_is_nothing(one) and _is_nothing(other)) or _canonical(one, ordered) == _canonical(other, ordered)


def _canonical(value: Any, ordered: bool = True) -> str:
    """Write a value so that equal meanings give equal texts. AWS writes flags and numbers as JSON does."""
    if isinstance(value, str):
        return _canonical_text(value)
    if isinstance(value, Mapping):
        return json.dumps({key: _canonical(item) for key, item in value.items()}, sort_keys=True)
    if isinstance(value, list):
        items = [_canonical(item) for item in value]
        return json.dumps(items if ordered else sorted(items))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value, default=repr)


def _canonical_text(text: str) -> str:
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return json.dumps(json.loads(text), sort_keys=True)
    except ValueError:
        return text


def _is_nothing(value: Any) -> bool:
    return value is None or value in ("", [], {})


def _only_set(items: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in items if value is not None}
