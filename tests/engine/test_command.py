"""What `python -m local pulumi` does with the user's environment and with the folder for its state."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from local import REPOSITORY, LocalError
from local.__main__ import _parse, _parser
from local.engine.command import claim_state, install_plugins, make_project, pulumi_environment

DESCRIPTION = {
    "endpoint_url": "https://127.0.0.1:4566",
    "region": "us-east-1",
    "ca_bundle": "/ca.pem",
    "administrator_access_key_id": "id",
    "administrator_secret_access_key": "key",
}


def test_nothing_of_the_users_account_or_state_gets_through(tmp_path: Path) -> None:
    own = {
        "AWS_PROFILE": "prod",
        "AWS_SESSION_TOKEN": "theirs",
        "AWS_ENDPOINT_URL": "https://s3.amazonaws.com",
        "PULUMI_ACCESS_TOKEN": "theirs",
        "PULUMI_BACKEND_URL": "s3://theirs",
        "PULUMI_STACK": "prod",
        "PULUMI_SKIP_CONFIRMATIONS": "true",
        "HOME": "/home/me",
        "PATH": "/usr/bin",
    }

    made = pulumi_environment(own, tmp_path / "pulumi", tmp_path, DESCRIPTION)

    assert "theirs" not in made.values()
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN", "PULUMI_ACCESS_TOKEN", "PULUMI_STACK"} & made.keys()
    assert made["AWS_ENDPOINT_URL"] == DESCRIPTION["endpoint_url"]
    assert made["PULUMI_BACKEND_URL"] == tmp_path.as_uri()
    assert made["PULUMI_SKIP_CONFIRMATIONS"] == "true"
    assert made["HOME"] == "/home/me"
    assert made["PATH"].endswith(":/usr/bin")


def test_state_belongs_to_the_run_that_claimed_it(tmp_path: Path) -> None:
    claim_state(tmp_path / "state", "one run\n")
    claim_state(tmp_path / "state", "one run\n")

    with pytest.raises(LocalError, match="belongs to an embedded AWS that is no longer running"):
        claim_state(tmp_path / "state", "another run\n")


def test_what_a_killed_cli_left_unwritten_does_not_stop_the_next_one(tmp_path: Path) -> None:
    claim_state(tmp_path, "run\n")
    stacks = tmp_path / ".pulumi" / "stacks" / "bill-e"
    stacks.mkdir(parents=True)
    (stacks / "local.json.attrs").touch()
    (stacks / "other.json.attrs").write_text("{}")

    claim_state(tmp_path, "run\n")

    assert [file.name for file in stacks.iterdir()] == ["other.json.attrs"]


def test_project_runs_this_program_with_settings_of_its_own(tmp_path: Path) -> None:
    folder = make_project(tmp_path / "project")

    made = yaml.safe_load((folder / "Pulumi.yaml").read_text())
    assert (folder / made["main"] / "__main__.py").resolve() == REPOSITORY / "__main__.py"
    settings = folder / "Pulumi.local.yaml"
    assert settings.read_text() == (REPOSITORY / "Pulumi.local.yaml").read_text()
    settings.write_text("config: {}")
    make_project(folder)
    assert settings.read_text() == "config: {}"


def test_plugin_starts_wherever_python_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "it's a folder" / "python"
    python.parent.mkdir()
    python.write_text('#!/bin/sh\necho "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))

    plugins = install_plugins(tmp_path / "plugins", tmp_path / "pulumi", {"pulumi-resource-x": "a.module"})
    said = subprocess.run([plugins / "pulumi-resource-x", "an address"], capture_output=True, text=True)

    assert said.stdout == "-m a.module an address\n"


@pytest.mark.parametrize(
    ("typed", "passed_on"),
    [
        (["preview", "--diff"], ["preview", "--diff"]),
        (["--version"], ["--version"]),
        (["--stack", "dev", "preview"], ["--stack", "dev", "preview"]),
        (["--outputs", "file", "stack", "ls"], ["stack", "ls"]),
    ],
)
def test_what_only_pulumi_knows_is_passed_on(typed: list[str], passed_on: list[str]) -> None:
    assert _parse(_parser(), ["pulumi", *typed]).arguments == passed_on


def test_unknown_option_of_another_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        _parse(_parser(), ["demo", "--stack"])

    assert "unrecognized arguments: --stack" in capsys.readouterr().err
