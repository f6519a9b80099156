"""The same thing as a program writes it and as AWS does: names, keys, tags and policies."""

from __future__ import annotations

import datetime as dt
import json
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from local import LocalError
from local.property_values import paths_to
from local.provider.resource_types import Inputs, Shape


def physical_name(inputs: Inputs, logical_name: str, *, property_name: str = "name", max_length: int) -> str:
    """Take the name that the program gives, or make one as Pulumi does: ``<logical name>-<7 hex digits>``.

    If the program gives a prefix (``namePrefix``), the name is the prefix and the digits, as with pulumi-aws.
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


def request(inputs: Inputs, names: Iterable[str]) -> Any:
    """Return the API parameters for those of the named inputs that are set and that AWS calls the same."""
    return pascal({name: inputs.get(name) for name in names})


def pascal(value: Any) -> Any:
    """Spell the keys of an input as AWS APIs do, at every depth: ``maxAgeSeconds`` as ``MaxAgeSeconds``."""
    if isinstance(value, Mapping):
        return {capital(name): pascal(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [pascal(item) for item in value]
    return value


def capital(name: str) -> str:
    """Spell one key as AWS APIs do."""
    return name[0].upper() + name[1:]


def camel(value: Any, shape: Shape | None) -> Any:
    """Spell what AWS returns as an input, with only the properties of ``shape``: the opposite of `pascal`."""
    if shape is None:
        return value
    if isinstance(value, Mapping):
        return {name: camel(value.get(capital(name)), nested) for name, nested in shape.items()}
    if isinstance(value, list):
        return [camel(item, shape) for item in value]
    return value


def camel_all(value: Any) -> Any:
    """Spell everything that AWS returns as an input, so that nothing is hidden; dates as ISO 8601 text."""
    if isinstance(value, Mapping):
        return {name[0].lower() + name[1:]: camel_all(item) for name, item in value.items()}
    if isinstance(value, list):
        return [camel_all(item) for item in value]
    return value.isoformat() if isinstance(value, dt.datetime) else value


def key_value_tags(tags: Mapping[str, str] | None) -> Any:
    """Return tags as a list of ``Key`` and ``Value``."""
    return [{"Key": key, "Value": value} for key, value in (tags or {}).items()]


def tags_of(listed: Any) -> dict[str, str]:
    """Return tags from a list of ``Key`` and ``Value``, without those that AWS sets itself."""
    return {tag["Key"]: tag["Value"] for tag in listed or [] if not tag["Key"].startswith("aws:")}


def policy_text(policy: Any) -> str:
    """Write a policy as JSON; refuse a null in it, since that is an output that nobody set."""
    document = json.loads(policy) if isinstance(policy, str) else policy
    for path in paths_to(None, document):
        raise LocalError(f"its policy has no value at {path or 'its root'}: an output is missing")
    return json.dumps(document)
