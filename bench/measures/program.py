"""The program itself: building its graph, deploying it, and the demo, as whole processes."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.packages import REPOSITORY
from bench.program_child import PHASES
from bench.results import Result, Table
from bench.scale import Scale

NOT_COPIED = shutil.ignore_patterns(
    ".git", ".venv", ".build", ".local", ".*_cache", "__pycache__", "*.egg-info"
)


def measure(scale: Scale) -> Result:
    """Deploy in new processes, and run the demo in a new copy of the repository, twice."""
    deployments = [_deploy() for _ in range(scale.deploy_runs)]
    cold, warm = _demos()
    phases = {phase: statistics.median(each[phase] for each in deployments) for phase in PHASES}
    return Result(
        name="program",
        title="The program: graph, deployment, demo",
        method=(
            f"Seconds by the clock, for context; medians of {scale.deploy_runs} processes. The graph is "
            "built again, in the same process, with every resource's outputs known: Pulumi's and the "
            "program's own time. Each demo is one run: the cold one in a new copy of the repository, where "
            "no bytecode and no layer is there yet, so that pip fetches the layer's packages, too; the warm "
            "one after it."
        ),
        tables=[
            Table(
                columns=["", "seconds"],
                rows=[
                    ["start the emulator", f"{phases['emulator']:.1f}"],
                    ["import Pulumi and its AWS provider", f"{phases['imports']:.1f}"],
                    [f"deploy {deployments[0]['resources']:.0f} resources", f"{phases['deploy']:.1f}"],
                    ["build the same graph without any call", f"{phases['graph']:.1f}"],
                    ["the demo, cold", f"{cold:.1f}"],
                    ["the demo, warm", f"{warm:.1f}"],
                ],
            )
        ],
    )


def _deploy() -> dict[str, float]:
    ran = subprocess.run(
        [sys.executable, "-m", "bench.program_child"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    seconds: dict[str, float] = json.loads(ran.stdout)
    return seconds


def _demos() -> tuple[float, float]:
    with tempfile.TemporaryDirectory(prefix="bench-demo-") as folder:
        copy = Path(folder, "bill-e")
        shutil.copytree(REPOSITORY, copy, ignore=NOT_COPIED)
        return _demo(copy), _demo(copy)


def _demo(copy: Path) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "local", "demo"], cwd=copy, capture_output=True, check=True)
    return time.perf_counter() - started
