"""What the types of several services do alike."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local import LocalError
from local.aws import Aws
from local.provider.resource_types import Change, Created, Inputs, ResourceType, Shape


def configuration(
    of: str,
    properties: Shape,
    put: Callable[[Aws, str, Inputs], object],
    get: Callable[[Aws, str, Inputs], Inputs | None],
    remove: Callable[[Aws, str], object],
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

    def update(aws: Aws, change: Change) -> None:
        put(aws, change.name, change.inputs)

    return ResourceType(
        properties={of: None, **properties},
        create=create,
        read=lambda aws, resource: get(aws, resource.id, resource.inputs),
        update=update,
        delete=lambda aws, resource: remove(aws, resource.id),
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


def never_updated(_aws: Aws, _change: Change) -> None:
    """Update nothing: a change of anything that AWS holds forces a replacement."""


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
