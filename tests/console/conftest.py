from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.console.app import open_console
from cli.stack import read_outputs_file
from tests.cli.conftest import _no_environment as _no_environment
from tests.cli.fake_stack import TOKEN, FakeStack, running
from tests.console.served import Served, served


@pytest.fixture
def stack(request: pytest.FixtureRequest) -> Iterator[FakeStack]:
    """A stack on HTTP, by default with `apiAuth` `iam`."""
    with running(FakeStack(auth=getattr(request, "param", "iam"))) as running_stack:
        yield running_stack


@pytest.fixture
def stranger(stack: FakeStack, tmp_path: Path) -> Iterator[Served]:
    """The console on that stack, as a browser that hasn't opened it."""
    access = read_outputs_file(stack.write_outputs(tmp_path))
    with open_console(access, name="dev", token=TOKEN, pinned=None) as console, served(console) as made:
        yield made


@pytest.fixture
def page(stranger: Served) -> Served:
    """The console on that stack, as its own page."""
    stranger.sign_in()
    return stranger
