"""The program: from nothing to the demo's ledger.

Seconds by the clock of whole runs of the demo, for context: the cold one in a new copy of the repository,
without bytecode and without the layer, so that pip fetches the layer's packages too, and the warm one after
it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.contestants import Bench
from bench.program_graph import REPOSITORY
from bench.results import Findings, Table
from bench.scale import Scale

NOT_COPIED = (".git", ".venv", ".build", ".local", ".*_cache", "__pycache__", "*.egg-info")


def measure(_bench: Bench, _scale: Scale) -> Findings:
    """Run the demo in a new copy of the repository, twice."""
    with tempfile.TemporaryDirectory(prefix="bench-demo-") as folder:
        copy = Path(folder, "bill-e")
        shutil.copytree(REPOSITORY, copy, ignore=shutil.ignore_patterns(*NOT_COPIED))
        rows = {f"the demo, {state}": [f"{_demo(copy):.1f}"] for state in ("cold", "warm")}
    return Findings(tables=[Table(columns=["", "seconds"], rows=rows)])


def _demo(copy: Path) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "local", "demo"], cwd=copy, capture_output=True, check=True)
    return time.perf_counter() - started
