"""Start and stop the AWS emulator, ministack, as a child process.

It only listens on 127.0.0.1, over TLS with its own certificate, and enforces IAM: requests have to be
signed and allowed by a policy, and functions run under their own roles. Its data is in a private folder,
which is deleted at the end.
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import os
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import trustme

from local import REPOSITORY, LocalError, interrupted_by_signals
from local.aws import AccessKey, Aws
from local.emulator import HEALTH_PATH

HOST = "127.0.0.1"
REGION = "us-east-1"
SERVICES = (
    *("apigateway", "dynamodb", "events", "iam", "kms", "lambda", "logs", "monitoring", "s3", "sns", "sqs"),
    "sts",
)
"""The services that run, by the emulator's names; "monitoring" is CloudWatch, and "events" is EventBridge."""

SERVER = "local.emulator.server"
START_TIMEOUT_SECONDS = 30.0
STOP_TIMEOUT_SECONDS = 8.0
LOG_LINES_SHOWN = 15


@dataclass(frozen=True, kw_only=True)
class Emulator:
    """A running emulator. `administrator` may do everything; `home` is deleted when the emulator ends."""

    port: int
    administrator: Aws
    log: Path
    home: Path
    _process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def endpoint_url(self) -> str:
        """The endpoint of all services."""
        return self.administrator.endpoint_url

    def seen_by(self, key: AccessKey) -> Aws:
        """Return the same AWS with the key of another principal."""
        return Aws(
            endpoint_url=self.endpoint_url,
            region=self.administrator.region,
            ca_bundle=self.administrator.ca_bundle,
            key=key,
        )

    def wait(self) -> NoReturn:
        """Wait for as long as the emulator runs.

        Raises:
            LocalError: it ended unexpectedly. Its log is kept, and the error names it.

        """
        self._process.wait()
        raise _ended(self._process, self.log)


@contextlib.contextmanager
def running_emulator(port: int | None = None, fault_share: float = 0.0) -> Iterator[Emulator]:
    """Run an emulator on ``port``, or on a free port, for as long as the context is open.

    ``fault_share`` (0 to 1) is the share of the functions' calls to S3 and DynamoDB that have a fault.

    Raises:
        LocalError: the port is in use, or the emulator doesn't start; its log is kept and named.

    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(interrupted_by_signals())
        listener = stack.enter_context(_bound_socket(port))
        bound_port: int = listener.getsockname()[1]
        home = stack.enter_context(_private_directory())
        ca_bundle, certificate, key = _issue_certificate(home)
        administrator = Aws(
            endpoint_url=f"https://{HOST}:{bound_port}", region=REGION, ca_bundle=ca_bundle, key=_new_key()
        )
        stack.callback(administrator.close)
        log = stack.enter_context(_temporary_log())
        variables = _environment_variables(home, bound_port, administrator)
        process = _start(listener, certificate, key, fault_share, variables, log)
        stack.callback(_stop, process)
        listener.close()
        _wait_until_healthy(process, bound_port, ca_bundle, log)
        yield Emulator(port=bound_port, administrator=administrator, log=log, home=home, _process=process)


def is_reachable(endpoint_url: str) -> bool:
    """Tell whether something listens there, such as another process's emulator."""
    address = urlsplit(endpoint_url)
    try:
        socket.create_connection((address.hostname or HOST, address.port or 443), timeout=2).close()
    except (OSError, ValueError):
        return False
    return True


