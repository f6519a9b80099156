"""Nothing gets into a function that isn't one of its modules or of the listed packages."""

from __future__ import annotations

import ast
import base64
import hashlib
import importlib.metadata
import re
import shutil
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from components.python_function import source_files
from components.python_layer import write_zip
from tests.components.mocks import REPOSITORY
from tests.components.programs import graph_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


FUNCTION = "aws:lambda/function:Function"
LAYER = "aws:lambda/layerVersion:LayerVersion"
GRAPHS = ["dev", "prod", "local", "jwt", "two of each"]


class TestPinnedAndHashed:
    """Every package has one version and the hashes of its files, and only comes from PyPI."""

    LISTS = ("requirements.txt", "requirements-dev.txt", "functions/requirements.txt")

    @pytest.mark.parametrize("name", LISTS)
    @pytest.mark.claim(
        "every package is pinned to a version and its hashes, including those of the functions",
        section="Supply chain",
    )
    def test_list_names_each_package_once_with_its_version_and_hashes(self, name: str) -> None:
        assert pins_of(name)

    @pytest.mark.parametrize(
        "line",
        [
            *("jmespath", "jmespath==1.1.0", "jmespath>=1.1.0 --hash=sha256:" + "0" * 64),
            *("jmespath==1.* --hash=sha256:" + "0" * 64, "jmespath==1.1.0 --hash=md5:" + "0" * 32),
            *(
                "--index-url https://packages.example.com/simple",
                "--extra-index-url https://x",
                "--find-links x",
            ),
            *("--trusted-host pypi.example.com", "-r other.txt", "-e .", "--pre", "./jmespath.whl"),
            *("jmespath @ https://example.com/jmespath.whl", "git+https://example.com/jmespath.git"),
        ],
    )
    def test_any_other_line_would_be_refused(self, line: str) -> None:
        with pytest.raises(AssertionError):
            parse_pins(f"{line}\n")

    @pytest.mark.parametrize("name", ["requirements.txt", "functions/requirements.txt"])
    def test_what_is_deployed_is_what_is_tested(self, name: str) -> None:
        tested = pins_of("requirements-dev.txt")

        assert {package: tested.get(package) for package in pins_of(name)} == pins_of(name)

    @pytest.mark.claim(
        "the functions are tested with the same versions that are deployed", section="Supply chain"
    )
    def test_functions_are_tested_with_the_versions_of_their_layer(self) -> None:
        pins = pins_of("functions/requirements.txt")

        assert {name: importlib.metadata.version(name) for name in pins} == {
            name: pin.version for name, pin in pins.items()
        }

    def test_layer_list_has_everything_that_its_packages_need(self) -> None:
        """The layer is installed with ``--no-deps``, so anything that isn't listed would be missing."""
        pins = pins_of("functions/requirements.txt")
        needed = {
            canonical(re.split(r"[^A-Za-z0-9._-]", requirement)[0])
            for name in pins
            for requirement in importlib.metadata.requires(name) or []
            if "extra ==" not in requirement
        }

        assert needed <= pins.keys()


class Pin(NamedTuple):
    version: str
    hashes: frozenset[str]


PIN = re.compile(
    r"(?P<name>[a-z0-9]+(-[a-z0-9]+)*)==(?P<version>[0-9][0-9a-z.!+]*)( ; [^#@]+?)?"
    r"(?P<hashes>( --hash=sha256:[0-9a-f]{64})+)"
)


def pins_of(name: str) -> dict[str, Pin]:
    return parse_pins((REPOSITORY / name).read_text())


def parse_pins(text: str) -> dict[str, Pin]:
    """Read a list of requirements. A line that is anything but a hashed pin is an AssertionError."""
    pins: dict[str, Pin] = {}
    for line in re.sub(r" *\\\n +", " ", text).splitlines():
        match = PIN.fullmatch(line)
        assert match, f"not one version with its hashes: {line[:100]}"
        assert match["name"] not in pins, f"listed twice: {match['name']}"
        pins[match["name"]] = Pin(match["version"], frozenset(match["hashes"].split()))
    return pins


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


