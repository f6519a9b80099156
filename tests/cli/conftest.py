from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cli import aws
from cli.main import main
from tests.cli.fake_stack import FakeStack, running
from tests.cli.operated_stack import OperatedStack, operated_stack


@dataclass(frozen=True, kw_only=True)
class Ran:
    """How a command line ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep this machine's stacks, credentials and proxies out of the tests."""
    for name in (
        *("BILL_E_STACK", "BILL_E_OUTPUTS", "BILL_E_TOKEN", "BILL_E_DEBUG"),
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_CA_BUNDLE"),
        *("FORCE_COLOR", "TTY_COMPATIBLE"),
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def stack() -> Iterator[FakeStack]:
    with running(FakeStack()) as served:
        yield served


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
