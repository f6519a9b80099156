"""Settings for every test, and which of them can run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from local.engine import tools

# No test says how fast this machine has to be.
settings.register_profile("bill-e", deadline=None)
settings.load_profile("bill-e")

ENGINE_TESTS = Path(__file__).parent / "engine"
PROGRAMS = {"pulumi": tools.PULUMI, "yaml_host": tools.YAML_HOST, "actionlint": tools.ACTIONLINT}
"""Fixture to the program that it needs."""

REQUIRED = os.environ.get("BILL_E_ENGINE") == "required"
"""Whether a missing program is a failure: CI says so."""


def _missing() -> set[str]:
    return {fixture for fixture, tool in PROGRAMS.items() if tools.find(tool) is None}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs a program that isn't there; where it is required, its fixture fails."""
    missing = set() if REQUIRED else _missing()
    left_out = [item for item in items if missing & set(getattr(item, "fixturenames", ()))]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say in one line that tests were left out."""
    folders = [Path(argument.partition("::")[0]).absolute() for argument in config.args]
    asked_for = any(
        ENGINE_TESTS.is_relative_to(each) or each.is_relative_to(ENGINE_TESTS) for each in folders
    )
    if asked_for and not REQUIRED and _missing():
        terminalreporter.write_line(
            "tests/engine: skipped what needs the Pulumi engine, which is missing here; "
            "`make engine` builds it, and runs these tests"
        )
