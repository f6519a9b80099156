from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path

import pytest

from local import LocalError
from local.emulator import process
from local.emulator.process import running_emulator


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
