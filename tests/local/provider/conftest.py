from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.emulator.process import running_emulator
from tests.local.account import Account


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    with running_emulator() as emulator:
        yield Account(aws=emulator.administrator)
