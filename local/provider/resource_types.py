"""Resource types: a row of the provider's table, and the parts that rows are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from local.aws import Aws

Inputs = Mapping[str, Any]
"""The inputs of a resource as the program registers them: camelCase keys, values resolved."""

Shape = Mapping[str, "Shape | None"]
"""The properties that may be given, each with its own shape, or ``None`` if it takes any value."""

ANY = object()
"""The default of a property on which AWS or another resource decides if the program doesn't set it."""


@dataclass(frozen=True, kw_only=True)
class Created:
    """A new resource: its id, and the outputs that AWS decided on in addition to the inputs."""

    id: str
    outputs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Existing:
    """A resource that was made earlier: its id, the inputs that were last applied, and its whole state.

    ``outputs`` holds inputs and outputs together, as Pulumi's state does.
    """

    id: str
    inputs: Inputs
    outputs: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Change:
    """An update in place.

    ``different`` holds the properties of ``inputs`` that differ from those last applied. A property that the
    program no longer gives has its default there, and is left out if AWS decides on it (`ANY`).
    """

    name: str
    resource: Existing
    inputs: Inputs
    different: Inputs


@dataclass(frozen=True, kw_only=True)
class ResourceType:
    """One row of the provider's table.

    ``create`` takes the clients, the resource's logical name and its checked inputs. If it fails, it leaves
    nothing behind: Pulumi only knows of a resource whose creation has succeeded, and otherwise makes another
    one next time. If a call can fail once the resource exists, `undone_on_failure` deletes the resource.

    ``read`` returns the properties that can be read from AWS, each with AWS's value, or ``None`` if there is
    none. Properties that ``read`` doesn't return stay as they are. If the resource is gone, ``read`` returns
    ``None`` or lets AWS's own error through.

    ``update`` returns the outputs that AWS has changed, or ``None`` if there are none.

    ``defaults`` holds the values that AWS uses for properties that aren't given, at any depth.

    ``replaces`` names the properties that AWS cannot change on an existing resource. pulumi-aws 7 takes them
    from the schema of the Terraform provider that it is built on (``ForceNew``); its own docstrings mention
    replacement for layers only. These files of hashicorp/terraform-provider-aws, below ``internal/service``,
    were compared with the table, though not in the exact version that pulumi-aws is built on:

    - ``apigatewayv2/``: ``api.go``, ``authorizer.go``, ``integration.go``, ``route.go``, ``stage.go``
    - ``dynamodb/table.go``, ``iam/role.go``, ``kms/key.go``, ``logs/group.go``
    - ``lambda/``: ``event_source_mapping.go``, ``function.go``, ``layer_version.go``, ``permission.go``
    - ``sns/topic_subscription.go``, ``sqs/queue.go``

    The other types were not compared. AWS has no call that renames such a resource or gives it to another
    one. That a bucket is replaced for ``objectLockEnabled`` was not checked.
    """

    properties: Shape
    create: Callable[[Aws, str, Inputs], Created]
    read: Callable[[Aws, Existing], Inputs | None]
    update: Callable[[Aws, Change], Mapping[str, Any] | None]
    delete: Callable[[Aws, Existing], object]
    replaces: frozenset[str]
    defaults: Mapping[str, Any] = field(default_factory=dict)


def difference(resource: Existing, inputs: Inputs, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an update has to apply, as `Change.different` says."""
    different = {}
    for name in sorted({*resource.inputs, *inputs}):
        value = inputs.get(name)
        if value == resource.inputs.get(name):
            continue
        if value is not None:
            different[name] = value
        elif (default := defaults.get(name)) is not ANY:
            different[name] = _known(default)
    return different


def _known(default: Any) -> Any:
    if isinstance(default, Mapping):
        return {name: _known(value) for name, value in default.items() if value is not ANY}
    return default


def fields(*names: str, **nested: Shape) -> Shape:
    """Build a shape: ``names`` take any value; ``nested`` are objects of a shape, or lists of them."""
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
