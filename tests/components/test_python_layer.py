from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pulumi
import pytest

from components import python_layer
from components.python_layer import LayerBuildError, build_layer, write_zip
from tests.components.mocks import REPOSITORY

REQUIREMENTS = REPOSITORY / "functions" / "requirements.txt"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_same_list_gives_the_same_bytes_wherever_it_is_built(tmp_path: Path) -> None:
    first = build_layer(REQUIREMENTS, tmp_path / "one")
    second = build_layer(REQUIREMENTS, tmp_path / "two" / "with a space")
    assert first != second
    assert sha256(first) == sha256(second)
    assert first.name == second.name


def test_layer_holds_the_libraries_and_nothing_that_depends_on_the_machine(tmp_path: Path) -> None:
    with zipfile.ZipFile(build_layer(REQUIREMENTS, tmp_path)) as layer:
        names = layer.namelist()
    assert {name.split("/")[0] for name in names} == {"python"}
    assert "python/filetype/__init__.py" in names
    unwanted = (".pyc", ".so", ".pyd", "/RECORD", "/INSTALLER", "/REQUESTED", "/direct_url.json")
    assert [
        name for name in names if name.endswith(unwanted) or "__pycache__" in name or "/bin/" in name
    ] == []
    assert list(tmp_path.iterdir()) == [tmp_path / next(tmp_path.iterdir()).name]


def test_unchanged_list_is_not_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installs = count_installs(monkeypatch)
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("one==1\n")
    assert build_layer(requirements, tmp_path / "build") == build_layer(requirements, tmp_path / "build")
    assert len(installs) == 1


def test_changed_list_is_built_under_another_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installs = count_installs(monkeypatch)
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("one==1\n")
    before = build_layer(requirements, tmp_path / "build")
    requirements.write_text("one==2\n")
    assert build_layer(requirements, tmp_path / "build") != before
    assert len(installs) == 2


def test_changed_builder_builds_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count_installs(monkeypatch)
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("one==1\n")
    before = build_layer(requirements, tmp_path / "build")
    monkeypatch.setattr(python_layer, "BUILDER_VERSION", python_layer.BUILDER_VERSION + 1)
    assert build_layer(requirements, tmp_path / "build") != before


def test_list_without_hashes_is_refused_with_what_pip_said_and_leaves_nothing(tmp_path: Path) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("jmespath==1.1.0\n")
    with pytest.raises(LayerBuildError, match=r"(?s)requirements\.txt:\n.*--require-hashes"):
        build_layer(requirements, tmp_path / "build")
    assert list((tmp_path / "build").iterdir()) == []


def test_missing_list_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(LayerBuildError, match=r"absent\.txt: No such file"):
        build_layer(tmp_path / "absent.txt", tmp_path / "build")


def test_pulumi_shows_a_failed_build_without_a_stack_trace() -> None:
    assert issubclass(LayerBuildError, pulumi.RunError)


def test_zip_does_not_depend_on_times_permissions_or_the_order_of_writing(tmp_path: Path) -> None:
    for folder, names in (("one", ["a.py", "b.py"]), ("two", ["b.py", "a.py"])):
        (tmp_path / folder).mkdir()
        for age, name in enumerate(names):
            path = tmp_path / folder / name
            path.write_text(name)
            path.chmod(0o600 if age else 0o755)
        write_zip(tmp_path / folder, tmp_path / f"{folder}.zip")
    assert sha256(tmp_path / "one.zip") == sha256(tmp_path / "two.zip")


def count_installs(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Stand in for pip, and keep the folders that it was asked to fill."""
    installs: list[Path] = []

    def install(requirements: Path, target: Path) -> None:
        installs.append(target)
        target.mkdir(parents=True)
        (target / "library.py").write_text(requirements.read_text())

    monkeypatch.setattr(python_layer, "_install", install)
    return installs
