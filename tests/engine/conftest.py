from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local import LocalError
from local.emulator.process import Emulator, running_emulator
from local.engine import tools
from tests.engine.stacks import Engine, copy_program

REQUIRED = os.environ.get("BILL_E_ENGINE") == "required"
"""Whether a missing program is a failure: `make engine` says so."""


def _need(tool: tools.Tool) -> Path:
    found = tools.find(tool)
    if found is None:
        missing = f"{tool.name} is missing: `make engine` builds it, and runs these tests"
        if REQUIRED:
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)
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
def fsck() -> Path:
    return _need(tools.FSCK)


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
