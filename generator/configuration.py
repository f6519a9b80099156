"""Writes the settings into `Pulumi.yaml`, the schema of the package, and docs/settings.md."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import Field, fields
from typing import Any

import yaml

from components.bill_e import BillE
from components.settings import StackSettings, camel_case

PACKAGE = "bill-e"
DESCRIPTION = "Serverless, event-driven audit pipeline for financial receipts"

SETTINGS: Mapping[str, Field[Any]] = {camel_case(each.name): each for each in fields(StackSettings)}

_TYPES: Mapping[type, Mapping[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    tuple: {"type": "array", "items": {"type": "string"}},
    dict: {"type": "object", "additionalProperties": {"type": "string"}},
}

PREAMBLE = f"""\
name: {PACKAGE}
description: {DESCRIPTION}
runtime:
  name: python
  options:
    toolchain: pip
    virtualenv: .venv
# `make docs` writes what follows. The settings are declared in components/.
"""

PAGE = """\
# Settings

`make docs` writes this page from the code. `pulumi config set KEY VALUE --stack NAME` changes a setting, and
the next `pulumi up` applies it. [What that does to a running stack](changes.md) depends on the setting.
"""


def project_file() -> str:
    """Return `Pulumi.yaml`: how Pulumi runs the program, and every setting with its type and default."""
    settings = {
        key: {"description": _described(field), **_TYPES[type(field.default)], "default": field.default}
        for key, field in SETTINGS.items()
    }
    # In JSON, tuples become lists, and nothing is shared that YAML would point to.
    plain = json.loads(json.dumps({"config": settings}))
    return PREAMBLE + yaml.safe_dump(plain, sort_keys=False, width=1000, allow_unicode=True)


def package_schema() -> dict[str, Any]:
    """Return the schema of the package for other languages ("Pulumi Package schema").

    Every argument is optional and plain: like a setting, its value has to be known before the deployment.
    """
    outputs = {
        camel_case(name): {**_TYPES[kind], "description": description}
        for name, (kind, description) in BillE.OUTPUTS.items()
    }
    return {
        "name": PACKAGE,
        "displayName": "Bill-E",
        "version": BillE.VERSION,
        "description": DESCRIPTION,
        "resources": {
            BillE.TYPE: {
                "isComponent": True,
                "description": BillE.DESCRIPTION,
                "inputProperties": {key: _argument(field) for key, field in SETTINGS.items()},
                "properties": outputs,
                "required": sorted(outputs),
            }
        },
        "language": {
            name: {"respectSchemaVersion": True} for name in ("csharp", "go", "java", "nodejs", "python")
        },
    }


def settings_page() -> str:
    """Return docs/settings.md: a table for each class of settings, under the first line of its docstring."""
    page = PAGE
    for part in reversed(StackSettings.__mro__):
        own = vars(part).get("__annotations__", ())
        if rows := [_row(key, field) for key, field in SETTINGS.items() if field.name in own]:
            title = str(part.__doc__).splitlines()[0].rstrip(".")
            head = "| setting | default | allowed | meaning |\n|---|---|---|---|"
            page += "\n".join(["", f"## {title}", "", head, *rows, ""])
    return page


def _row(key: str, field: Field[Any]) -> str:
    values = field.default if isinstance(field.default, tuple) else (field.default,)
    texts = (json.dumps(value).strip('"') for value in values)
    shown = ", ".join(f"`{text}`" for text in texts if text)
    return f"| `{key}` | {shown or 'none'} | {_allowed(field)} | {field.metadata['description']} |"


def _allowed(field: Field[Any]) -> str:
    return "; ".join(check.allowed for check in field.metadata["checks"]) or "true, false"


def _argument(field: Field[Any]) -> dict[str, Any]:
    argument = {**_TYPES[type(field.default)], "plain": True, "description": _described(field)}
    if isinstance(field.default, tuple):
        # In a schema, lists can't have defaults.
        argument["description"] += f" (default: {', '.join(field.default) or 'none'})"
        return argument
    return {**argument, "default": field.default}


def _described(field: Field[Any]) -> str:
    """Return the description of a setting, and for a number the limits."""
    description = str(field.metadata["description"])
    return f"{description}: {_allowed(field)}" if type(field.default) is int else description
