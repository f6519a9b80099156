from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import pytest

from cli import start
from cli.main import COMMANDS
from tests.cli.conftest import Run
from tests.cli.fake_stack import FakeStack, entry


def test_version_is_that_of_the_package(bill_e: Run) -> None:
    assert bill_e("--version").out == f"bill-e {version('bill-e')}\n"


@pytest.mark.parametrize("command", [(), *((command.name,) for command in COMMANDS)])
def test_help_has_examples(bill_e: Run, command: tuple[str, ...]) -> None:
    ran = bill_e(*command, "--help")

    assert ran.code == 0
    assert "examples:\n  bill-e " in ran.out
    if command:
        assert "the stack (--stack or --outputs is required):\n  --stack NAME " in ran.out


@pytest.mark.parametrize("arguments", [(), ("unknown",), ("upload",), ("show",), ("receipts", "--limit")])
def test_wrong_usage_ends_with_2(bill_e: Run, arguments: tuple[str, ...]) -> None:
    assert bill_e(*arguments).code == 2


def test_stopped_environment_is_told_with_its_address(bill_e: Run, tmp_path: Path) -> None:
    stopped = FakeStack(url="http://127.0.0.1:9")
    ran = bill_e("receipts", "--outputs", stopped.write_outputs(tmp_path))

    assert ran.code == 1
    assert ran.err == (
        "bill-e: GET /receipts: cannot connect to http://127.0.0.1:9: "
        "is it running, and is the address right?\n"
    )


@pytest.mark.parametrize(
    ("profile", "sentence"),
    [
        (None, "no AWS credentials were found: set AWS_PROFILE, or"),
        ("nobody", "AWS configuration: The config profile (nobody) could not be found"),
    ],
)
def test_missing_aws_credentials_are_reported_with_the_way_out(
    bill_e: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: str | None, sentence: str
) -> None:
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps(FakeStack(url="http://127.0.0.1:9").outputs()))
    if profile:
        monkeypatch.setenv("AWS_PROFILE", profile)
    ran = bill_e("receipts", "--outputs", file)

    assert ran.code == 1
    assert ran.err.startswith(f"bill-e: {sentence}")
    assert "Traceback" not in ran.err


def test_interrupt_while_modules_are_loaded_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    class Loading:
        def __getattr__(self, _: str) -> None:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "cli.main", cast("Any", Loading()))

    assert start() == 130


def _fail_with(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def find_stack(*_: object) -> None:
        raise error

    monkeypatch.setattr("cli.options.find_stack", find_stack)


def test_interrupt_ends_with_130_and_one_line(bill_e: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    _fail_with(KeyboardInterrupt(), monkeypatch)
    ran = bill_e("receipts")

    assert (ran.code, ran.err) == (130, "bill-e: interrupted\n")


def test_unexpected_error_is_one_sentence_unless_debugging(
    bill_e: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fail_with(KeyError("surprise"), monkeypatch)

    ran = bill_e("receipts")
    assert (ran.code, ran.err) == (
        1,
        "bill-e: unexpected KeyError: 'surprise'; BILL_E_DEBUG=1 shows where\n",
    )
    monkeypatch.setenv("BILL_E_DEBUG", "1")
    assert "Traceback" in bill_e("receipts").err


def _receipts(stack: FakeStack, folder: Path, *options: str) -> list[str]:
    outputs = str(stack.write_outputs(folder))
    return [sys.executable, "-m", "cli.main", "receipts", *options, "--outputs", outputs]


def test_reader_that_stops_reading_ends_the_command_quietly(stack: FakeStack, tmp_path: Path) -> None:
    stack.entries = [entry(key=f"{number}.png") for number in range(2000)]
    command = _receipts(stack, tmp_path, "--all")
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        ran = subprocess.run(command, stdout=write_end, stderr=subprocess.PIPE, timeout=60, check=False)
    finally:
        os.close(write_end)

    assert (ran.returncode, ran.stderr) == (0, b"")


def test_name_that_the_encoding_lacks_is_escaped_not_an_error(stack: FakeStack, tmp_path: Path) -> None:
    stack.entries = [entry(key="Süß 領収書.png")]
    command = _receipts(stack, tmp_path)
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    ran = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)

    assert ran.returncode == 0
    assert rb"S\xfc\xdf \u9818\u53ce\u66f8.png" in ran.stdout
