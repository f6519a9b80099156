"""Graphs that break a rule: what a program would register if something had been forgotten or changed.

A sabotage takes a graph and yields one damaged copy for each place that it can damage, named after the place.
This finds rules that only look at the first bucket, as well as rules that look at nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.components.mocks import Graph, Registered

REMOVED = object()
"""As a value: the property is left out."""

Damage = Callable[[Graph], Iterator[tuple[str, Graph]]]


@dataclass(frozen=True, kw_only=True)
class Sabotage:
    label: str
    damage: Damage


def without(type_: str) -> Sabotage:
    """Leave a resource of a type out."""

    def damage(graph: Graph) -> Iterator[tuple[str, Graph]]:
        for victim in graph.of_type(type_):
            rest = tuple(resource for resource in graph.resources if resource is not victim)
            yield victim.name, replace(graph, resources=rest)

    return Sabotage(label=f"without {_short(type_)}", damage=damage)


def with_input(type_: str, path: str, value: object, *, where: str = "") -> Sabotage:
    """Change one input of a resource, given as ``rules.0.id``, where the resource's name holds `where`.

    A resource that doesn't have the input, or has this value, is passed over.
    """
    return _with_input(type_, path, value, where, is_there=True)


def with_new_input(type_: str, path: str, value: object) -> Sabotage:
    """Give a resource an input that it doesn't have; what the input would be in has to be there."""
    return _with_input(type_, path, value, "", is_there=False)


def with_statement(type_: str, sid: str, key: str, value: object, *, policy: str = "policy") -> Sabotage:
    """Change one member of the statements with a Sid, in the policies of a type."""

    def change(statements: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            _changed(statement, [key], value) if statement["Sid"] == sid else statement
            for statement in statements
        ]

    return _with_policy(type_, policy, change, f"{sid} {key} {_said(value)}")


def without_statement(type_: str, sid: str) -> Sabotage:
    """Take the statements with a Sid out of the policies of a type."""

    def change(statements: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [statement for statement in statements if statement["Sid"] != sid]

    return _with_policy(type_, "policy", change, f"without {sid}")


def with_further_statement(type_: str, label: str, **statement: object) -> Sabotage:
    """Add a statement to the policies of a type."""

    def change(statements: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [*statements, {"Sid": "Further", "Effect": "Allow", **statement}]

    return _with_policy(type_, "policy", change, label)


def with_exported_statement(label: str, **statement: object) -> Sabotage:
    """Add a statement to the policies that the stack exports."""

    def damage(graph: Graph) -> Iterator[tuple[str, Graph]]:
        for name, value in graph.exports.items():
            if name.endswith("_policy"):
                document = json.loads(value)
                further = {"Sid": "Further", "Effect": "Allow", **statement}
                text = json.dumps({**document, "Statement": [*document["Statement"], further]})
                yield name, replace(graph, exports={**graph.exports, name: text})

    return Sabotage(label=f"export {label}", damage=damage)


def with_resource(type_: str, label: str = "", **inputs: object) -> Sabotage:
    """Add a resource that nobody asked for."""

    def damage(graph: Graph) -> Iterator[tuple[str, Graph]]:
        like = next(resource for resource in graph.resources if resource.custom)
        further = replace(like, type=type_, name="further", inputs=dict(inputs), outputs=dict(inputs))
        yield "further", replace(graph, resources=(*graph.resources, further))

    return Sabotage(label=f"further {label or _short(type_)}", damage=damage)


def without_retention(type_: str) -> Sabotage:
    """Let a resource of a type be deleted in AWS when it goes from the program."""

    def damage(graph: Graph) -> Iterator[tuple[str, Graph]]:
        for victim in graph.of_type(type_):
            if victim.retain_on_delete:
                yield victim.name, _put_in_place(graph, victim, replace(victim, retain_on_delete=False))

    return Sabotage(label=f"{_short(type_)} not retained", damage=damage)


def _with_input(type_: str, path: str, value: object, where: str, *, is_there: bool) -> Sabotage:
    *outer, last = path.split(".")

    def damage(graph: Graph) -> Iterator[tuple[str, Graph]]:
        for victim in graph.of_type(type_):
            holder = _at(victim.inputs, outer)
            if (
                where not in victim.name
                or holder is None
                or (_at(holder, [last]) is not None) is not is_there
            ):
                continue
            inputs = _changed(victim.inputs, [*outer, last], value)
            if inputs != victim.inputs:
                yield victim.name, _exchanged(graph, victim, inputs)

    return Sabotage(label=f"{_short(type_)} {path} {_said(value)}", damage=damage)


def _with_policy(
    type_: str, policy: str, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]], label: str
) -> Sabotage:
    def damage(graph: Graph) -> Iterator[tuple[str, Graph]]:
        for victim in graph.of_type(type_):
            document = json.loads(victim.inputs[policy])
            statements = change(document["Statement"])
            if statements != document["Statement"]:
                text = json.dumps({**document, "Statement": statements})
                yield victim.name, _exchanged(graph, victim, {**victim.inputs, policy: text})

    return Sabotage(label=f"{_short(type_)} {label}", damage=damage)


def _exchanged(graph: Graph, victim: Registered, inputs: Mapping[str, Any]) -> Graph:
    return _put_in_place(graph, victim, replace(victim, inputs=dict(inputs)))


def _put_in_place(graph: Graph, victim: Registered, damaged: Registered) -> Graph:
    resources = tuple(damaged if resource is victim else resource for resource in graph.resources)
    return replace(graph, resources=resources)


def _at(value: Any, path: Sequence[str]) -> Any:
    """What is at a path, or None."""
    for step in path:
        try:
            value = value[int(step) if isinstance(value, list) else step]
        except (IndexError, KeyError):
            return None
    return value


def _changed(value: Any, path: Sequence[str], wanted: object) -> Any:
    """Copy a value with one place in it changed."""
    step, *rest = path
    place: Any = int(step) if isinstance(value, list) else step
    copy = value.copy()
    if rest:
        copy[place] = _changed(value[place], rest, wanted)
    elif wanted is REMOVED:
        del copy[place]
    else:
        copy[place] = wanted
    return copy


def _short(type_: str) -> str:
    return type_.split(":")[-1]


def _said(value: object) -> str:
    return "removed" if value is REMOVED else f"is {json.dumps(value)}"
