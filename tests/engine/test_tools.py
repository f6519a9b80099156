"""Finding and building the programs that come from Go modules. Needs none of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from local import LocalError
from local.engine import tools

ALL = pytest.mark.parametrize("tool", tools.TOOLS, ids=lambda tool: tool.name)


@pytest.fixture
def nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine with neither the programs nor Go; what is built goes into the folder that is returned."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(tools, "BUILT", tmp_path / "built")
    (tmp_path / "bin").mkdir()
    return tmp_path


def _executable(file: Path, script: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file


@ALL
def test_without_go_it_says_what_is_missing(
    nothing: Path, capsys: pytest.CaptureFixture[str], tool: tools.Tool
) -> None:
    assert nothing

    assert tools.main([tool.name]) == 1

    said = capsys.readouterr().err
    assert said.startswith(f"local: {tool.name} is missing, and so is Go")
    assert tools.INSTALL_GO in said
    assert (tools.INSTALL_PULUMI in said) == (tool is tools.PULUMI)


@pytest.mark.parametrize("tool", [tool for tool in tools.TOOLS if not tool.is_ambiguous])
def test_program_on_the_path_is_taken_and_nothing_is_built(nothing: Path, tool: tools.Tool) -> None:
    there = _executable(nothing / "bin" / tool.name, "echo v3.999.0")

    assert tools.build(tool) == there
    assert not (nothing / "built").exists()


def test_another_program_with_the_same_name_is_not_taken(nothing: Path) -> None:
    _executable(nothing / "bin" / "fsck", "echo of a file system")

    assert tools.find(tools.FSCK) is None


def test_cli_that_cannot_be_used_is_passed_over_for_the_one_that_was_built(nothing: Path) -> None:
    _executable(nothing / "bin" / "pulumi", "echo v3.100.0")
    program = nothing / "built" / "pulumi"
    script = f"printf '#!/bin/sh\\necho v3.300.0\\n' > {program}; /bin/chmod +x {program}"
    _executable(nothing / "bin" / "go", script)

    assert tools.find(tools.PULUMI) is None
    assert tools.build(tools.PULUMI) == program
    assert tools.find_pulumi() == program


@ALL
def test_module_pins_the_tool_and_every_source(tool: tools.Tool) -> None:
    folder = tools.MODULES / tool.module
    pinned = (folder / "go.mod").read_text()

    assert "\ntool github.com/" in pinned
    assert pinned.count("\n\t") <= len((folder / "go.sum").read_text().splitlines())


def test_go_builds_what_is_missing_and_only_once_for_a_module(nothing: Path) -> None:
    told = nothing / "told"
    program = nothing / "built" / "actionlint"
    _executable(nothing / "bin" / "go", f'echo "$@" >> {told}\n: > {program}')

    built = tools.build(tools.ACTIONLINT)
    again = tools.build(tools.ACTIONLINT)

    assert built == again == program
    (call,) = told.read_text().splitlines()
    assert str(tools.MODULES / "actionlint") in call
    assert call.endswith(" tool")


@pytest.mark.parametrize("name", ["go.mod", "go.sum"])
def test_program_of_another_version_of_the_module_is_built_again(
    nothing: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    told, program = nothing / "told", nothing / "built" / "actionlint"
    _executable(nothing / "bin" / "go", f"echo built >> {told}\n: > {program}")
    shutil.copytree(tools.MODULES / "actionlint", nothing / "go" / "actionlint")
    monkeypatch.setattr(tools, "MODULES", nothing / "go")
    tools.build(tools.ACTIONLINT)

    with (nothing / "go" / "actionlint" / name).open("a") as module:
        module.write("// changed\n")
    assert tools.find(tools.ACTIONLINT) is None
    tools.build(tools.ACTIONLINT)

    assert told.read_text() == "built\nbuilt\n"


def test_failed_build_ends_with_what_go_said(nothing: Path) -> None:
    _executable(nothing / "bin" / "go", "echo 'go: no space left' >&2; exit 1")

    with pytest.raises(LocalError, match="Go could not build actionlint:\n  go: no space left"):
        tools.build(tools.ACTIONLINT)


def test_unknown_program_is_refused_with_those_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert tools.main(["terraform"]) == 2

    assert capsys.readouterr().err == (
        "terraform: unknown; allowed: pulumi, pulumi-language-yaml, actionlint, fsck\n"
    )
