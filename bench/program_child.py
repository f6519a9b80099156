"""One process of the program measure: deploys the program, and prints seconds by phase, as JSON."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from typing import Any
from unittest import mock

PHASES = ("emulator", "imports", "deploy", "graph")


def main() -> None:
    """Start an emulator, import, deploy, then build the graph again from the outputs of every resource."""
    from local.emulator import running_emulator

    marks = [time.perf_counter()]
    with running_emulator() as emulator:
        marks.append(time.perf_counter())
        import pulumi_aws as aws

        from local import program, provider

        _ = aws.lambda_.Function  # the provider's modules are loaded on first use
        marks.append(time.perf_counter())
        made: dict[tuple[str, str], Any] = {}
        create = provider.create

        def recording(aws: Any, kind: str, name: str, inputs: Any) -> Any:
            made[kind, name] = create(aws, kind, name, inputs)
            return made[kind, name]

        with mock.patch.object(provider, "create", recording):
            program.deploy(emulator.operator)
        marks.append(time.perf_counter())
        with mock.patch.object(provider, "create", lambda _aws, kind, name, _inputs: made[kind, name]):
            program.deploy(emulator.operator)
        marks.append(time.perf_counter())
    seconds = [end - start for start, end in pairwise(marks)]
    print(json.dumps({"resources": len(made), **dict(zip(PHASES, seconds, strict=True))}))  # noqa: T201


if __name__ == "__main__":
    main()
