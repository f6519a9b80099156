"""Resource types: what a row of the provider's table holds, and what rows are made of."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local import LocalError
from local.aws import Aws

Inputs = Mapping[str, Any]
"""The inputs of a resource as the program registers them: camelCase keys, values resolved."""

Shape = Mapping[str, "Shape | None"]
"""The properties that may be given, each with its own shape, or ``None`` if it takes any value."""

ANY = object()
"""As a default: if the program doesn't give the property, AWS or another resource decides on it."""


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
    update: Callable[[Aws, Change], Mapping[str, Any]]
    delete: Callable[[Aws, Existing], None]
    replaces: frozenset[str]
    defaults: Mapping[str, Any] = field(default_factory=dict)


def configuration(
    of: str,
    properties: Shape,
    put: Callable[[Aws, str, Inputs], None],
    get: Callable[[Aws, str, Inputs], Inputs | None],
    remove: Callable[[Aws, str], None],
    *,
    defaults: Mapping[str, Any] | None = None,
) -> ResourceType:
    """Build the type of a configuration, which one call puts as a whole.

    It belongs to the resource that the property ``of`` names, and shares its id. ``put`` takes the logical
    name and the inputs; ``get`` takes that id and the inputs last applied; ``remove`` takes the id.
    """

    def create(aws: Aws, name: str, inputs: Inputs) -> Created:
        put(aws, name, inputs)
        return Created(id=inputs[of])

    def read(aws: Aws, resource: Existing) -> Inputs | None:
        return get(aws, resource.id, resource.inputs)

    def update(aws: Aws, change: Change) -> Mapping[str, Any]:
        put(aws, change.name, change.inputs)
        return {}

    def delete(aws: Aws, resource: Existing) -> None:
        remove(aws, resource.id)

    return ResourceType(
        properties={of: None, **properties},
        create=create,
        read=read,
        update=update,
        delete=delete,
        replaces=frozenset({of}),
        defaults=defaults or {},
    )


@contextlib.contextmanager
def undone_on_failure(undo: Callable[[], object]) -> Iterator[None]:
    """Call ``undo`` if the rest of a creation fails, and raise the first error in any case."""
    try:
        yield
    except Exception:
        with contextlib.suppress(BotoCoreError, ClientError, LocalError):
            undo()
        raise


def never_updated(_aws: Aws, change: Change) -> Mapping[str, Any]:
    """Update nothing: a change of anything that AWS holds forces a replacement."""
    del change
    return {}


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


def pascal(value: Any) -> Any:
    """Spell the keys of an input as AWS APIs do, at every depth: ``maxAgeSeconds`` as ``MaxAgeSeconds``."""
    if isinstance(value, Mapping):
        return {name[0].upper() + name[1:]: pascal(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [pascal(item) for item in value]
    return value


def camel(value: Any, shape: Shape | None) -> Any:
    """Spell what AWS returns as an input, with only the properties of ``shape``: the opposite of `pascal`."""
    if shape is None:
        return value
    if isinstance(value, Mapping):
        return {name: camel(value.get(name[0].upper() + name[1:]), nested) for name, nested in shape.items()}
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


def update_tags(
    change: Change,
    tag: Callable[..., object],
    untag: Callable[..., object],
    *,
    spell: Callable[[dict[str, str]], Any] = dict,
    names: tuple[str, str] = ("Tags", "TagKeys"),
    **resource: str,
) -> None:
    """Call ``tag`` for the tags that are new or have another value, and ``untag`` for the keys that go.

    Both calls take ``resource``, and the tags and the keys by ``names``; ``spell`` writes the tags.
    """
    if "tags" not in change.different:
        return
    old, new = change.resource.inputs.get("tags") or {}, change.inputs.get("tags") or {}
    if gone := sorted(set(old) - set(new)):
        untag(**resource, **{names[1]: gone})
    if put := {key: value for key, value in new.items() if old.get(key) != value}:
        tag(**resource, **{names[0]: spell(put)})


def policy_text(policy: Any) -> str:
    """Write a policy as JSON; refuse a null in it, since that is an output that nobody set."""
    document = json.loads(policy) if isinstance(policy, str) else policy
    for path in _nulls(document):
        raise LocalError(f"its policy has no value at {path}: an output is missing")
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
