from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

from local import REPOSITORY
from local.whole_files import png
from tests.local.eventually import eventually
from tests.local.processes import processes_naming

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """Where the command's temporary files go; the name also marks its processes' command lines."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


@pytest.fixture
def start(scratch: Path) -> Iterator[Start]:
    """Start `python -m local` as a user would."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "local", *arguments],
            cwd=REPOSITORY,
            env={**os.environ, "TMPDIR": str(scratch)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_up_describes_itself_in_the_file_and_leaves_nothing_when_it_is_stopped(
    start: Start, scratch: Path, tmp_path: Path, number: signal.Signals
) -> None:
    file = tmp_path / "new folder" / "outputs.json"
    process = start("up", "--outputs", os.path.relpath(file, REPOSITORY))
    wait_until_up(process, file)
    described = json.loads(file.read_text())
    upload_something(described)
    eventually("a function process", lambda: len(processes_of(scratch)) > 1)

    assert set(described) == {
        "endpoint_url",
        "region",
        "aws_access_key_id",
        "aws_secret_access_key",
        "auditor_access_key_id",
        "auditor_secret_access_key",
        "operator_access_key_id",
        "operator_secret_access_key",
        "administrator_access_key_id",
        "administrator_secret_access_key",
        "state_folder",
        "ca_bundle",
        "outputs",
    }
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    process.send_signal(number)
    usage, complaints = process.communicate(timeout=120)

    assert (process.returncode, complaints) == (0, "")
    assert described["endpoint_url"] in usage
    exported = dict(re.findall(r"\b([A-Z_]+)=(/\S*|'/.*?')", usage))
    paths = {name: Path(*shlex.split(path)).resolve() for name, path in exported.items()}
    assert paths == {
        "BILL_E_OUTPUTS": file.resolve(),
        "AWS_CA_BUNDLE": Path(described["ca_bundle"]).resolve(),
    }
    assert list(scratch.iterdir()) == []
    assert list(file.parent.iterdir()) == []
    assert processes_of(scratch) == []


def test_nothing_runs_on_after_up_was_killed(start: Start, scratch: Path, tmp_path: Path) -> None:
    file = tmp_path / "outputs.json"
    process = start("up", "--outputs", str(file))
    wait_until_up(process, file)
    upload_something(json.loads(file.read_text()))
    eventually("a function process", lambda: len(processes_of(scratch)) > 1)

    process.kill()

    eventually("the end of all processes", lambda: not processes_of(scratch))


def test_up_ends_with_a_sentence_when_the_emulator_dies(start: Start, scratch: Path, tmp_path: Path) -> None:
    file = tmp_path / "outputs.json"
    process = start("up", "--outputs", str(file))
    wait_until_up(process, file)

    # The emulator comes before its functions, one of which may run for the bucket's test event.
    os.kill(min(processes_of(scratch)), signal.SIGKILL)
    _, complaints = process.communicate(timeout=120)

    assert process.returncode == 1
    assert complaints.startswith("local: the AWS emulator ended with exit code -9; its log is ")
    assert "Traceback" not in complaints
    assert not file.exists()


def test_port_in_use_is_one_sentence_with_the_port(start: Start, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        process = start("up", "--outputs", str(tmp_path / "o.json"), "--port", str(port))
        _, complaints = process.communicate(timeout=120)

    assert process.returncode == 1
    assert complaints.startswith(f"local: port {port} on 127.0.0.1 is in use")
    assert complaints.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["up"], "--outputs"),
        (["up", "--outputs", "o.json", "--port", "65536"], "'65536' is not a port"),
        (["up", "--outputs", "o.json", "--port", "http"], "'http' is not a port"),
        (["dance"], "'dance'"),
        ([], "COMMAND"),
    ],
)
def test_wrong_use_is_told_with_what_is_wrong(start: Start, arguments: list[str], said: str) -> None:
    process = start(*arguments)
    _, complaints = process.communicate(timeout=120)

    assert process.returncode == 2
    assert said in complaints


def test_outputs_file_that_cannot_be_written_is_told_before_anything_starts(
    start: Start, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()

    for wrong, said in ((tmp_path, "is a folder"), (tmp_path / "file" / "o.json", "cannot be created")):
        process = start("up", "--outputs", str(wrong))
        output, complaints = process.communicate(timeout=120)

        assert (process.returncode, output) == (1, "")
        assert said in complaints
        assert complaints.count("\n") == 1


def test_outputs_file_of_a_running_embedded_aws_is_left_alone(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "outputs.json"
    with socket.create_server(("127.0.0.1", 0)) as server:
        description = json.dumps({"endpoint_url": f"https://127.0.0.1:{server.getsockname()[1]}"})
        file.write_text(description)
        process = start("up", "--outputs", str(file))
        _, complaints = process.communicate(timeout=120)

    assert process.returncode == 1
    assert "describes an embedded AWS that is up at https://127.0.0.1:" in complaints
    assert file.read_text() == description


def test_empty_emulator_tells_settings_that_may_do_everything(start: Start, scratch: Path) -> None:
    process = start("emulator")
    assert process.stdout is not None
    told = "".join(iter(process.stdout.readline, "\n")) + "".join(iter(process.stdout.readline, "\n"))
    settings = dict(re.findall(r"(AWS_\w+)=(\S*)", told))

    sqs = client("sqs", settings)
    try:
        assert not sqs.list_queues().get("QueueUrls")
    finally:
        sqs.close()

    process.terminate()
    _, complaints = process.communicate(timeout=120)
    assert (process.returncode, complaints) == (0, "")
    assert list(scratch.iterdir()) == []


def wait_until_up(process: subprocess.Popen[str], file: Path) -> None:
    eventually("the file", lambda: file.exists() or process.poll() is not None)
    if not file.exists():
        pytest.fail(f"up has ended: {process.communicate()}")


def upload_something(described: Mapping[str, Any]) -> None:
    """Upload as a client that knows nothing but the file."""
    s3, bucket = client("s3", described), described["outputs"]["uploads_bucket"]
    try:
        s3.put_object(Bucket=bucket, Key="receipt.png", Body=png())
    finally:
        s3.close()


def client(service: str, settings: Mapping[str, Any]) -> Any:
    make: Any = boto3.client
    known = {name.lower().removeprefix("aws_"): value for name, value in settings.items()}
    return make(
        service,
        endpoint_url=known["endpoint_url"],
        region_name=known["region"],
        aws_access_key_id=known["access_key_id"],
        aws_secret_access_key=known["secret_access_key"],
        verify=known["ca_bundle"],
    )


def processes_of(scratch: Path) -> list[int]:
    """The emulator and its functions, whose command lines name a file below `scratch`."""
    return processes_naming(f"{scratch}/")
