from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.emulator import Emulator, running_emulator
from local.engine import tools
from local.errors import LocalError
from tests.engine.stacks import Engine, copy_program


def _need(tool: tools.Tool) -> Path:
    found = tools.find(tool)
    if found is None:
        pytest.fail(f"{tool.name} is missing, and BILL_E_ENGINE=required: run `make pulumi`", pytrace=False)
    return found


@pytest.fixture(scope="session")
def pulumi() -> Path:
    _need(tools.PULUMI)
    try:
        return tools.find_pulumi()
    except LocalError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def yaml_host() -> Path:
    return _need(tools.YAML_HOST)


@pytest.fixture(scope="session")
def actionlint() -> Path:
    return _need(tools.ACTIONLINT)


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_program(tmp_path_factory.mktemp("program") / "bill-e")


@pytest.fixture(scope="module")
def emulator(pulumi: Path) -> Iterator[Emulator]:  # noqa: ARG001 (nothing is started without it)
    with running_emulator() as running:
        yield running


@pytest.fixture(scope="module")
def new_engine(
    emulator: Emulator, program: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Engine]:
    """Make an engine with a state folder of its own, on the module's embedded AWS."""

    def make(**changes: object) -> Engine:
        given = {"emulator": emulator, "program": program, "state": tmp_path_factory.mktemp("state")}
        return Engine(**{**given, **changes})  # type: ignore[arg-type]

    return make
