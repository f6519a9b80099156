from __future__ import annotations

import sqlite3
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from cli import aws
from cli.caller.api_client import ApiClient, Sign, sigv4
from cli.caller.http_client import HttpClient
from cli.main import main
from cli.operator.temporary_database import temporary_database
from tests.cli.fake_stack import API_PATH, KEY_ID, REGION, SECRET, FakeStack, running
from tests.cli.operated_stack import OperatedStack, operated_stack


@dataclass(frozen=True, kw_only=True)
class Ran:
    """How a command line ended."""

    code: int
    out: str
    err: str

    def error(self, code: int = 1) -> str:
        """What a command said that failed with this code."""
        assert self.code == code
        return self.err

    def refusal(self) -> str:
        """The one sentence with which a command failed that wrote nothing else."""
        assert (self.code, self.out, self.err.count("\n")) == (1, "", 1)
        return self.err


Run = Callable[..., Ran]


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep this machine's stacks, credentials and proxies out of the tests."""
    for name in (
        *("BILL_E_STACK", "BILL_E_OUTPUTS", "BILL_E_TOKEN", "BILL_E_TOKEN_COMMAND", "BILL_E_DEBUG"),
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_CA_BUNDLE"),
        *("FORCE_COLOR", "TTY_COMPATIBLE"),
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def _every_step_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write each step of progress as a line, without the pause of a minute."""
    monkeypatch.setattr("cli.screen.progress.SECONDS_BETWEEN_LINES", 0)


@pytest.fixture
def stack() -> Iterator[FakeStack]:
    with running(FakeStack()) as served:
        yield served


SIGNED = sigv4(Credentials(KEY_ID, SECRET), REGION)


@contextmanager
def api_of(
    stack: FakeStack,
    sign: Sign = SIGNED,
    sleep: Callable[[float], None] = lambda _: None,
) -> Iterator[ApiClient]:
    with closing(HttpClient(ca_bundle=None, connections=1, sleep=sleep)) as http:
        yield ApiClient(f"{stack.url}{API_PATH}", http, sign)


@pytest.fixture
def bill_e(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `bill-e` with these arguments in this process."""

    def run(*arguments: str | Path) -> Ran:
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as ended:  # argparse
            code = int(ended.code or 0)
        written = capsys.readouterr()
        return Ran(code=code, out=written.out, err=written.err)

    return run


@pytest.fixture
def caller(bill_e: Run, stack: FakeStack, tmp_path: Path) -> Run:
    """Run `bill-e` as a caller of the stack on HTTP."""

    def run(*arguments: str | Path) -> Ran:
        return bill_e(*arguments, "--outputs", stack.write_outputs(tmp_path))

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with three receipts, two of the same bytes, and one file that is none."""
    made = tmp_path / "scans"
    (made / "2026").mkdir(parents=True)
    (made / "a receipt.png").write_bytes(b"first")
    (made / "copy.png").write_bytes(b"first")
    (made / "2026" / "größe+1%.pdf").write_bytes(b"second")
    (made / "empty.pdf").write_bytes(b"")
    return made


@pytest.fixture
def operated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OperatedStack]:
    """A stack as an operator has it, in moto's AWS."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-for-tests")
    monkeypatch.setattr("cli.operator.dead_letters.WAIT_SECONDS", 0)
    with operated_stack(tmp_path) as made:
        yield made


@pytest.fixture
def operator(bill_e: Run, operated: OperatedStack) -> Run:
    """Run `bill-e` as an operator of that stack, or as its administrator."""

    def run(*arguments: str | Path) -> Ran:
        return bill_e(*arguments, "--outputs", operated.outputs)

    return run


ChangeCall = Callable[[str, str, Callable[..., Any]], None]


@pytest.fixture
def change_call(monkeypatch: pytest.MonkeyPatch) -> ChangeCall:
    """Have a function make a command's calls of a service; it is given the call and its parameters."""

    def change(service: str, call: str, instead: Callable[..., Any]) -> None:
        make = aws.client

        def client(session: Any, name: Any, access: Any, **options: Any) -> Any:
            made = make(session, name, access, **options)
            if name == service:
                original = getattr(made, call)
                monkeypatch.setattr(made, call, lambda **parameters: instead(original, **parameters))
            return made

        monkeypatch.setattr(aws, "client", client)

    return change


def denied(*_: Any, **__: Any) -> None:
    """Refuse a call as AWS does without the permission for it."""
    error: Any = {"Error": {"Code": "AccessDeniedException", "Message": "no"}}
    raise ClientError(error, "AnyCall")


@contextmanager
def small_database(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, file_bytes: float
) -> Iterator[sqlite3.Connection]:
    """A temporary database in `folder`, where it may take `file_bytes`. Memory must stay below 4 MB."""
    monkeypatch.setenv("SQLITE_TMPDIR", str(folder))
    tracemalloc.start()
    try:
        with temporary_database() as database:
            yield database
            size = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
            assert database.execute(size).fetchone()[0] < file_bytes
            # The file has no name already while it is in use, so that nothing stays behind however this ends.
            assert list(folder.iterdir()) == []
        assert tracemalloc.get_traced_memory()[1] < 4 * 1024 * 1024
    finally:
        tracemalloc.stop()
