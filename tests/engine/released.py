"""A stack of an earlier release, rebuilt on an embedded AWS from its state."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pulumi

from local.property_values import plain
from local.provider import provider
from tests.engine.stacks import Stack

STATES = Path(__file__).parent / "states"

NAMES = {
    "aws:lambda/permission:Permission": "statementId",
    "aws:s3/bucket:Bucket": "bucket",
}
"""The property that holds a resource's own name, where it isn't called ``name``."""

SHORTEST = 8
"""Shorter texts, such as a version, mean different things in different places: they are never replaced."""

CODE = pulumi.AssetArchive({"functions/__init__.py": pulumi.StringAsset("# of an earlier release\n")})


def recreate(stack: Stack, name: str) -> dict[str, Any]:
    """Make every resource of the state again, under its own name, and let the stack know of them all.

    What AWS decides, such as the id of an API, differs: it is replaced throughout the state.
    """
    text = (STATES / f"{name}.json").read_text()
    old_endpoint = json.loads(text)["deployment"]["resources"][0]["outputs"]["queue_url"].rsplit("/", 2)[0]
    text = text.replace(old_endpoint, stack.engine.emulator.endpoint_url)
    for index in range(len(json.loads(text)["deployment"]["resources"])):
        state = json.loads(text)
        resource = state["deployment"]["resources"][index]
        if resource["type"].startswith("aws:"):
            for old, new in _make(stack, resource).items():
                text = text.replace(json.dumps(old)[1:-1], json.dumps(new)[1:-1])
    state = json.loads(text)
    stack.load(state)
    return dict(state)


def _make(stack: Stack, resource: dict[str, Any]) -> dict[str, str]:
    """Make one resource; return the texts that are others now."""
    outputs, inputs = resource["outputs"], plain(resource["inputs"])
    own_name = NAMES.get(resource["type"], "name")
    if own_name in outputs and own_name in provider.RESOURCE_TYPES[resource["type"]].properties:
        inputs[own_name] = outputs[own_name]
        inputs.pop("namePrefix", None)
    if "code" in inputs:
        inputs["code"] = CODE
    logical_name = resource["urn"].rpartition("::")[2]
    made = provider.create(stack.engine.aws, resource["type"], logical_name, inputs)
    pairs = {resource["id"]: made.id, **{outputs.get(key): value for key, value in made.outputs.items()}}
    return {
        old: new
        for old, new in pairs.items()
        if isinstance(old, str) and isinstance(new, str) and old != new and len(old) >= SHORTEST
    }
