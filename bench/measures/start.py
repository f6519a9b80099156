"""Start: initialisation time and package size.

Every figure is from a fresh interpreter, {scale.start_runs} runs of each, in turn. The figures are medians:
of CPU time, since imports wait for nothing, and of its ratio in each run. The path is as in Lambda: the
function's archive and its layer, both as sources on a file system that keeps no bytecode, then boto3 with its
bytecode. The least is `import boto3` and the same clients.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from unittest import mock

from botocore.session import Session

from bench.contestants import BILL_E, CONTESTANTS, ENVIRONMENT, Bench, Contestant, batch
from bench.program_graph import REPOSITORY, registered
from bench.results import Aim, Count, Findings, Table
from bench.scale import Scale

SITE_PACKAGES = Path(sysconfig.get_path("purelib"))
LEAST_BOTH = "import boto3; boto3.client('s3'); boto3.client('dynamodb')"
LEAST_DYNAMODB = "import boto3; boto3.client('dynamodb')"
READER = "Bill-E, reader"
TIMED = """
import sys, time
started, started_cpu = time.perf_counter(), time.process_time()
exec(sys.argv[1])
print(time.process_time() - started_cpu, time.perf_counter() - started)
"""
"""Prints the seconds of CPU and by the clock that some code took, which pays for its own imports."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """A start to time: the code of the initialisation, its least possible, and the folders on its path."""

    code: str
    least: str = LEAST_BOTH
    path: tuple[Path, ...] = ()


def measure(bench: Bench, scale: Scale) -> Findings:
    """Start a fresh interpreter for every figure, all starts in turn, run after run."""
    least = {code: Start(code=code) for code in (LEAST_BOTH, LEAST_DYNAMODB)}
    with tempfile.TemporaryDirectory(prefix="bench-start-") as folder:
        starts = _starts(Path(folder))
        sizes = {name: sum(map(_bytes, start.path)) for name, start in starts.items()}
        runs = [
            {name: _run(start) for name, start in (least | starts).items()} for _ in range(scale.start_runs)
        ]
    # Run by run, since a machine may be slower for some of them.
    share = {
        name: statistics.median(run[name][0] / run[start.least][0] for run in runs)
        for name, start in starts.items()
    }
    made = {each.name: _clients_made_when_warm(bench, each) for each in CONTESTANTS}
    made[READER] = _clients_made(lambda: bench.get_receipts("functions.reader.handler", ""))
    return Findings(
        tables=[
            Table(
                columns=["", "init, of the least", "CPU", "by the clock", "archive + layer, unpacked"],
                rows={
                    name: [
                        f"{share[name]:.2f}",
                        *(
                            f"{statistics.median(run[name][which] for run in runs):.0f} ms"
                            for which in (0, 1)
                        ),
                        f"{size / 1000:.0f} KB",
                    ]
                    for name, size in sizes.items()
                },
            ),
            Table(
                caption="Clients made in a warm invocation",
                columns=["", *made],
                rows={"clients": [*map(str, made.values())]},
            ),
        ],
        aims=[
            Aim(f"{name}: init time, of the least", share[name], 1.25)
            for name in share
            if name.startswith(BILL_E.name)
        ],
        counts=[
            Count(f"{name}: clients made in a warm invocation", str(made[name]), "0")
            for name in (BILL_E.name, READER)
        ],
    )


def _starts(folder: Path) -> dict[str, Start]:
    """Lay out what Lambda unpacks: archives of sources, and the layer."""
    (graph,) = registered([{}])
    with zipfile.ZipFile(graph.layers[0]) as archive:
        archive.extractall(folder / "layer")
    archives = {
        handler.removesuffix(".handle"): _unpacked(REPOSITORY, files, folder / handler)
        for handler, files in graph.files.items()
    }
    baselines = {
        name: _unpacked(REPOSITORY / "bench" / "baselines", [f"{name}.py"], folder / name)
        for name in ("naive", "idempotency")
    }
    library = [str(file) for file in metadata.files("aws-lambda-powertools") or () if file.suffix == ".py"]
    powertools = _unpacked(SITE_PACKAGES, library, folder / "powertools")

    def ours(handler: str, *layers: Path, least: str = LEAST_BOTH) -> Start:
        return Start(code=f"import {handler}", least=least, path=(archives[handler], *layers))

    return {
        # Its clients are made in the first invocation, which is just as cold.
        "naive": Start(code=f"import naive; {LEAST_BOTH}", path=(baselines["naive"],)),
        "idempotency": Start(code="import idempotency", path=(baselines["idempotency"], powertools)),
        "Bill-E, processor": ours("functions.processor.handler", folder / "layer" / "python"),
        READER: ours("functions.reader.handler", least=LEAST_DYNAMODB),
        "Bill-E, upload forms": ours("functions.upload_forms.handler"),
    }


def _unpacked(root: Path, files: Iterable[str], target: Path) -> Path:
    """Copy files from below a folder to the same places below another."""
    for file in files:
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / file, target / file)
    return target


def _bytes(package: Path) -> int:
    return sum(file.stat().st_size for file in package.rglob("*") if file.is_file())


def _run(start: Start) -> list[float]:
    """Return the milliseconds that a start took: of CPU, and by the clock."""
    ran = subprocess.run(
        # -S: no .pth files of this environment, which Lambda doesn't have.
        [sys.executable, "-S", "-c", TIMED, start.code],
        env={
            **ENVIRONMENT,
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": os.pathsep.join(map(str, (*start.path, SITE_PACKAGES))),
        },
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [float(seconds) * 1000 for seconds in ran.stdout.split()]


def _clients_made_when_warm(bench: Bench, contestant: Contestant) -> int:
    bench.reset()
    event = batch(bench.store_new([0], 1000))
    return _clients_made(lambda: bench.run(contestant, event))


def _clients_made(invoke: Callable[[], object]) -> int:
    """Invoke twice, and count the clients that are made the second time."""
    invoke()
    with mock.patch.object(
        Session, "create_client", autospec=True, side_effect=Session.create_client
    ) as made:
        invoke()
    return made.call_count
