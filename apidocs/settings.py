"""The settings of a stack, as the Pulumi CLI and programs in other languages are told of them."""

from __future__ import annotations

import copy
from dataclasses import Field, fields
from typing import Any, get_type_hints

import yaml

from components import BillE, StackSettings
from components.settings import camel_case

PACKAGE = "bill-e"

_STRINGS: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
_TYPES: dict[type, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    bool: {"type": "boolean"},
}

PREAMBLE = f"""\
name: {PACKAGE}
description: Serverless, event-driven audit pipeline for financial receipts
runtime:
  name: python
  options:
    toolchain: pip
    virtualenv: .venv
# Written by `make docs` from components/settings.py.
"""


def project_file() -> str:
    """Return `Pulumi.yaml`: what Pulumi runs, and every setting with its type and default."""
    settings = {
        key: {"description": _description(field), **_type(field), "default": _default(field)}
        for key, field in _settings().items()
    }
    return PREAMBLE + yaml.safe_dump({"config": settings}, sort_keys=False, width=1000, allow_unicode=True)


def package_schema() -> dict[str, Any]:
    """Return the schema of the package for other languages ("Pulumi Package schema").

    Every argument is optional, and plain: it has to be known before anything is deployed, as a setting is.
    """
    inputs = {key: _argument(field) for key, field in _settings().items()}
    outputs = {camel_case(name): _output(name) for name in BillE.OUTPUTS}
    return {
        "name": PACKAGE,
        "displayName": "Bill-E",
        "version": BillE.VERSION,
        "description": "Serverless, event-driven audit pipeline for financial receipts",
        "resources": {
            BillE.TYPE: {
                "isComponent": True,
                "description": BillE.DESCRIPTION,
                "inputProperties": inputs,
                "properties": outputs,
                "required": sorted(outputs),
            }
        },
        "language": {
            name: {"respectSchemaVersion": True} for name in ("csharp", "go", "java", "nodejs", "python")
        },
    }


def _settings() -> dict[str, Field[Any]]:
    by_name = {field.name: field for field in fields(StackSettings)}
    return {key: by_name[name] for key, name in StackSettings.names().items()}


def _argument(field: Field[Any]) -> dict[str, Any]:
    type_, default = _type(field), _default(field)
    if type_["type"] == "array":
        # A schema has defaults for single values only.
        listed = ", ".join(default) or "none"
        return {**type_, "plain": True, "description": f"{_description(field)} (default: {listed})"}
    return {**type_, "plain": True, "description": _description(field), "default": default}


def _output(name: str) -> dict[str, Any]:
    kind, description = BillE.OUTPUTS[name]
    type_ = {"type": "object", "additionalProperties": {"type": "string"}} if kind is dict else _TYPES[kind]
    return {**type_, "description": description}


def _description(field: Field[Any]) -> str:
    return str(field.metadata["description"])


def _default(field: Field[Any]) -> Any:
    return list(field.default) if isinstance(field.default, tuple) else field.default


def _type(field: Field[Any]) -> dict[str, Any]:
    return copy.deepcopy(_TYPES.get(get_type_hints(StackSettings)[field.name], _STRINGS))
