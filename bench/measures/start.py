"""Start: initialisation time and package size.

Every figure is from a fresh interpreter, with {scale.start_runs} runs of each start, in turn. The figures are
medians: of CPU time, since imports wait for nothing, and of its ratio to the minimum in each run. The minimum
is `import boto3` and making the same clients. The path is as on Lambda: the function's archive and its layer,
both as sources on a file system without bytecode, then boto3 with its bytecode.
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

from bench.contestants import BILL_E, ENVIRONMENT, Bench, batch
from bench.results import Aim, Count, FigureTable, Findings
from bench.scale import Scale
from tests.components.mocks import REPOSITORY
from tests.components.programs import deployed

SITE_PACKAGES = Path(sysconfig.get_path("purelib"))
LEAST_BOTH = "import boto3; boto3.client('s3'); boto3.client('dynamodb')"
LEAST_DYNAMODB = "import boto3; boto3.client('dynamodb')"
READER = "functions.reader.handler"
TIMED = """
import sys, time
started = time.process_time()
exec(sys.argv[1])
print(time.process_time() - started)
"""
"""Prints the CPU seconds that some code took, which pays for its own imports."""


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
        kilobytes = {name: sum(map(_bytes, start.path)) / 1000 for name, start in starts.items()}
        runs = [
            {name: _milliseconds(start) for name, start in (least | starts).items()}
            for _ in range(scale.start_runs)
        ]
    # Run by run, since a machine may be slower for some of them.
    share = {
        name: statistics.median(run[name] / run[start.least] for run in runs)
        for name, start in starts.items()
    }
    yield FigureTable(
        {
            name: {
                "init, relative to the minimum": f"{share[name]:.2f}",
                "CPU": f"{statistics.median(run[name] for run in runs):.0f} ms",
                "archive + layer, unpacked": f"{kilobytes[name]:.0f} KB",
            }
            for name in starts
        }
    )
    for name in starts:
        if name.startswith(BILL_E.name):
            yield Aim(f"{name}: init time, relative to the minimum", share[name], 1.25)
    bench.reset()
    event = batch(*bench.store_new(1))
    warm: dict[str, Callable[[], object]] = {
        BILL_E.name: lambda: bench.run(BILL_E, event),
        "Bill-E, reader": lambda: bench.get_receipts(READER, ""),
    }
    for name, invoke in warm.items():
        yield Count(f"{name}: clients made in a warm invocation", str(_clients_made(invoke)), "0")


def _starts(folder: Path) -> dict[str, Start]:
    """Lay out what Lambda unpacks: archives of sources, and the layer."""
    graph = deployed("dev", alarmEmail="operators@example.com")
    layer = folder / "layer"
    with zipfile.ZipFile(graph.only("aws:lambda/layerVersion:LayerVersion").inputs["code"].path) as archive:
        archive.extractall(layer)
    archives = {
        function.inputs["handler"].removesuffix(".handle"): function.inputs["code"].assets
        for function in graph.of_type("aws:lambda/function:Function")
    }

    def ours(handler: str, *layers: Path, least: str = LEAST_BOTH) -> Start:
        archive = _unpacked(REPOSITORY, archives[handler], folder / handler)
        return Start(code=f"import {handler}", least=least, path=(archive, *layers))

    def baseline(name: str) -> Path:
        return _unpacked(REPOSITORY / "bench" / "baselines", [f"{name}.py"], folder / name)

    library = [str(file) for file in metadata.files("aws-lambda-powertools") or () if file.suffix == ".py"]
    powertools = _unpacked(SITE_PACKAGES, library, folder / "powertools")
    return {
        # Its clients are made in the first invocation, which is just as cold.
        "naive": Start(code=f"import naive; {LEAST_BOTH}", path=(baseline("naive"),)),
        "idempotency": Start(code="import idempotency", path=(baseline("idempotency"), powertools)),
        "Bill-E, processor": ours("functions.processor.handler", layer / "python"),
        "Bill-E, reader": ours(READER, least=LEAST_DYNAMODB),
        "Bill-E, file links": ours("functions.file_links.handler"),
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


def _milliseconds(start: Start) -> float:
    """Return the CPU time that a start took."""
    ran = subprocess.run(
        # -S: no .pth files of this environment, which Lambda doesn't have. -P: nothing of the folder that
        # this runs in, which would hide the archive.
        [sys.executable, "-S", "-P", "-c", TIMED, start.code],
        env={
            **ENVIRONMENT,
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": os.pathsep.join(map(str, (*start.path, SITE_PACKAGES))),
        },
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(ran.stdout) * 1000


def _clients_made(invoke: Callable[[], object]) -> int:
    """Invoke twice, and count the clients that are made the second time."""
    invoke()
    with mock.patch.object(
        Session, "create_client", autospec=True, side_effect=Session.create_client
    ) as made:
        invoke()
    return made.call_count
