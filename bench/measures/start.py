"""Cold start: what a function's initialisation takes beside the least it could, and what it makes later."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import botocore.session

from bench import start_child
from bench.contestants import BILL_E, CONTESTANTS, ENVIRONMENT, Bench, Contestant
from bench.events import Context, UploadedFile, http_get, sqs_batch
from bench.packages import (
    unpack_baseline,
    unpack_function,
    unpack_installed,
    unpack_layer,
    unpacked_bytes,
)
from bench.receipts import png
from bench.results import Aim, Count, Result, Table
from bench.scale import Scale
from bench.simulated_aws.s3 import StoredObject

LEAST_BOTH = "import boto3; boto3.client('s3'); boto3.client('dynamodb')"
LEAST_DYNAMODB = "import boto3; boto3.client('dynamodb')"
READER = "Bill-E, reader"
PROCESSOR = "import functions.processor.handler as handler; handler.shared_recorder()"


@dataclass(frozen=True, kw_only=True)
class Start:
    """A start to time: the code of the initialisation, what is on its path, and its least possible."""

    name: str
    code: str
    path: Sequence[Path] = ()
    least: str = LEAST_BOTH


def measure(bench: Bench, scale: Scale) -> Result:
    """Start a fresh interpreter for every figure, all starts in turn, run after run."""
    with tempfile.TemporaryDirectory(prefix="bench-start-") as folder:
        layer = unpack_layer(Path(folder))
        starts = _starts(Path(folder), layer)
        least = {code: Start(name=code, code=code) for code in (LEAST_BOTH, LEAST_DYNAMODB)}
        cpu: dict[str, list[float]] = {}
        wall: dict[str, list[float]] = {}
        for _ in range(scale.start_runs):
            for start in (*least.values(), *starts):
                seconds_cpu, seconds_wall = _run(start)
                cpu.setdefault(start.name, []).append(seconds_cpu)
                wall.setdefault(start.name, []).append(seconds_wall)
        sizes = {start.name: _size(start) for start in starts}
    median = {name: statistics.median(values) for name, values in cpu.items()}
    share = {
        # Run by run, since a machine may be slower for some of them.
        start.name: statistics.median(
            taken / least for taken, least in zip(cpu[start.name], cpu[start.least], strict=True)
        )
        for start in starts
    }
    made = {contestant.name: _clients_made_when_warm(bench, contestant) for contestant in CONTESTANTS}
    made[READER] = _clients_made_by_reader(bench)
    return Result(
        name="start",
        title="Start: initialisation time and package size",
        method=(
            f"A fresh interpreter for every figure, {scale.start_runs} runs of each, in turn; medians of "
            "CPU time, since imports wait for nothing, and of its ratio in each run. The path is as in "
            "Lambda: the function's archive and its layer, both source only and on a file system that keeps "
            "no bytecode, then boto3 with its bytecode. The least is `import boto3` and the same clients."
        ),
        tables=[
            Table(
                columns=[
                    "",
                    "init, of the least",
                    "CPU",
                    "by the clock",
                    "archive + layer, unpacked",
                ],
                rows=[
                    [
                        start.name,
                        f"{share[start.name]:.2f}",
                        f"{median[start.name] * 1000:.0f} ms",
                        f"{statistics.median(wall[start.name]) * 1000:.0f} ms",
                        sizes[start.name],
                    ]
                    for start in starts
                ],
            ),
            Table(
                caption="Clients made in a warm invocation",
                columns=["", *made],
                rows=[["clients", *(str(number) for number in made.values())]],
            ),
        ],
        aims=[
            Aim(text=f"{start.name}: init time, of the least", figure=share[start.name], limit=1.25)
            for start in starts
            if start.name.startswith(BILL_E.name)
        ],
        counts=[
            Count(
                text=f"{name}: clients made in a warm invocation",
                actual=str(made[name]),
                expected="0",
            )
            for name in (BILL_E.name, READER)
        ],
    )


def _starts(folder: Path, layer: Path) -> list[Start]:
    naive = unpack_baseline("naive", folder)
    idempotency = unpack_baseline("idempotency", folder)
    powertools = unpack_installed("aws-lambda-powertools", folder)
    functions = {name: unpack_function(name, folder) for name in ("processor", "reader", "uploads")}
    return [
        # Its clients are made in the first invocation, which is just as cold.
        Start(name="naive", code=f"import naive; {LEAST_BOTH}", path=[naive]),
        Start(name="idempotency", code="import idempotency", path=[idempotency, powertools]),
        Start(name="Bill-E, processor", code=PROCESSOR, path=[functions["processor"], layer]),
        Start(
            name=READER,
            code="import functions.reader.handler",
            path=[functions["reader"]],
            least=LEAST_DYNAMODB,
        ),
        Start(
            name="Bill-E, uploads",
            code="import functions.uploads.handler",
            path=[functions["uploads"]],
        ),
    ]


def _run(start: Start) -> tuple[float, float]:
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        **ENVIRONMENT,
        "UPLOADS_BUCKET": "uploads",
        "UPLOAD_PREFIX": "uploads/",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": os.pathsep.join([*(str(folder) for folder in start.path), _site_packages()]),
    }
    ran = subprocess.run(
        # -S: no .pth files of this environment, which Lambda doesn't have.
        [sys.executable, "-S", str(start_child.__file__), start.code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode != 0:
        raise RuntimeError(f"{start.name} doesn't start:\n{ran.stderr}")
    cpu, wall = ran.stdout.split()
    return float(cpu), float(wall)


def _site_packages() -> str:
    return sysconfig.get_paths()["purelib"]


def _size(start: Start) -> str:
    return f"{sum(unpacked_bytes(folder) for folder in start.path) / 1000:.0f} KB"


def _clients_made_when_warm(bench: Bench, contestant: Contestant) -> int:
    bench.reset()
    file = UploadedFile(key="receipts/warm.png")
    bench.aws.s3.objects[file.key, file.version_id] = StoredObject(body=png(1000))
    bench.run(contestant, sqs_batch([file]), Context())
    with _counted_clients() as made:
        bench.run(contestant, sqs_batch([file]), Context())
    return len(made)


def _clients_made_by_reader(bench: Bench) -> int:
    bench.reset()
    reader = bench.readers[1]
    reader(http_get("/receipts"), Context())
    with _counted_clients() as made:
        reader(http_get("/receipts"), Context())
    return len(made)


@contextmanager
def _counted_clients() -> Iterator[list[str]]:
    """List the services that clients are made for while the context is open."""
    made: list[str] = []
    create = botocore.session.Session.create_client

    def counting(
        self: botocore.session.Session, service_name: str, *args: object, **kwargs: object
    ) -> object:
        made.append(service_name)
        return create(self, service_name, *args, **kwargs)  # type: ignore[arg-type]  # passed on as they came

    with mock.patch.object(botocore.session.Session, "create_client", counting):
        yield made
