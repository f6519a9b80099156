from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from local import REPOSITORY, LocalError
from local.emulator import process
from local.emulator.process import running_emulator
from tests.local.processes import processes_naming

# How a script starts a command before an `&`.
IN_THE_BACKGROUND = ("/bin/sh", "-c", 'trap "" INT; exec "$0" "$@"', sys.executable)

ENVIRONMENT = """
import signal
from local.emulator.process import running_emulator

with running_emulator():
    print("started", flush=True)
    signal.pause()
"""
RUN_OF_TESTS = """
import signal

def test_that_waits():
    print("started", flush=True)
    signal.pause()
"""


@pytest.fixture(autouse=True)
def temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go, so that those left can be seen."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_it_listens_on_the_given_port_and_leaves_nothing(temporary_files: Path) -> None:
    with running_emulator() as first:
        port = first.port
    with running_emulator(port) as again:
        assert again.endpoint_url == f"https://127.0.0.1:{port}"
        assert again.administrator.account_id()

    assert list(temporary_files.iterdir()) == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port)).close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_environment_in_the_background_ends_and_leaves_nothing(
    temporary_files: Path, number: signal.Signals
) -> None:
    output, _ = stop_once_started(number, temporary_files, "-c", ENVIRONMENT)

    assert "KeyboardInterrupt" in output
    assert list(temporary_files.iterdir()) == []
    assert processes_naming(f"{temporary_files}/") == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_of_tests_in_the_background_is_interrupted(temporary_files: Path, number: signal.Signals) -> None:
    file = temporary_files / "test_waiting.py"
    file.write_text(RUN_OF_TESTS)
    usual = ("-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "-p", "tests.conftest")

    output, code = stop_once_started(number, temporary_files, *usual, str(file))

    assert "KeyboardInterrupt" in output
    assert code == pytest.ExitCode.INTERRUPTED


def test_failed_start_tells_the_end_of_a_log_that_stays(
    temporary_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "SERVER", "local.emulator.no_such_server")

    with (
        pytest.raises(
            LocalError, match=r"exit code 1; .*\n.*No module named local.emulator.no_such_server"
        ) as failure,
        running_emulator(),
    ):
        pass

    (log,) = temporary_files.iterdir()
    assert str(log) in str(failure.value)


def test_settings_of_the_machine_have_no_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = {
        "AWS_PROFILE": "no-such-profile",
        "AWS_CA_BUNDLE": "/nonexistent/ca.pem",
        "AWS_ENDPOINT_URL": "https://127.0.0.1:1",
        "AWS_ENDPOINT_URL_SQS": "https://127.0.0.1:1",
        "AWS_REGION": "no-such-region",
        "AWS_SESSION_TOKEN": "foreign",
        "AUTH": "false",
        "HTTPS_PROXY": "http://127.0.0.1:1",
        "https_proxy": "http://127.0.0.1:1",
        "REQUESTS_CA_BUNDLE": "/nonexistent/ca.pem",
        "SERVICES": "s3",
        "SSL_CERT_FILE": "/nonexistent/ca.pem",
    }
    for name, value in hostile.items():
        monkeypatch.setenv(name, value)

    with running_emulator() as running:
        url = running.administrator.client("sqs").create_queue(QueueName="queue")["QueueUrl"]

    assert url.startswith(running.endpoint_url)
    assert os.environ["AWS_PROFILE"] == "no-such-profile"


def stop_once_started(number: signal.Signals, temporary: Path, *arguments: str) -> tuple[str, int]:
    """Run Python in the background, send a signal, and return what it has printed and its exit code."""
    with subprocess.Popen(
        [*IN_THE_BACKGROUND, *arguments],
        cwd=REPOSITORY,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        assert running.stdout is not None
        try:
            next(line for line in running.stdout if "started" in line)
            running.send_signal(number)
            output, _ = running.communicate(timeout=30)
        finally:
            running.kill()
    return output, running.returncode
