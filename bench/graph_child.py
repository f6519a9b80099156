"""One process of the idle measure: registers the program with Pulumi's mocks, and counts its resources.

It reads a list of ``{"stack": name, "config": {key: text}}`` from stdin, and prints for each of them how many
resources of each type there are, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import runpy
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pulumi
import pulumi.runtime
from pulumi.runtime import settings, stack

PROGRAM = Path(__file__).resolve().parent.parent / "__main__.py"
REGION, ACCOUNT = "us-east-1", "123456789012"


def main() -> None:
    """Run the program once for each entry of the list."""
    json.dump([_resource_types(**each) for each in json.load(sys.stdin)], sys.stdout)


def _resource_types(stack: str, config: dict[str, str]) -> dict[str, int]:
    registered = _Registered()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        pulumi.runtime.set_mocks(registered, "bill-e", stack, preview=False)
        pulumi.runtime.set_all_config(config)
        loop.run_until_complete(_run())
    finally:
        loop.close()
        settings.reset_options()
    return dict(registered.types)


async def _run() -> None:
    async def program() -> None:
        runpy.run_path(str(PROGRAM), run_name="__main__")

    await stack.run_pulumi_func(program)


class _Registered(pulumi.runtime.Mocks):
    """Counts what is registered, and answers with every output that the program reads, whatever the type."""

    def __init__(self) -> None:
        self.types: Counter[str] = Counter()

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        if not args.custom:
            return "", {}
        self.types[args.typ] += 1
        arn = f"arn:aws:any:{REGION}:{ACCOUNT}:{args.name}"
        names = dict.fromkeys(("bucket", "keyId", "name", "url", "apiEndpoint", "invokeUrl"), args.name)
        return args.name, {**names, "arn": arn, "executionArn": arn, **args.inputs}

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        known = {
            "aws:index/getCallerIdentity:getCallerIdentity": {"accountId": ACCOUNT},
            "aws:index/getPartition:getPartition": {"partition": "aws", "dnsSuffix": "amazonaws.com"},
            "aws:index/getRegion:getRegion": {"region": REGION},
        }
        return known[args.token], []


if __name__ == "__main__":
    main()
