"""What the program registers with given settings, told by Pulumi's mocks in a process of its own."""

from __future__ import annotations

import asyncio
import json
import runpy
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pulumi.runtime
from pulumi.runtime import settings, stack

REPOSITORY = Path(__file__).resolve().parent.parent
REGION, ACCOUNT = "us-east-1", "123456789012"


@dataclass(kw_only=True)
class Registered:
    """The types of all resources, the files in the archive of each handler, and the archives of layers."""

    types: list[str] = field(default_factory=list)
    files: dict[str, list[str]] = field(default_factory=dict)
    layers: list[str] = field(default_factory=list)


def registered(configs: Iterable[Mapping[str, str]]) -> Sequence[Registered]:
    """Run the program once with each of these settings."""
    ran = subprocess.run(
        [sys.executable, "-m", "bench.program_graph"],
        cwd=REPOSITORY,
        input=json.dumps([*configs]),
        capture_output=True,
        text=True,
        check=True,
    )
    return [Registered(**each) for each in json.loads(ran.stdout)]


class _Mocks(pulumi.runtime.Mocks):
    """Notes what is registered, and answers with every output that the program reads, whatever the type."""

    def __init__(self) -> None:
        self.registered = Registered()

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        if not args.custom:
            return "", {}
        self.registered.types.append(args.typ)
        code = args.inputs.get("code")
        if isinstance(code, pulumi.AssetArchive):
            self.registered.files[args.inputs["handler"]] = sorted(code.assets)
        elif isinstance(code, pulumi.FileArchive):
            self.registered.layers.append(code.path)
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


def _register(config: dict[str, str]) -> Registered:
    async def program() -> None:
        runpy.run_path(str(REPOSITORY / "__main__.py"), run_name="__main__")

    mocks, loop = _Mocks(), asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        pulumi.runtime.set_mocks(mocks, "bill-e", "bench", preview=False)
        pulumi.runtime.set_all_config(config)
        loop.run_until_complete(stack.run_pulumi_func(program))
    finally:
        loop.close()
        settings.reset_options()
    return mocks.registered


if __name__ == "__main__":
    json.dump([asdict(_register(config)) for config in json.load(sys.stdin)], sys.stdout)
