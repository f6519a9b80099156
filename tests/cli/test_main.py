from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import pytest

from cli import start
from cli.commands import Command
from cli.main import COMMANDS
from tests.cli.conftest import Run
from tests.cli.fake_stack import FakeStack, entry


def test_version_is_that_of_the_package(bill_e: Run) -> None:
    assert bill_e("--version").out == f"bill-e {version('bill-e')}\n"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_help_of_a_command_has_examples(bill_e: Run, command: Command) -> None:
    ran = bill_e(command.name, "--help")

    assert ran.code == 0
    assert "examples:\n  " in ran.out
    stack = "the stack (--stack or --outputs is required):\n  --stack NAME "
    assert (stack in ran.out) == command.needs_stack


def test_help_fits_a_screen_and_lists_each_command_under_those_who_use_it(bill_e: Run) -> None:
    ran = bill_e("--help")

    lines = ran.out.splitlines()
    assert ran.code == 0
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    audience, found = "", {}
    for line in lines:
        if match := re.fullmatch(r"  (\w+)? +([a-z-]+)  +\S.*", line):
            audience = match[1] or audience
            found[match[2]] = audience
    assert found == {command.name: command.audience for command in COMMANDS}


@pytest.mark.parametrize(
    ("arguments", "usage", "near"),
    [
        (("recipts",), "usage: bill-e [--help]", "did you mean receipts?"),
        (("receipts", "--limt", "5"), "usage: bill-e receipts [-h]", "did you mean --limit?"),
        (("receipts", "--outcome", "REJECTD"), "usage: bill-e receipts [-h]", "did you mean REJECTED?"),
        (("show", "a", "--limit=5"), "usage: bill-e show [-h]", "unrecognized arguments: --limit=5"),
    ],
)
def test_mistyped_word_shows_the_usage_of_its_command_and_the_nearest_one(
    bill_e: Run, arguments: tuple[str, ...], usage: str, near: str
) -> None:
    ran = bill_e(*arguments)

    assert ran.code == 2
    assert ran.err.startswith(usage)
    assert near in ran.err


@pytest.mark.parametrize(
    ("shell", "begin", "offered"),
    [
        ("bash", ["bill-e", "rec"], {"receipts", "reconcile"}),
        ("bash", ["bill-e", "receipts", "--out"], {"--outcome", "--outputs"}),
        ("bash", ["bill-e", "receipts", "--outcome", "REJ"], {"REJECTED"}),
        ("bash", ["bill-e", "completion", ""], {"bash", "zsh", "fish"}),
    ],
)
def test_bash_completes_commands_options_and_values(
    bill_e: Run, shell: str, begin: list[str], offered: set[str]
) -> None:
    script = bill_e("completion", shell).out
    words = " ".join(map(shlex.quote, begin))
    ask = (
        f"COMP_WORDS=({words}); COMP_CWORD={len(begin) - 1}; COMP_LINE={shlex.quote(' '.join(begin))}; "
        'declare -a COMPREPLY; function=$(complete -p bill-e | sed "s/.*-F \\([^ ]*\\) .*/\\1/"); '
        f"$function bill-e {shlex.quote(begin[-1])} {shlex.quote(begin[-2])}; "
        "printf '%s\\n' \"${COMPREPLY[@]}\""
    )

    ran = subprocess.run(
        ["/bin/bash", "-c", f"{script}\n{ask}"], capture_output=True, text=True, timeout=60, check=True
    )

    assert {word.strip() for word in ran.stdout.splitlines()} == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_for_a_shell_has_every_command_and_is_free_of_errors(bill_e: Run, shell: str) -> None:
    script = bill_e("completion", shell).out

    assert all(command.name in script for command in COMMANDS)
    if program := shutil.which(shell):
        subprocess.run([program, "-n", "/dev/stdin"], input=script, text=True, timeout=60, check=True)


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


@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_help_of_a_command_fits_the_terminal_except_for_examples(
    bill_e: Run, monkeypatch: pytest.MonkeyPatch, command: Command, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    shown, _, examples = bill_e(command.name, "--help").out.partition("\nexamples:\n")

    assert [line for line in shown.splitlines() if len(line) > width] == []
    assert examples == "".join(f"  {example}\n" for example in command.examples)