class TestFunctionArchives:
    """An archive has the modules that a handler runs, and no other files from their folders."""

    UNWANTED = (
        *("reader/.env", "reader/credentials", "reader/credentials.json", "reader/private.pem", ".env"),
        *("reader/__pycache__/app.cpython-311.pyc", "reader/__pycache__/app.py", "reader/app.pyc"),
        *("reader/test_app.py", "reader/tests/__init__.py", "reader/tests/helper.py", "reader/conftest.py"),
        *("reader/.hidden.py", "reader/.venv/lib/module.py", "reader/app (copy).py", "reader/app-old.py"),
        *("reader/app.py.orig", "reader/app.py~", "reader/data.csv", "ledger/.aws/credentials"),
    )

    @pytest.mark.parametrize("name", GRAPHS)
    @pytest.mark.claim(
        "an archive holds the modules that its function imports, and nothing else", section="Supply chain"
    )
    def test_archive_has_everything_that_its_handler_imports_and_nothing_that_no_handler_imports(
        self, name: str
    ) -> None:
        functions = graph_of(name).of_type(FUNCTION)
        needed = {function.name: imported_from(handler_file(function.inputs)) for function in functions}
        by_anyone = set().union(*needed.values())

        for function in functions:
            archived = set(function.inputs["code"].assets)
            assert needed[function.name] <= archived
            assert archived <= by_anyone, "nobody imports this"
            for path, asset in function.inputs["code"].assets.items():
                assert Path(asset.path) == REPOSITORY / path

    @pytest.mark.parametrize("unwanted", UNWANTED)
    @pytest.mark.claim(
        "caches, tests, credentials and copies don't get into an archive", section="Supply chain"
    )
    def test_anything_but_a_module_of_a_function_is_left_out(self, unwanted: str, copied: Path) -> None:
        before = source_files(["reader", "api", "ledger"], root=copied)
        planted = copied / unwanted
        planted.parent.mkdir(parents=True, exist_ok=True)
        planted.write_text("SECRET = 1")

        assert source_files(["reader", "api", "ledger"], root=copied) == before

    def test_a_module_that_nobody_imports_would_be_noticed(self, copied: Path) -> None:
        (copied / "reader" / "credentials.py").write_text("SECRET = 1")

        archived = set(source_files(["reader", "api", "ledger"], root=copied))
        needed = imported_from(copied / "reader" / "handler.py")

        assert "functions/reader/credentials.py" in archived - needed

    @pytest.fixture
    def copied(self, tmp_path: Path) -> Path:
        return Path(
            shutil.copytree(
                REPOSITORY / "functions",
                tmp_path / "functions",
                ignore=shutil.ignore_patterns("__pycache__"),
            )
        )


def handler_file(function: Mapping[str, Any]) -> Path:
    module = str(function["handler"]).removesuffix(".handle")
    return REPOSITORY / f"{module.replace('.', '/')}.py"


def imported_from(handler: Path) -> set[str]:
    """Return the handler's file and those under ``functions/`` that it imports, directly or not."""
    root = handler.parents[2]
    seen: set[Path] = set()
    todo = [handler]
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        packages = [
            parent / "__init__.py" for parent in path.parents if parent.is_relative_to(root / "functions")
        ]
        todo += [*packages, *_imports(path, root)]
    return {path.relative_to(root).as_posix() for path in seen}


def _imports(path: Path, root: Path) -> Iterator[Path]:
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            module = root / name.replace(".", "/")
            yield from (
                file for file in (module.with_suffix(".py"), module / "__init__.py") if file.is_file()
            )


class TestLayer:
    """The layer has the files of the listed packages, byte for byte as in their wheels."""

    @pytest.mark.parametrize("name", GRAPHS)
    @pytest.mark.claim(
        "every file of the layer comes from a listed package, byte for byte", section="Supply chain"
    )
    def test_every_file_comes_from_a_listed_package(self, name: str) -> None:
        for layer in graph_of(name).of_type(LAYER):
            assert foreign_files(Path(layer.inputs["code"].path)) == []

    @pytest.mark.parametrize("planted", ["python/.env", "python/credentials", "python/filetype/extra.py"])
    def test_any_other_file_would_be_noticed(self, planted: str, tmp_path: Path) -> None:
        archive = repacked_with(planted, "SECRET = 1", tmp_path)

        assert foreign_files(archive) == [planted]

    def test_a_changed_file_would_be_noticed(self, tmp_path: Path) -> None:
        archive = repacked_with("python/filetype/__init__.py", "import os", tmp_path)

        assert foreign_files(archive) == ["python/filetype/__init__.py"]

    @pytest.mark.parametrize("cache", ["python/__pycache__/x.pyc", "python/x.pyc", "python/bin/jp.py"])
    def test_caches_and_scripts_are_left_out(self, cache: str, tmp_path: Path) -> None:
        assert foreign_files(repacked_with(cache, "", tmp_path)) == []


def foreign_files(archive: Path) -> list[str]:
    """Return the files of a layer that aren't in the listed packages with the same bytes."""
    hashes = {
        f"python/{file.as_posix()}": file.hash.value
        for name in pins_of("functions/requirements.txt")
        for file in importlib.metadata.files(name) or []
        if file.hash is not None
    }
    with zipfile.ZipFile(archive) as layer:
        return [name for name in layer.namelist() if hashes.get(name) != wheel_hash(layer.read(name))]


def wheel_hash(data: bytes) -> str:
    """Hash like a wheel's RECORD (binary distribution format, "Signed wheel files")."""
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


def repacked_with(name: str, content: str, folder: Path) -> Path:
    """Build the program's layer again, with another file in its folder."""
    unpacked, archive = folder / "unpacked", folder / "layer.zip"
    with zipfile.ZipFile(graph_of("dev").only(LAYER).inputs["code"].path) as layer:
        layer.extractall(unpacked)
    planted = unpacked / name
    planted.parent.mkdir(parents=True, exist_ok=True)
    planted.write_text(content)
    write_zip(unpacked, archive)
    return archive
