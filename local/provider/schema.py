"""What a resource type takes: the input properties that are applied, and the call that applies them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from local.aws import Aws
from local.errors import LocalError

Inputs = Mapping[str, Any]
"""The inputs of a resource as the program registers them: camelCase keys, values resolved."""

Shape = Mapping[str, "Shape | None"]
"""The properties that may be present: with their own shape, or ``None`` where any value may be given."""


@dataclass(frozen=True, kw_only=True)
class Created:
    """A resource that exists now: its id, and the outputs that AWS decided beyond the inputs."""

    id: str
    outputs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ResourceType:
    """One row of the provider's table.

    ``create`` takes the clients, the resource's logical name and its checked inputs.
    """

    properties: Shape
    create: Callable[[Aws, str, Inputs], Created]


def fields(*names: str, **nested: Shape) -> Shape:
    """Build a shape: ``names`` take any value, ``nested`` are objects, or lists of objects, of a shape."""
    return {**dict.fromkeys(names), **nested}


def unknown_properties(value: Any, shape: Shape, path: str = "") -> Iterator[str]:
    """Yield the path of every property in ``value`` that is not in ``shape``, such as ``rules[0].id``."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from unknown_properties(item, shape, f"{path}[{index}]")
    elif isinstance(value, Mapping):
        for name, item in value.items():
            inner = f"{path}.{name}" if path else name
            if item is None:
                continue
            if name not in shape:
                yield inner
            elif (nested := shape[name]) is not None:
                yield from unknown_properties(item, nested, inner)


def physical_name(inputs: Inputs, logical_name: str, *, property_name: str = "name", max_length: int) -> str:
    """Take the name that the program gives, or make one as Pulumi does: ``<logical name>-<7 hex digits>``.

    With a prefix (``namePrefix``) it is that and the digits, as AWS providers do.
    """
    given = inputs.get(property_name)
    if given is not None:
        return str(given)
    stem = inputs.get(f"{property_name}Prefix") or f"{logical_name}-"
    digits = secrets.token_hex(4)[:7]
    return stem[: max_length - len(digits)] + digits


def present(inputs: Inputs, **names: str) -> dict[str, Any]:
    """Return the API parameters for the inputs that are set: ``present(inputs, Timeout="timeout")``."""
    return {parameter: inputs[name] for parameter, name in names.items() if inputs.get(name) is not None}


def pascal(value: Any) -> Any:
    """Spell the keys of an input as AWS APIs do, at every depth: ``maxAgeSeconds`` as ``MaxAgeSeconds``."""
    if isinstance(value, Mapping):
        return {name[0].upper() + name[1:]: pascal(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [pascal(item) for item in value]
    return value


def key_value_tags(inputs: Inputs) -> list[dict[str, str]]:
    """Tags as a list of ``Key`` and ``Value``."""
    return [{"Key": key, "Value": value} for key, value in (inputs.get("tags") or {}).items()]


def policy_text(policy: Any) -> str:
    """Write a policy as JSON; refuse a null in it, which is how an output that nobody set looks."""
    document = json.loads(policy) if isinstance(policy, str) else policy
    for path in _nulls(document):
        raise LocalError(f"its policy has no value at {path}: an output that it is made of is missing")
    return json.dumps(document)


def _nulls(value: Any, path: str = "") -> Iterator[str]:
    if value is None:
        yield path or "its root"
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _nulls(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _nulls(item, f"{path}[{index}]")