def _bound_socket(port: int | None) -> socket.socket:
    """Bind the port here, so that "in use" is known at once and nothing takes it before the child listens."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port or 0))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            reason = "is in use: stop what uses it, name another port, or name none to get a free one"
        else:
            reason = f"cannot be used: {error.strerror}"
        raise LocalError(f"port {port} on {HOST} {reason}") from error
    return listener


def _new_key() -> AccessKey:
    return AccessKey(id="AKIA" + secrets.token_hex(8).upper(), secret=secrets.token_urlsafe(30))


@contextlib.contextmanager
def _private_directory() -> Iterator[Path]:
    # A function process that is being killed may still write while this is removed.
    with tempfile.TemporaryDirectory(prefix="bill-e-", ignore_cleanup_errors=True) as directory:
        yield Path(directory)


def _issue_certificate(home: Path) -> tuple[Path, Path, Path]:
    """Make a throw-away certificate authority and a server certificate: CA bundle, certificate chain, key."""
    authority = trustme.CA(organization_name="Bill-E embedded AWS")
    server = authority.issue_cert(HOST, "localhost")
    ca_bundle, certificate, key = home / "ca.pem", home / "server.pem", home / "server.key"
    authority.cert_pem.write_to_path(str(ca_bundle))
    for blob in server.cert_chain_pems:
        blob.write_to_path(str(certificate), append=True)
    server.private_key_pem.write_to_path(str(key))
    return ca_bundle, certificate, key


def _environment_variables(home: Path, port: int, administrator: Aws) -> dict[str, str]:
    """Return the child's environment variables. Its functions inherit them, so none are from this machine."""
    temporary = home / "tmp"
    temporary.mkdir()
    return {
        "PATH": os.defpath,
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "AUTH": "true",
        "BIND_HOST": HOST,
        "MINISTACK_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": administrator.region,
        "AWS_ACCESS_KEY_ID": administrator.key.id,
        "AWS_SECRET_ACCESS_KEY": administrator.key.secret,
        "SERVICES": ",".join(SERVICES),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LAMBDA_EXECUTOR": "local",
        "DOCKER_HOST": f"unix://{home / 'no-docker.sock'}",
        "PERSIST_STATE": "0",
        "STATE_DIR": str(home / "state"),
        "S3_DATA_DIR": str(home / "s3"),
        "USE_SSL": "1",
        "MINISTACK_SSL_CERT": str(home / "server.pem"),
        "MINISTACK_SSL_KEY": str(home / "server.key"),
        "AWS_CA_BUNDLE": str(administrator.ca_bundle),
        "AWS_EC2_METADATA_DISABLED": "true",
    }


class _EmulatorError(LocalError):
    """The emulator itself failed; its log says why."""


@contextlib.contextmanager
def _temporary_log() -> Iterator[Path]:
    """Make a log outside the private folder, so that it is still there if the emulator fails."""
    handle, name = tempfile.mkstemp(prefix="bill-e-emulator-", suffix=".log")
    os.close(handle)
    log = Path(name)
    try:
        yield log
    except _EmulatorError:
        raise
    except BaseException:
        log.unlink()
        raise
    log.unlink()


def _start(
    listener: socket.socket,
    certificate: Path,
    key: Path,
    fault_share: float,
    variables: dict[str, str],
    log: Path,
) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(
            [
                *(sys.executable, "-m", SERVER),
                *(str(listener.fileno()), str(certificate), str(key), str(fault_share)),
            ],
            cwd=REPOSITORY,
            env=variables,
            pass_fds=[listener.fileno()],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            # A group of its own, so that Ctrl-C in a terminal reaches only the parent, which stops the rest.
            process_group=0,
        )


def _wait_until_healthy(process: subprocess.Popen[bytes], port: int, ca_bundle: Path, log: Path) -> None:
    context = ssl.create_default_context(cafile=str(ca_bundle))
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while not _is_healthy(port, context):
        if process.poll() is not None:
            raise _ended(process, log)
        if time.monotonic() > deadline:
            raise _EmulatorError(
                f"the AWS emulator was not ready after {START_TIMEOUT_SECONDS:.0f} s; {_log_extract(log)}"
            )
        time.sleep(0.02)


def _is_healthy(port: int, context: ssl.SSLContext) -> bool:
    connection = http.client.HTTPSConnection(HOST, port, timeout=5, context=context)
    try:
        connection.request("GET", HEALTH_PATH)
        return connection.getresponse().status == http.HTTPStatus.NO_CONTENT
    except OSError:
        return False
    finally:
        connection.close()


def _ended(process: subprocess.Popen[bytes], log: Path) -> _EmulatorError:
    return _EmulatorError(f"the AWS emulator ended with exit code {process.returncode}; {_log_extract(log)}")


def _log_extract(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
    if not lines:
        return f"its log is empty: {log}"
    return "\n".join([f"its log is {log}, which ends with:", *(f"  {line}" for line in lines)])


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the emulator and all its function processes, whatever state they are in."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_TIMEOUT_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        process.stdin.close()
