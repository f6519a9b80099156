"""Policy documents: statements, and the values that have to be known before a statement can be built."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import pulumi

Statement: TypeAlias = dict[str, Any]
Policy: TypeAlias = dict[str, Any]
Condition: TypeAlias = dict[str, dict[str, Any]]


def allow(
    sid: str,
    action: str | list[str],
    resource: str | list[str],
    condition: Condition | None = None,
    *,
    principal: dict[str, str] | None = None,
) -> Statement:
    """Make a statement. Those in the policy of a resource need a principal."""
    return {
        "Sid": sid,
        "Effect": "Allow",
        **({"Principal": principal} if principal else {}),
        "Action": action,
        "Resource": resource,
        **({"Condition": condition} if condition else {}),
    }


def document(*statements: Statement) -> Policy:
    """Make a document of statements."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def resolve(
    build: Callable[..., list[Statement]],
    **values: pulumi.Input[str] | pulumi.Output[dict[str, str]] | Sequence[str] | int,
) -> pulumi.Output[list[Statement]]:
    """Call `build` with the values once they are known. Raises ValueError if one of them is None.

    AWS would ignore a null in a policy, which would then say less, or refuse the policy without naming it.
    """

    def call(known: dict[str, Any]) -> list[Statement]:
        missing = sorted(name for name, value in known.items() if value is None)
        if missing:
            raise ValueError(f"{build.__name__}: no value for {', '.join(missing)}")
        return build(**known)

    return pulumi.Output.all(**values).apply(call)


def to_json(*statements: pulumi.Input[list[Statement]]) -> pulumi.Output[str]:
    """Write lists of statements as one document in JSON."""
    lists: pulumi.Output[Sequence[list[Statement]]] = pulumi.Output.all(*statements)
    return pulumi.Output.json_dumps(
        lists.apply(lambda known: document(*(s for group in known for s in group)))
    )
