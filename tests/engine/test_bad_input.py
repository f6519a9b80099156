"""Errors before and around an update are one clear sentence, and never a stack trace."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local import STOPPING
from local.__main__ import main
from local.emulator.process import Emulator
from local.engine import tools
from tests.engine.faults import PLUGINS, Faults
from tests.engine.stacks import Engine


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """`main` takes the signals of its process."""
    kept = {number: signal.getsignal(number) for number in STOPPING}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.fixture
def described(emulator: Emulator, tmp_path: Path) -> Path:
    """What `make local` would have written about the module's embedded AWS."""
    key = emulator.administrator.key
    file = tmp_path / "outputs.json"
    file.write_text(
        json.dumps(
            {
                "endpoint_url": emulator.endpoint_url,
                "region": emulator.administrator.region,
                "ca_bundle": str(emulator.administrator.ca_bundle),
                "administrator_access_key_id": key.id,
                "administrator_secret_access_key": key.secret,
                "state_folder": str(tmp_path / "state"),
            }
        )
    )
    return file


def _complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that `python -m local pulumi` ends with."""
    code = main(["pulumi", *arguments])

    said = capsys.readouterr()
    assert code == 1
    assert said.out == ""
    assert said.err.startswith("local: ")
    assert len(said.err.splitlines()) == 1
    return said.err


def _fake_cli(folder: Path, script: str) -> Path:
    folder.mkdir()
    (folder / "pulumi").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "pulumi").chmod(0o755)
    return folder


def test_missing_cli_is_said_with_both_ways_to_get_one(
    described: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr(tools, "BUILT", tmp_path / "nothing")

    said = _complaint(capsys, f"--outputs={described}", "preview")

    assert "there is no Pulumi CLI" in said
    assert tools.INSTALL_PULUMI in said
    assert "make pulumi" in said


def test_cli_that_is_too_old_is_said_with_its_version_and_the_least(
    described: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    old = _fake_cli(tmp_path / "bin", "echo v3.100.2")
    monkeypatch.setenv("PATH", f"{old}:/usr/bin:/bin")
    monkeypatch.setattr(tools, "BUILT", tmp_path / "nothing")

    said = _complaint(capsys, f"--outputs={described}", "preview")

    assert f"{old / 'pulumi'} is version 3.100.2; allowed: 3.231 or newer" in said
    assert "make pulumi" in said


@pytest.mark.parametrize("script", ["exit 3", "echo hello", r"printf '\377'"])
def test_cli_that_does_not_say_its_version_is_named(
    described: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    script: str,
) -> None:
    broken = _fake_cli(tmp_path / "bin", script)
    monkeypatch.setenv("PATH", f"{broken}:/usr/bin:/bin")
    monkeypatch.setattr(tools, "BUILT", tmp_path / "nothing")

    assert str(broken / "pulumi") in _complaint(capsys, f"--outputs={described}", "preview")


@pytest.mark.parametrize(
    "content", [None, "{", "[]", '{"endpoint_url": "https://127.0.0.1:1"}', '{"state_folder": 5}']
)
def test_without_an_embedded_aws_it_says_how_to_start_one(
    pulumi: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None
) -> None:
    assert pulumi
    file = tmp_path / "outputs.json"
    if content is not None:
        file.write_text(content)

    said = _complaint(capsys, f"--outputs={file}", "preview")

    assert str(file) in said
    assert "make local" in said


def test_embedded_aws_that_is_gone_is_said_to_be(
    described: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    description: dict[str, Any] = json.loads(described.read_text())
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nowhere = f"https://127.0.0.1:{unused.getsockname()[1]}"
        for change in ({"ca_bundle": str(tmp_path / "gone.pem")}, {"endpoint_url": nowhere}):
            described.write_text(json.dumps(description | change))

            assert "is no longer running" in _complaint(capsys, f"--outputs={described}", "preview")


def test_state_of_another_program_is_refused(
    described: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    state = tmp_path / "theirs"
    (state / ".pulumi" / "stacks" / "payroll").mkdir(parents=True)

    said = _complaint(capsys, f"--outputs={described}", f"--state={state}", "preview")

    assert f"--state {state} has the state of payroll" in said


def test_state_of_another_run_of_the_embedded_aws_is_refused(
    described: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "embedded-aws").write_text("https://127.0.0.1:1 AKIA\n")

    assert "no longer running" in _complaint(capsys, f"--outputs={described}", "preview")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("", "name a folder on this machine"),
        ("s3://bucket", "name a folder on this machine"),
        ("{folder}", "is not empty, but has no state of an embedded AWS"),
        ("{folder}/notes.txt", "is a file: name a folder"),
        ("/proc/nowhere", "cannot be written"),
    ],
)
def test_place_for_state_that_is_none_is_refused_and_nothing_is_made(
    described: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, state: str, words: str
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")

    said = _complaint(
        capsys, f"--outputs={described}", f"--state={state.format(folder=tmp_path / 'mine')}", "preview"
    )

    assert words in said
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_locked_stack_is_said_to_be_locked(new_engine: Callable[..., Engine], tmp_path: Path) -> None:
    faults = Faults(folder=tmp_path)
    stack = new_engine(plugins=PLUGINS, environment={"FAULTS": str(tmp_path)}).stack()
    faults.ask("hang", ["aws:s3/bucket:Bucket"])
    with stack.start("up", "--yes", "--skip-preview"):
        faults.wait_until_hanging("aws:s3/bucket:Bucket")

        second = stack.up()
    assert second.code != 0
    assert "the stack is currently locked by 1 lock(s)" in second.text
    assert "Traceback" not in second.text


def test_settings_that_are_refused_are_all_named_and_nothing_is_made(
    new_engine: Callable[..., Engine],
) -> None:
    stack = new_engine().stack("refused", {"batchSize": 0, "maxConcurrency": 1, "apiAuth": "none"})

    refused = stack.up()

    assert refused.code != 0
    assert "Traceback" not in refused.text
    for setting in ("bill-e:batchSize is 0", "bill-e:maxConcurrency is 1", "bill-e:apiAuth is 'none'"):
        assert setting in refused.text
    assert [each["type"] for each in stack.resources()] == ["pulumi:pulumi:Stack"]


def test_endpoint_that_is_not_on_this_machine_is_refused(new_engine: Callable[..., Engine]) -> None:
    stack = new_engine(environment={"AWS_ENDPOINT_URL": "https://s3.amazonaws.com"}).stack("elsewhere")

    refused = stack.up()

    assert refused.code != 0
    assert "allowed: an address on 127.0.0.1" in refused.text
    assert "Traceback" not in refused.text
